"""What is counted, and the text that Prometheus reads."""

import math
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bot.answers import Answered, Ask, Failed, Paired
from bot.conversation import Chat, Limits
from bot.engine.api import Engine
from bot.metrics import Gauge, Metrics
from bot.ratings import Ratings
from data.personas import persona
from data.store import Store, StoredGeneration
from tests.fakes.engine import FakeEngine

LINE = re.compile(r'([a-z_]+)(?:\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*)\})? (\S+)')


def figures(text: str) -> dict[str, float]:
    """Every figure of an exposition by its name and labels; a line that is not in the format fails."""
    found = {}
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        key = f"{name}{{{labels}}}" if labels else name
        assert key not in found
        found[key] = float(value)
    return found


@given(st.lists(st.tuples(st.text(), st.floats(0, 1e12)), min_size=1))
def test_every_label_and_number_makes_a_line_that_can_be_read_back(counts: list[tuple[str, float]]):
    metrics = Metrics()
    for kind, count in counts:
        metrics.failures.labels(kind).inc(count)
    read = {}
    for line in metrics.text().split("\n"):
        if not line.startswith("parley_failures_total{"):
            continue
        match = LINE.fullmatch(line)
        assert match
        quoted = match[2].removeprefix('kind="').removesuffix('"')
        read[re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), quoted)] = float(match[3])
    wanted: dict[str, float] = {}
    for kind, count in counts:
        wanted[kind] = wanted.get(kind, 0) + count
    assert read == wanted


@given(st.lists(st.floats(0, 200)))
def test_the_buckets_of_a_histogram_count_what_is_at_most_as_long(times: list[float]):
    metrics = Metrics()
    for seconds in times:
        metrics.first_token.observe(seconds)
    read = figures(metrics.text())
    for bound, name in ((0.5, "0.5"), (1, "1"), (60, "60"), (math.inf, "+Inf")):
        wanted = sum(seconds <= bound for seconds in times)
        assert read[f'parley_first_token_seconds_bucket{{le="{name}"}}'] == wanted
    assert read["parley_first_token_seconds_count"] == len(times)
    assert math.isclose(read["parley_first_token_seconds_sum"], sum(times), abs_tol=1e-9)


def test_names_labels_and_help_texts_are_those_that_dashboards_know():
    metrics = Metrics()
    metrics.questions.labels("discord").inc()
    metrics.generated("stop", 0.3, 12, 3)
    metrics.ended(Failed("a sentence", "engine_busy"))
    metrics.ratings.labels("vote").inc()
    metrics.requests.labels("PATCH", "200").inc()
    metrics.serves(2)
    text = metrics.text()
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# HELP parley_questions_total Questions that came in, by platform.",
        "# TYPE parley_questions_total counter",
        "# HELP parley_answers_total Answers that were recorded, by why they ended.",
        "# TYPE parley_answers_total counter",
        "# HELP parley_failures_total Answers that could not be given, by why.",
        "# TYPE parley_failures_total counter",
        "# HELP parley_first_token_seconds From the request to the engine's first word.",
        "# TYPE parley_first_token_seconds histogram",
        "# HELP parley_tokens_total Tokens that the engine counted.",
        "# TYPE parley_tokens_total counter",
        "# HELP parley_ratings_total Ratings that were stored, by kind.",
        "# TYPE parley_ratings_total counter",
        "# HELP parley_engine_swaps_total How often another release began to answer.",
        "# TYPE parley_engine_swaps_total counter",
        "# HELP parley_discord_requests_total Requests to Discord; PATCH is an edit.",
        "# TYPE parley_discord_requests_total counter",
        "# HELP parley_release The release that answered last; 0 is the base.",
        "# TYPE parley_release gauge",
    ]
    bounds = ("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "+Inf")
    assert set(figures(text)) == {
        'parley_questions_total{platform="discord"}',
        'parley_answers_total{finish_reason="stop"}',
        'parley_failures_total{kind="engine_busy"}',
        *(f'parley_first_token_seconds_bucket{{le="{bound}"}}' for bound in bounds),
        "parley_first_token_seconds_sum",
        "parley_first_token_seconds_count",
        'parley_tokens_total{kind="prompt"}',
        'parley_tokens_total{kind="completion"}',
        'parley_ratings_total{kind="vote"}',
        "parley_engine_swaps_total",
        'parley_discord_requests_total{method="PATCH",status="200"}',
        "parley_release",
    }


def test_a_count_without_labels_begins_at_zero():
    assert figures(Metrics().text())["parley_engine_swaps_total"] == 0


def test_gauges_show_the_current_values():
    read = figures(Metrics().text(Gauge("one", "One.", True), Gauge("many", "Many.", {"0": 0.25}, "shard")))
    assert read["one"] == 1
    assert read['many{shard="0"}'] == 0.25


def test_a_second_answer_that_failed_is_counted_and_the_first_is_not():
    metrics = Metrics()
    first = Answered(StoredGeneration(1, 2, 3, 4, None, 0, "words", ""), "stop")
    metrics.ended(Paired(first, Failed("a sentence", "engine_busy")))
    metrics.ended(first)
    counted = {name: count for name, count in figures(metrics.text()).items() if "failures" in name}
    assert counted == {'parley_failures_total{kind="engine_busy"}': 1}


async def test_a_conversation_is_counted(installed: tuple[Store, FakeEngine, Engine], tmp_path: Path):
    store, fake, engine = installed
    chat = Chat(store, engine, limits=Limits(slots=1, waiting=0))
    ada = await store.person("terminal", "ada")
    conversation = await store.conversation("terminal", "c", persona="assistant")

    async def ask(text: str) -> None:
        answer = chat.answer(
            Ask(
                person=ada,
                channel="c",
                platform="terminal",
                persona=persona("assistant", "en"),
                question=lambda: store.add_message(conversation, "user", text, author=ada),
            )
        )
        async for _ in answer:
            pass

    fake.answer("one ", "two")
    await ask("hello")
    fake.fail(429)
    await ask("hello")
    fake.drop("half", "", after=1)
    await ask("hello")
    await ask("word " * 4000)
    read = figures(chat.metrics.text())
    assert read['parley_questions_total{platform="terminal"}'] == 4
    assert read['parley_answers_total{finish_reason="stop"}'] == 1
    assert read['parley_answers_total{finish_reason="error"}'] == 1
    assert read['parley_failures_total{kind="engine_busy"}'] == 1
    assert read['parley_failures_total{kind="unanswerable"}'] == 1
    assert read['parley_tokens_total{kind="completion"}'] == 2
    assert read["parley_first_token_seconds_count"] == 2
    assert read["parley_release"] == 0
    assert chat.load == (0, 0)
    await store.set_consent(ada, True)
    ratings = Ratings(store, metrics=chat.metrics)
    for click in ("1", "1", "2"):  # a repeated click is one event
        await ratings.vote(ada, 1, "up" if click == "1" else "down", platform="terminal", source_id=click)
    assert figures(chat.metrics.text())['parley_ratings_total{kind="vote"}'] == 2


def test_another_release_is_a_swap():
    metrics = Metrics()
    for release in (0, 0, 3, 3, 0):
        metrics.serves(release)
    assert figures(metrics.text())["parley_engine_swaps_total"] == 2
    assert figures(metrics.text())["parley_release"] == 0
