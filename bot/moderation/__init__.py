"""What may be asked and what may be answered: word lists, and any OpenAI-compatible moderation endpoint."""
