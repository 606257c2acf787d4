"""The engine: a client of any OpenAI-compatible server, and `python -m bot.engine`, the embedded one."""
