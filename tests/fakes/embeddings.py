"""A fake embedding endpoint on loopback, like OpenAI's: texts with a word in common get similar vectors."""

from typing import Any

from tests.fakes.endpoint import FakeEndpoint


class FakeEmbeddings(FakeEndpoint):
    """An endpoint whose vectors count words. `topics` are sets of words that mean the same."""

    path = "/v1/embeddings"

    def __init__(self, *topics: set[str]) -> None:
        super().__init__()
        self.topics = topics

    def vector(self, text: str) -> list[float]:
        """A dimension for each topic, and one that all texts have."""
        words = set(text.lower().replace("?", "").split())
        return [1.0, *(float(bool(words & topic)) for topic in self.topics)]

    def reply(self, body: dict[str, Any]) -> Any:
        """The vectors, in no order that a client may rely on."""
        data = [{"index": at, "embedding": self.vector(text)} for at, text in enumerate(body["input"])]
        return {"data": data[::-1]}
