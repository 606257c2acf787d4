"""What the bot counts for whoever runs it, and the text in which Prometheus reads it.

No label ever holds an id, a name or a text: only words that this program chose itself. The official client would be a
dependency of 5,300 lines with a registry for the whole process; what is needed of it is below.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.answers import Failed, Paired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bot.answers import Event

CONTENT_TYPE = "text/plain; version=0.0.4"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True)
class Sample:
    """One figure: what is appended to its metric's name, its labels, its value."""

    suffix: str
    labels: Mapping[str, str]
    value: float


class Counter:
    """Something that only ever grows, told apart by labels."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        self.name, self.help_text, self._labels = name, help_text, labels
        self._counts: dict[tuple[str, ...], float] = {}

    def add(self, *values: str, count: float = 1) -> None:
        """Count, under these values of the labels in their order."""
        assert len(values) == len(self._labels)
        self._counts[values] = self._counts.get(values, 0) + count

    def samples(self) -> Iterator[Sample]:
        """What was counted so far; without labels a zero is a figure, too."""
        for values, count in (self._counts if self._labels else {(): 0, **self._counts}).items():
            yield Sample("", dict(zip(self._labels, values, strict=True)), count)


class Gauge:
    """Something that is as it is at this moment. `values` are the figures by the values of the one label, or one."""

    kind = "gauge"

    def __init__(self, name: str, help_text: str, values: float | Mapping[str, float], label: str = "") -> None:
        self.name, self.help_text, self._values, self._label = name, help_text, values, label

    def samples(self) -> Iterator[Sample]:
        """The figures."""
        if isinstance(self._values, int | float):
            yield Sample("", {}, self._values)
            return
        for name, value in self._values.items():
            yield Sample("", {self._label: name}, value)


class Histogram:
    """How long something took, in seconds."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, bounds: Sequence[float] = _SECONDS) -> None:
        self.name, self.help_text, self._bounds = name, help_text, tuple(bounds)
        self._buckets = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Something took so long."""
        self._buckets[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def samples(self) -> Iterator[Sample]:
        """How many took at most so long, for each bound; their sum and their number."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._buckets, strict=True):
            total += count
            yield Sample("_bucket", {"le": _number(bound)}, total)
        yield Sample("_sum", {}, self._sum)
        yield Sample("_count", {}, total)


Metric = Counter | Gauge | Histogram


class Metrics:
    """The counts of one process. Made where the process begins, and handed to whoever counts."""

    def __init__(self) -> None:
        self.questions = Counter("parley_questions_total", "Questions that came in, by platform.", "platform")
        self.answers = Counter(
            "parley_answers_total", "Answers that were recorded, by why they ended.", "finish_reason"
        )
        self.failures = Counter("parley_failures_total", "Answers that could not be given, by why.", "kind")
        self.first_token = Histogram("parley_first_token_seconds", "From the request to the engine's first word.")
        self.tokens = Counter("parley_tokens_total", "Tokens that the engine counted.", "kind")
        self.ratings = Counter("parley_ratings_total", "Ratings that were stored, by kind.", "kind")
        self.swaps = Counter("parley_engine_swaps_total", "How often another release began to answer.")
        self.requests = Counter(
            "parley_discord_requests_total", "Requests to Discord; PATCH is an edit.", "method", "status"
        )
        self.release: int | None = None

    def ended(self, end: Event) -> None:
        """Count an answer that could not be given."""
        failed = end.other if isinstance(end, Paired) else end
        if isinstance(failed, Failed):
            self.failures.add(failed.kind)

    def generated(
        self, finish_reason: str, first_token_seconds: float | None, prompt: int | None, completion: int | None
    ) -> None:
        """Count an answer that was recorded, and what it cost as far as the engine says."""
        self.answers.add(finish_reason)
        if first_token_seconds is not None:
            self.first_token.add(first_token_seconds)
        self.tokens.add("prompt", count=prompt or 0)
        self.tokens.add("completion", count=completion or 0)

    def serves(self, release: int) -> None:
        """Take note of which release answers usually."""
        if self.release is not None and release != self.release:
            self.swaps.add()
        self.release = release

    def text(self, *gauges: Gauge) -> str:
        """Everything in Prometheus's text format, with what is true at this moment."""
        counted = [metric for metric in vars(self).values() if isinstance(metric, Metric)]
        if self.release is not None:
            counted.append(Gauge("parley_release", "The release that answered last; 0 is the base.", self.release))
        return render([*counted, *gauges])


def render(metrics: Sequence[Metric]) -> str:
    """Metrics in Prometheus's text format, version 0.0.4."""
    lines: list[str] = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {_escaped(metric.help_text)}", f"# TYPE {metric.name} {metric.kind}"]
        for sample in metric.samples():
            labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels.items())
            lines.append(f"{metric.name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}")
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', r"\"")
