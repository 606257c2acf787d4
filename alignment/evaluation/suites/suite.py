"""What a suite is: items, a way to measure a model on them, one value per item; higher is better."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from alignment.serving.engine import Completion
from data import language_of, loops, refusing
from data.chat import Message
from data.errors import ParleyError


@dataclass(frozen=True, slots=True)
class Question:
    """An item that only asks something; the suite defines a good answer."""

    id: str
    language: str
    prompt: str


class Model(Protocol):
    """What a suite asks of a model. All results are in the order of the questions."""

    def answers(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> Sequence[Completion]:
        """One answer a prompt, as served, of at most `max_tokens` tokens."""

    def logprobs(self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[tuple[float, int]]:
        """For each completion of its prompt: its log-probability in nats, end-of-turn included, and its tokens."""

    def text_logprobs(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """For each text outside any conversation: its log-probability in nats, and its tokens."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A model measured: a value for each item, in order, and the figures that people usually quote."""

    values: tuple[float, ...]
    headline: dict[str, float]


@dataclass(frozen=True, slots=True)
class Suite:
    """Items of one kind and how a model is measured on them.

    `items` are data classes of plain values. `margin` is how much worse on average, in the value's `unit`, a
    candidate may be than the champion. `notes` are sentences about what was left out, to be shown with the suite.
    """

    name: str
    title: str
    unit: str
    margin: float
    items: tuple[Any, ...]
    measure: Callable[[Sequence[Any], Model], Measured]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class SuiteScores:
    """A suite's result for one model: `values` one an item, higher is better, in the same order for every model."""

    name: str
    title: str
    unit: str
    margin: float
    values: tuple[float, ...]
    headline: dict[str, float]


def run_suite(suite: Suite, model: Model) -> SuiteScores:
    """Measure a model on a suite.

    Raises `ParleyError` when the model gives figures that are not finite, which only a broken model does.
    """
    measured = suite.measure(suite.items, model)
    if len(measured.values) != len(suite.items):
        raise ValueError(f"suite {suite.name}: {len(measured.values)} values for {len(suite.items)} items")
    if not all(math.isfinite(value) for value in measured.values):
        raise ParleyError(
            f"On the suite {suite.name} the model gives figures that are not finite; its training went wrong."
        )
    return SuiteScores(suite.name, suite.title, suite.unit, suite.margin, measured.values, measured.headline)


def limited(suite: Suite, count: int) -> Suite:
    """The same suite with at most `count` items, spread evenly over all of them, so that each language stays."""
    total = len(suite.items)
    if count >= total:
        return suite
    picked = tuple(suite.items[index * total // count] for index in range(count))
    return replace(suite, items=picked, notes=(*suite.notes, f"{suite.name}: {count} of {total} items were asked."))


def fingerprint(suite: Suite) -> str:
    """A hash of what decides a suite's values besides the model: its items, its margin, and the code of this package
    and of the checks in `data` that it uses.

    Together with the model's hash, this is the key under which a champion's scores are cached.
    """
    items = [asdict(item) for item in suite.items]
    text = json.dumps([suite.name, suite.unit, suite.margin, items], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256((text + _code()).encode()).hexdigest()


def _code() -> str:
    checks = [Path(str(module.__file__)) for module in (language_of, loops, refusing)]
    return "\n".join(path.read_text("utf-8") for path in [*sorted(Path(__file__).parent.glob("*.py")), *checks])


def mean(values: Sequence[float]) -> float:
    """The mean; nan for an empty group, so that it shows."""
    return math.fsum(values) / len(values) if values else math.nan


def by_language(name: str, items: Sequence[Any], values: Sequence[float]) -> dict[str, float]:
    """`{name: mean}`, and one more such figure for each language (`item.language`) when there are several."""
    figures = {name: mean(values)}
    languages = sorted({item.language for item in items})
    if len(languages) > 1:
        for language in languages:
            group = [value for item, value in zip(items, values, strict=True) if item.language == language]
            figures[f"{name}, {language}"] = mean(group)
    return figures


def asked(prompt: str) -> list[Message]:
    """A conversation of this one question."""
    return [Message(role="user", content=prompt)]
