"""Live tallies: how people's comparisons between the answers of two releases came out.

They choose between releases and train nothing, so they need no permission to train, on Discord neither. A rating is
only ever stored of somebody who agreed when they rated; who has said no since is left out all the same.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from data.consent import withdrawn
from data.errors import BadInput
from data.weighed_ratings import load_opinions

_OUTCOMES = {"tie": 0.5, "both_bad": 0.5}
_WHOLE = ("stop", "length")  # an answer that a person stopped, or an error, says nothing about its release


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """One person's word on one pair of answers to the same prompt.

    `value` is 1 when the candidate's answer was preferred, 0 when the champion's was, 0.5 for a tie or both bad.
    `prompt` names the prompt, the same for all comparisons of its answers. Lengths are in characters.
    """

    value: float
    prompt: str
    candidate_chars: int
    champion_chars: int
    rater: str


async def live(session: AsyncSession, champion: int, candidate: int) -> list[LiveComparison]:
    """What people said when they compared an answer of release `candidate` with one of release `champion`.

    Only what holds now: each rater's newest word on a pair, nothing taken back or made void, and nothing by raters
    who are not reliable. Raises `BadInput` when both numbers are one.
    """
    if champion == candidate:
        raise BadInput(f"Release {champion} cannot be compared with itself.")
    opinions = await load_opinions(session)
    answers = opinions.answers
    refused = await withdrawn(session)
    names: dict[str, str] = {}  # by a number: a hash would tell who knows a prompt that it was asked here
    for number, answer in answers.items():
        names.setdefault(answer.generation.rendered_sha256, f"prompt-{number}")
    found = []
    for event in opinions.events:
        if event.rating.kind != "comparison" or event.rating.rater_id in refused:
            continue
        if event.rating.id in opinions.own_words or not opinions.panel.weight(event.rater):
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
