"""Discord: a thin edge around `bot.conversation`. What is decided is decided there; here it is shown and clicked."""
