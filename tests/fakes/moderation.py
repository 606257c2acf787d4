"""A fake moderation endpoint on loopback, like OpenAI's: it flags a text that holds one of its words.

async with FakeModeration({"bad": "violence"}) as fake:   # flags "bad", for the category "violence"
    fake.seen                                             # the texts that it was asked about, in order
    fake.status = 500                                     # fails from now on
"""

from typing import Any

from tests.fakes.endpoint import FakeEndpoint


class FakeModeration(FakeEndpoint):
    """An endpoint that gives the verdicts it was told to give."""

    path = "/v1/moderations"

    def __init__(self, flags: dict[str, str]) -> None:
        super().__init__()
        self.flags = flags

    def reply(self, body: dict[str, Any]) -> Any:
        """The verdict on a text."""
        found = [name for word, name in self.flags.items() if word in body["input"]]
        result = {"flagged": bool(found), "categories": dict.fromkeys(found, True)}
        return {"id": "m", "model": "m", "results": [result]}
