"""The API: OpenAI's completions with feedback, for programs outside Discord (docs/api.md)."""
