"""Held-out answers: does the model still find other people's good answers as likely?

The value is a held-out answer's log-probability per token, so a model that was taught a few answers too hard falls
here first. `--suites` does not know it: its items are the rows of a round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alignment.evaluation.suites.suite import Measured, Model, Suite, mean
from data.chat import Message
from data.rows import Row

# As much as in the suite `forgetting`.
MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A conversation that ends with the question, and the answer to it."""

    id: str
    prompt: tuple[Message, ...]
    answer: str


def suite(rows: Sequence[Row]) -> Suite:
    """The suite over these demonstrations, which nothing was trained on."""
    items = tuple(HeldOut(row.id, tuple(row.messages[:-1]), row.messages[-1]["content"]) for row in rows)
    return Suite("held_out", "Held-out answers", "nats a token", MARGIN, items, measure)


def measure(items: Sequence[HeldOut], model: Model) -> Measured:
    """The headline is the mean loss in nats a token: every answer counts the same, however long."""
    scored = model.logprobs([item.prompt for item in items], [item.answer for item in items])
    values = tuple(total / tokens for total, tokens in scored)
    return Measured(values, {"loss": -mean(values)})
