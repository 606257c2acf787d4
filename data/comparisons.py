"""Live comparisons: which of two releases people preferred when they compared answers of both.

They choose between releases and train nothing, so they need no permission to train, not even on Discord. Ratings are
only stored from people who had agreed when they rated; people who said no since then are left out here as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import AnswerInContext
from data.chat import Message
from data.consent import outside_judge_since, withdrawn
from data.errors import BadInput
from data.raters import Panel
from data.releases import BASE_RELEASE
from data.weighed_ratings import WeighedRatings, load_weighed_ratings

_OUTCOMES = {"tie": 0.5, "both_bad": 0.5}
_WHOLE = ("stop", "length")  # an answer that a person stopped, or an error, says nothing about its release


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """One person's comparison of two answers to the same prompt.

    `value` is 1 when the candidate's answer was preferred, 0 when the champion's was, and 0.5 for a tie or both bad.
    `prompt` is a name of the prompt, the same for all comparisons of its answers. Lengths are in characters.
    """

    value: float
    prompt: str
    candidate_chars: int
    champion_chars: int
    rater: str


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two answers to one prompt that a judge on this machine may read, whether somebody compared them or not.

    `prompt` is the name that comparisons of the same prompt have. `outside_judge` says that everybody whose words are
    in it lets a judge on another machine read them.
    """

    prompt: str
    messages: list[Message]
    champion: str
    candidate: str
    outside_judge: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What is stored of two releases side by side: people's comparisons, pairs of answers, and the raters."""

    comparisons: list[LiveComparison]
    pairs: list[ShownPair]
    panel: Panel


async def live(
    session: AsyncSession, champion: int, candidate: int, *, base: str | None = None
) -> list[LiveComparison]:
    """People's comparisons of an answer of release `candidate` with one of release `champion`, in their order.

    Only current ones: each rater's newest rating of a pair, nothing that was taken back or voided, nothing by
    unreliable raters. `base` is the mark of the base that release 0 is (`data.home_base`): answers of another one do
    not count as release 0; None lets all count. Raises `BadInput` when both numbers are the same.
    """
    _check(champion, candidate)
    return await _live(session, await load_weighed_ratings(session), champion, candidate, base)


async def trial(
    session: AsyncSession, champion: int, candidate: int, *, discord_permission: str | None, base: str | None = None
) -> Trial:
    """The comparisons of two releases, and the pairs of answers that a judge may read.

    Pairs are of prompts whose people all agreed to training; those from Discord need its permission, as for training.
    `base` as in `live`. Raises `BadInput` when both numbers are the same.
    """
    _check(champion, candidate)
    ratings = await load_weighed_ratings(session)
    comparisons = await _live(session, ratings, champion, candidate, base)
    outside = await outside_judge_since(session)
    names = _names(ratings.answers)
    sides: dict[str, dict[int, AnswerInContext]] = {}
    for answer in ratings.answers.values():
        if answer.generation.release not in (champion, candidate) or answer.generation.finish_reason not in _WHOLE:
            continue
        if _of_another_base(answer, base):
            continue
        if answer.problem(ratings.since, finished=False) is not None:
            continue
        platforms = {answer.generation.platform, answer.conversation.platform}
        if "discord" in platforms and not discord_permission:
            continue
        sides.setdefault(names[answer.asked], {}).setdefault(answer.generation.release, answer)
    pairs = [
        ShownPair(
            prompt,
            found[candidate].prompt(),
            found[champion].text or "",
            found[candidate].text or "",
            outside_judge=all(answer.covered(outside) for answer in found.values()),
        )
        for prompt, found in sides.items()
        if len(found) == 2
    ]
    return Trial(comparisons, pairs, ratings.panel)


def _check(champion: int, candidate: int) -> None:
    if champion == candidate:
        raise BadInput(f"Release {champion} cannot be compared with itself.")


def _of_another_base(answer: AnswerInContext, base: str | None) -> bool:
    """Whether an answer of release 0 came from another base than release 0 is now."""
    found = answer.generation
    return base is not None and found.release == BASE_RELEASE and found.model not in (None, base)


def _names(answers: Mapping[int, AnswerInContext]) -> dict[str, str]:
    """A name for each prompt, by its hash."""
    names: dict[str, str] = {}  # numbers: a hash would tell anybody who knows a prompt that it was asked here
    for number, answer in answers.items():
        names.setdefault(answer.asked, f"prompt-{number}")
    return names


async def _live(
    session: AsyncSession, ratings: WeighedRatings, champion: int, candidate: int, base: str | None
) -> list[LiveComparison]:
    answers = ratings.answers
    refused = await withdrawn(session)
    names = _names(answers)
    found = []
    for event in ratings.events:
        if event.rating.kind != "comparison" or event.rating.rater_id in refused:
            continue
        if event.rating.id in ratings.self_votes or not ratings.panel.weight(event.rater):
            continue
        by_release = {answers[target].generation.release: answers[target] for target in event.targets}
        if set(by_release) != {champion, candidate}:
            continue
        old, new = by_release[champion], by_release[candidate]
        if old.asked != new.asked or old.text is None or new.text is None:
            continue
        if any(answer.generation.finish_reason not in _WHOLE or not answer.teaches for answer in (old, new)):
            continue
        if _of_another_base(old, base) or _of_another_base(new, base):
            continue
        prompt = names[old.asked]
        value = _OUTCOMES.get(event.rating.value or "", float(event.preferred == new.generation.id))
        found.append(LiveComparison(value, prompt, len(new.text), len(old.text), event.rater))
    return found
