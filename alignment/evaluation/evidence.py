"""Evidence: what a judge, people's live comparisons and people's held-out pairs show about two models.

Votes of people are clustered by person (`alignment.evaluation.people`): each has one voice, however many votes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from alignment.evaluation.gate import interval_of
from alignment.evaluation.judges import Judge, Qualification, prompt_id
from alignment.evaluation.people import NOBODY, Finding, Judged, Standing, find
from alignment.evaluation.winrate import Comparison, WinRate, win_rate
from data.errors import ParleyError
from data.releases import MINIMUM_PROMPTS, MINIMUM_VOUCHED
from data.rows import Row

# How many live comparisons people must have made, besides the gate's minimum of prompts.
MINIMUM_LIVE = 20

# A gain below this, in nats a token, is rounding.
ROUNDING = 1e-6

LIVE = "people, live"
PAIRS = "people, held-out pairs"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one source says: whether it counts, why, the candidate's win rate by it, and what the gate decides by."""

    name: str
    counts: bool
    sentence: str
    win: WinRate | None = None
    qualification: Qualification | None = None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A held-out question with the answers of both models. These are texts of people."""

    question: str
    before: str
    after: str
    row: str


def by_judge(
    judge: Judge,
    qualification: Qualification,
    prompts: Sequence[Row],
    samples: Sequence[Sample],
    say: Callable[[str], None],
) -> Evidence:
    """A judge's verdicts on the answers. A judge that does not count is not asked: people would quote it anyway."""
    name, sentence = judge.name, qualification.sentence
    if not qualification.counts:
        return Evidence(name, False, sentence, None, qualification)
    seen = [index for index, row in enumerate(prompts) if judge.may_see(row)]
    # Equal answers are a tie, without asking.
    open_ = [index for index in seen if samples[index].before != samples[index].after]
    say(f"The {name} compares the answers to {len(open_)} prompts; {len(seen) - len(open_)} have equal answers.")
    try:
        verdicts = judge.compare(
            [prompts[i].messages for i in open_],
            [samples[i].after for i in open_],
            [samples[i].before for i in open_],
        )
    except ParleyError as error:
        return Evidence(name, False, f"The {name} does not count: {error}", None, qualification)
    verdict = dict.fromkeys(seen, 0.5) | dict(zip(open_, verdicts, strict=True))
    comparisons = [
        Comparison(prompt_id(prompts[i].messages), verdict[i], len(samples[i].after), len(samples[i].before))
        for i in seen
    ]
    held = len(prompts) - len(seen)
    if held:
        sentence += f" {held} prompts were held back from it: the consent to them does not cover an outside judge."
    win, finding = _measured(comparisons)
    if win is None or win.prompts < MINIMUM_PROMPTS:
        sentence += f" But {len(comparisons)} prompts are too few to decide; it takes {MINIMUM_PROMPTS}."
        return Evidence(name, False, sentence, win, qualification, finding)
    sentence = f"{sentence} By it {_said(win, 'prompts')}.{judge.remarks()}"
    return Evidence(name, True, sentence, win, qualification, finding)


def judged_pairs(
    judge: Judge, qualification: Qualification, pairs: Sequence[Row], before: Sequence[str], after: Sequence[str]
) -> Judged | None:
    """A judge's verdicts on the answers that a trial showed, whether people voted on them or not.

    None when it does not count, may not see them, or fails. The ids of `pairs` are the prompts' names.
    """
    seen = [index for index, row in enumerate(pairs) if judge.may_see(row)]
    if not qualification.counts or qualification.accuracy is None or not seen:
        return None
    try:
        verdicts = judge.compare(
            [pairs[i].messages for i in seen], [after[i] for i in seen], [before[i] for i in seen]
        )
    except ParleyError:
        return None
    named = dict(zip((pairs[i].id for i in seen), verdicts, strict=True))
    return Judged(judge.name, named, qualification.accuracy.mean)


def by_live(live: Sequence[Comparison], standing: Standing = NOBODY, judged: Judged | None = None) -> Evidence:
    """What people said when they compared both models' answers without knowing which model gave which.

    With a judge that has earned its vote, its verdicts on the same answers, `judged`, take noise out of theirs.
    """
    win, finding = _measured(live, standing, judged)
    prompts = len({outcome.prompt for outcome in live})
    people = len({outcome.rater for outcome in live if outcome.rater})
    if win is None or len(live) < MINIMUM_LIVE:
        sentence = f"People compared answers of the two live {len(live)} times; it takes {MINIMUM_LIVE} to decide."
    elif prompts < MINIMUM_PROMPTS:
        sentence = (
            f"People's live comparisons are of fewer than {MINIMUM_PROMPTS} prompts, which is too few to decide."
        )
    elif people and people < MINIMUM_VOUCHED:
        sentence = f"The live comparisons are of {people} people only; it takes {MINIMUM_VOUCHED} to decide."
    else:
        helped = f" The {judged.name} was counted in, as far as it agrees with people." if judged else ""
        sentence = f"By people's live comparisons {_said(win, 'comparisons')}.{helped}"
        return Evidence(LIVE, True, sentence, win, finding=finding)
    return Evidence(LIVE, False, sentence, win, finding=finding)


def by_pairs(
    preferences: Sequence[Row],
    gained: Sequence[float],
    raters: Mapping[str, Sequence[str]] | None = None,
    standing: Standing = NOBODY,
) -> Evidence:
    """Each held-out pair goes to the model that leans further, per token, towards the answer that people preferred.

    `raters` names the people behind each row by its id; a row without any, which the operator imported, stands for
    itself.
    """
    comparisons = _pairs(preferences, gained)
    win, finding = _measured(comparisons, standing, votes=pair_votes(preferences, gained, raters))
    if win is None or win.prompts < MINIMUM_PROMPTS:
        sentence = (
            f"There are only {len(comparisons)} held-out preferences; it takes {MINIMUM_PROMPTS} with different "
            "prompts to decide. Collect more comparisons and corrections."
        )
        return Evidence(PAIRS, False, sentence, win, finding=finding)
    sentence = (
        f"By the held-out pairs that people compared {_said(win, 'pairs')}. This is the weakest evidence: it says to "
        "which answers a model leans, not what it answers."
    )
    return Evidence(PAIRS, True, sentence, win, finding=finding)


def pair_votes(
    preferences: Sequence[Row], gained: Sequence[float], raters: Mapping[str, Sequence[str]] | None = None
) -> list[Comparison]:
    """The held-out pairs as votes: each once for each person behind it, and once without a person if it has none."""
    return [
        replace(comparison, rater=rater)
        for row, comparison in zip(preferences, _pairs(preferences, gained), strict=True)
        for rater in (raters or {}).get(row.id) or ("",)
    ]


def _pairs(preferences: Sequence[Row], gained: Sequence[float]) -> list[Comparison]:
    return [
        # The lengths here are those of people's two answers: a model that leans to long ones gains where the
        # preferred one is the longer.
        Comparison(
            prompt_id(row.messages),
            0.5 if abs(gain) < ROUNDING else float(gain > 0),
            len(row.data["chosen"][0]["content"]),
            len(row.data["rejected"][0]["content"]),
            groups=tuple((kind, str(row.extra[kind])) for kind in ("language", "persona") if row.extra.get(kind)),
        )
        for row, gain in zip(preferences, gained, strict=True)
    ]


def _measured(
    comparisons: Sequence[Comparison],
    standing: Standing = NOBODY,
    judged: Judged | None = None,
    *,
    votes: Sequence[Comparison] | None = None,
) -> tuple[WinRate | None, Finding | None]:
    """The win rate, with one voice a person, and what the gate decides by.

    `votes` are the same comparisons once for each person behind them, where a comparison may have several.
    """
    if not comparisons:
        return None, None
    finding = find(comparisons if votes is None else votes, standing, judged)
    return replace(win_rate(comparisons), interval=interval_of(finding)), finding


def decisive(sources: Sequence[Evidence]) -> Evidence | None:
    """People's live comparisons; else the judge that agrees with people best; else held-out pairs.

    Chosen by that alone, never by what the source says of the candidate.
    """
    people = {source.name: source for source in sources if source.counts}
    judges = [source for source in sources if source.counts and source.qualification is not None]
    return people.get(LIVE) or max(judges, key=_agreement, default=None) or people.get(PAIRS)


def _agreement(source: Evidence) -> float:
    found = source.qualification.accuracy if source.qualification else None
    return found.low if found else 0.0


def _said(win: WinRate, what: str) -> str:
    count = win.wins + win.ties + win.losses
    return (
        f"the candidate wins {win.interval.mean:.1%} of {count} {what} (95 % interval {win.interval.low:.1%} to "
        f"{win.interval.high:.1%}; {win.length_controlled.mean:.1%} at equal length; {win.ties} ties)"
    )
