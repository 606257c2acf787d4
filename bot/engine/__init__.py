"""The engine: a client for any OpenAI-compatible server, and `python -m bot.engine`, the embedded server.

`open` is the way in, `api` holds the types and errors; `embedded` and `external` are the two kinds of engine.
"""
