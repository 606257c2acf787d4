"""Pictures of the main screens: scenes played through the bot's real callbacks, drawn as Discord shows them."""
