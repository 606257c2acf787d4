"""Live comparisons: which of two releases people preferred when they compared answers of both.

They choose between releases and train nothing, so they need no permission to train, not even on Discord. Ratings are
only stored from people who had agreed when they rated; people who said no since then are left out here as well.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from data.consent import withdrawn
from data.errors import BadInput
from data.weighed_ratings import load_weighed_ratings

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


async def live(session: AsyncSession, champion: int, candidate: int) -> list[LiveComparison]:
    """People's comparisons of an answer of release `candidate` with one of release `champion`.

    Only current ones: each rater's newest rating of a pair, nothing that was taken back or voided, nothing by
    unreliable raters. Raises `BadInput` when both numbers are the same.
    """
    if champion == candidate:
        raise BadInput(f"Release {champion} cannot be compared with itself.")
    ratings = await load_weighed_ratings(session)
    answers = ratings.answers
    refused = await withdrawn(session)
    names: dict[str, str] = {}  # numbers: a hash would tell anybody who knows a prompt that it was asked here
    for number, answer in answers.items():
        names.setdefault(answer.generation.rendered_sha256, f"prompt-{number}")
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
        if old.generation.rendered_sha256 != new.generation.rendered_sha256 or old.text is None or new.text is None:
            continue
        if any(answer.generation.finish_reason not in _WHOLE or not answer.teaches for answer in (old, new)):
            continue
        prompt = names[old.generation.rendered_sha256]
        value = _OUTCOMES.get(event.rating.value or "", float(event.preferred == new.generation.id))
        found.append(LiveComparison(value, prompt, len(new.text), len(old.text), event.rater))
    return found
