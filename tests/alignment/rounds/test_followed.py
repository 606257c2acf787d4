"""Which lessons a round's candidate follows by itself, and where that is written."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alignment.evaluation.subjects import Subject
from alignment.rounds import followed as followed_module
from alignment.rounds.followed import LESS, followed
from data.chat import Message
from data.console import PlainConsole
from data.errors import BadInput, ParleyError
from data.lesson_prompts import with_lessons
from data.releases import Releases
from data.store import Store
from tests.alignment.played import Played
from tests.data.talk import Talk
from tests.data.taught import corrected

pytestmark = pytest.mark.played

# What the model makes of each answer of ten tokens: alone, and with its lesson, in nats for each token.
SAID = {
    "It follows.": (-0.3, -0.3 + LESS / 2),
    "It does not.": (-0.3 - 2 * LESS, -0.3),
    "Better alone.": (-0.1, -0.1 - 2 * LESS),
}
CANDIDATE = Subject("candidate", "smollm2-135m", Path("adapter"))


class Model:
    """Says how likely answers are, as `SAID` has it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[Message], str]] = []

    def logprobs(self, prompts: Sequence[Sequence[Message]], answers: Sequence[str]) -> list[tuple[float, int]]:
        self.asked += zip(prompts, answers, strict=True)
        if "Too long." in answers:
            raise BadInput("The context is too short for that.")
        return [(10 * SAID[said][len(prompt) > 2], 10) for prompt, said in zip(prompts, answers, strict=True)]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    asked = Model()

    @contextmanager
    def opened(subject: Subject, **_: Any) -> Iterator[Model]:
        assert subject.name == "candidate"
        yield asked

    monkeypatch.setattr(followed_module, "open_model", opened)
    return asked


def teach(home: Path, *answers: str) -> dict[str, int]:
    """Lessons with these answers in a home; returns their numbers by the answers."""

    async def taught() -> dict[str, int]:
        store = await Store.open(home)
        talk = await Talk.begin(store)
        ada = await talk.person()
        for number, answer in enumerate(answers):
            await corrected(talk, ada, answer, f"Question {number}?")
        found = {lesson.answer: lesson.lesson for lesson in await store.lessons.of(ada)}
        await store.close()
        return found

    return asyncio.run(taught())


def test_a_lesson_is_followed_when_it_adds_little_to_its_answers_likelihood(
    played: Played, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = teach(played.home, *SAID)
    found = followed(PlainConsole(), CANDIDATE, None)  # type: ignore[arg-type]  # no server is asked
    assert found == tuple(sorted((numbers["It follows."], numbers["Better alone."])))
    assert "Of 3 lessons, the candidate follows 2 by itself." in capsys.readouterr().out
    prompt, _ = model.asked[0]
    helped, answer = model.asked[3]
    assert helped == with_lessons(prompt, [followed_module.Asked(0, "", str(prompt[-1]["content"]), answer)])


def test_the_release_says_what_it_follows_and_without_lessons_no_model_is_asked(played: Played, model: Model) -> None:
    assert played.round() == 0
    assert (Releases(played.home).get(1).manifest.follows, model.asked) == ((), [])
    numbers = teach(played.home, "It follows.", "It does not.")
    played.found = type(played.found)(rows=played.found.rows[1:])
    played.round()
    assert Releases(played.home).get(2).manifest.follows == (numbers["It follows."],)


def test_a_candidate_that_cannot_be_asked_follows_nothing_and_the_round_goes_on(
    played: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ParleyError("vLLM is away.")

    monkeypatch.setattr(followed_module, "open_model", fails)
    teach(played.home, "It follows.")
    assert played.round() == 0
    assert Releases(played.home).get(1).manifest.follows == ()
    assert "all stay: vLLM is away." in " ".join(capsys.readouterr().out.split())


def test_a_lesson_that_cannot_be_measured_stays_and_keeps_no_other(played: Played, model: Model) -> None:
    numbers = teach(played.home, "It follows.", "Too long.", "It does not.")
    assert followed(PlainConsole(), CANDIDATE, None) == (numbers["It follows."],)  # type: ignore[arg-type]  # no server is asked
