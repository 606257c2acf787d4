"""What the bot counts for the people who run it, in the text format that Prometheus reads.

No label ever holds an id, a name or a text: only words that this program chose itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from bot.answers import Failed, Paired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from bot.answers import AnswerEvent

CONTENT_TYPE = "text/plain; version=0.0.4"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Gauge(GaugeMetricFamily):
    """A value as it is at this moment: one number, or a number for each value of the one label."""

    def __init__(self, name: str, help_text: str, values: float | Mapping[str, float], label: str = "") -> None:
        if isinstance(values, int | float):
            super().__init__(name, help_text, value=values)
            return
        super().__init__(name, help_text, labels=[label])
        for value_of_label, value in values.items():
            self.add_metric([value_of_label], value)


class Metrics:
    """The counts of one process. Create it where the process begins, and hand it to everything that counts."""

    def __init__(self) -> None:
        # Not the library's global registry: that one also describes the process and the machine.
        self._registry = CollectorRegistry()
        self.questions = self._counter("parley_questions_total", "Questions that came in, by platform.", "platform")
        self.answers = self._counter(
            "parley_answers_total", "Answers that were recorded, by why they ended.", "finish_reason"
        )
        self.failures = self._counter("parley_failures_total", "Answers that could not be given, by why.", "kind")
        self.first_token = Histogram(
            "parley_first_token_seconds",
            "From the request to the engine's first word.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.tokens = self._counter("parley_tokens_total", "Tokens that the engine counted.", "kind")
        self.ratings = self._counter("parley_ratings_total", "Ratings that were stored, by kind.", "kind")
        self.swaps = self._counter("parley_engine_swaps_total", "How often another release began to answer.")
        self.requests = self._counter(
            "parley_discord_requests_total", "Requests to Discord; PATCH is an edit.", "method", "status"
        )
        self.release: int | None = None

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self._registry)

    def ended(self, end: AnswerEvent) -> None:
        """Count an answer that could not be given; the last event of any other answer counts nothing."""
        failed = end.other if isinstance(end, Paired) else end
        if isinstance(failed, Failed):
            self.failures.labels(failed.kind).inc()

    def generated(
        self, finish_reason: str, first_token_seconds: float | None, prompt: int | None, completion: int | None
    ) -> None:
        """Count an answer that was recorded, and its tokens if the engine counts them."""
        self.answers.labels(finish_reason).inc()
        if first_token_seconds is not None:
            self.first_token.observe(first_token_seconds)
        self.tokens.labels("prompt").inc(prompt or 0)
        self.tokens.labels("completion").inc(completion or 0)

    def serves(self, release: int) -> None:
        """Note which release gives the usual answers."""
        if self.release is not None and release != self.release:
            self.swaps.inc()
        self.release = release

    def text(self, *gauges: Gauge) -> str:
        """All counts and these gauges in Prometheus's text format, version 0.0.4."""
        found = list(self._registry.collect())
        if self.release is not None:
            found.append(Gauge("parley_release", "The release that answered last; 0 is the base.", self.release))
        return generate_latest(_Exposition([*found, *gauges])).decode()


class _Exposition:
    """Metrics under the names and labels that they had before we used the library, because dashboards rely on them.

    The library adds when each series was created, which can be switched off only for the whole process, and writes
    the bounds of a histogram as 1.0 instead of 1.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        for metric in self._metrics:
            metric.samples = [
                sample._replace(labels={name: value.removesuffix(".0") for name, value in sample.labels.items()})
                if "le" in sample.labels
                else sample
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ]
            yield metric
