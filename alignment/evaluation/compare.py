"""Compares a candidate with the champion: which evidence counts, what it shows, and what got worse.

    evaluation = compare(champion, candidate, EvaluationRows(prompts=rows), Options(suites=suites), print)
    win = evaluation.decisive.win

Where people compared enough answers of the two live, they decide, with the best judge counted in. Otherwise both
models answer held-out prompts as the bot would serve them, and judges that agree with people better than answer
length does say which answer is better; of several such judges, the one that agrees best decides. If no judge counts,
held-out pairs decide. They are the weakest evidence: they show which answers a model favours, not what it answers.

Nothing in an `Evaluation` holds texts of people. `alignment.evaluation.verdict` asks the gate about it.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from alignment import models
from alignment.evaluation import likelihood
from alignment.evaluation.evidence import (
    LIVE,
    PAIRS,
    Evidence,
    Sample,
    by_judge,
    by_live,
    by_pairs,
    decisive,
    judged_pairs,
    pair_votes,
)
from alignment.evaluation.gate import SuitePair
from alignment.evaluation.judges import Judge, Qualification, RewardJudge, qualify
from alignment.evaluation.likelihood import Scores, gains, scores
from alignment.evaluation.llm_judge import JudgeSettings, LlmJudge
from alignment.evaluation.model import Judged, open_model
from alignment.evaluation.people import NOBODY, Standing
from alignment.evaluation.served import Served, served
from alignment.evaluation.subjects import Subject, artefact_sha256
from alignment.evaluation.suites import Suite, SuiteScores, fingerprint, run_suite
from alignment.evaluation.winrate import Comparison
from alignment.rows import batching, tokens
from alignment.serving import engine
from alignment.serving.server import Server
from alignment.training.run_folder import versions
from data import chat
from data.errors import BadInput, ParleyError
from data.home import file_sha256, private_dir, write_atomic
from data.prompts import prompts_of
from data.releases import MINIMUM_PROMPTS
from data.rows import Row

if TYPE_CHECKING:
    from rich.console import Console

# Where suites' scores are kept, below the installation's folder.
CACHE = Path("evaluations") / "suites.json"


@dataclass(frozen=True, slots=True)
class EvaluationRows:
    """What a candidate is measured on. `prompts`, `preferences` and `demonstrations` belong to the gate's fold,
    `judge_pairs` to the judge's; `judge_model` is the folder of a reward model that trained on `judge_train` alone;
    `live` are people's comparisons of the two models' answers, in their order. `shown` are the pairs of answers, of
    champion and candidate, that a judge may read besides, each with a row that names its prompt as `live` does.
    `raters` names the people behind rows of `preferences` by the rows' ids, and `standing` says what is known of
    people; both stay in memory."""

    prompts: Sequence[Row] = ()
    preferences: Sequence[Row] = ()
    demonstrations: Sequence[Row] = ()
    judge_pairs: Sequence[Row] = ()
    judge_model: Path | None = None
    live: Sequence[Comparison] = ()
    shown: Sequence[tuple[Row, str, str]] = ()
    raters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    standing: Standing = NOBODY


@dataclass(frozen=True, slots=True)
class Options:
    """How to evaluate. `llm_judge` says where an LLM judge is; `cache` is the private file that keeps suites' scores;
    `max_tokens` limits an answer in place of serving's own limit. `questions` is how many questions are to be shown
    (None: all); if no judge counts, only these are answered. `server` is what serves the two models (None: the
    embedded engine)."""

    suites: Sequence[Suite] = ()
    llm_judge: JudgeSettings | None = None
    max_tokens: int | None = None
    seed: int = 0
    cache: Path | None = None
    questions: int | None = 0
    server: Server | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured. `decisive` is the evidence that the gate uses; `scores` are of champion and candidate.

    `lengths` are the mean lengths, in characters, of the champion's and the candidate's answers to the same prompts;
    None where fewer were asked than a verdict takes. `served` has people's win rates by group, by their live
    comparisons if these count, else by held-out pairs.
    """

    sources: tuple[Evidence, ...]
    decisive: Evidence | None
    suites: tuple[SuitePair, ...]
    headlines: dict[str, tuple[dict[str, float], dict[str, float]]]
    scores: tuple[Scores, Scores]
    prompts: int
    notes: tuple[str, ...] = ()
    lengths: tuple[float, float] | None = None
    served: Served | None = None


# Opens a subject; the callback is called after each answer.
Opening = Callable[..., AbstractContextManager[Judged]]


@dataclass(slots=True)
class _Measured:
    answers: list[str | None]
    scores: Scores
    suites: list[SuiteScores] = field(default_factory=list)


def compare(
    champion: Subject,
    candidate: Subject,
    rows: EvaluationRows,
    options: Options,
    say: Callable[[str], None],
    *,
    look: Callable[[Sequence[Sample]], None] | None = None,
    console: "Console | None" = None,
    opening: Opening | None = None,
) -> Evaluation:
    """Compare two models.

    `say` gets sentences about progress, without texts of people; `look` gets the questions with both answers;
    `console` shows progress. Raises `BadInput` for models of different bases and for settings that cannot be used,
    `ParleyError` when a model's figures are not finite or its engine fails. A judge that fails does not count, and
    its sentence says why.
    """
    opening = opening or partial(open_model, server=options.server)
    if champion.base != candidate.base:
        raise BadInput(
            f"{champion.name} belongs to the base model {champion.base}, {candidate.name} to {candidate.base}; their "
            "log-probabilities cannot be compared."
        )
    # Check the judges first: one that cannot be reached or does not qualify is known before hours of answers.
    judges = [(judge, _qualified(judge, rows.judge_pairs, say)) for judge in _judges(rows, options)]
    prompts = prompts_of(rows.prompts)
    if not any(qualification.counts for _, qualification in judges):
        asked = prompts[: options.questions]
        if len(asked) < len(prompts):
            say(
                f"No judge agrees with people often enough to compare answers, so {len(prompts) - len(asked)} of "
                f"{len(prompts)} questions are not asked; people's own pairs and the suites decide."
            )
        prompts = asked
    before, after = (
        _measure(subject, rows, prompts, options, say, console, opening) for subject in (champion, candidate)
    )
    kept = [i for i, pair in enumerate(zip(before.answers, after.answers, strict=True)) if None not in pair]
    notes = [note for suite in options.suites for note in suite.notes]
    if len(kept) < len(prompts):
        notes.append(f"{len(prompts) - len(kept)} prompts were left out: the engine's context does not hold them.")
    samples = [
        Sample(prompts[i].messages[-1]["content"], before.answers[i] or "", after.answers[i] or "", prompts[i].id)
        for i in kept
    ]
    if look is not None:
        look(samples)
    shown = [prompts[i] for i in kept]
    sources = [by_judge(judge, qualification, shown, samples, say) for judge, qualification in judges]
    leaning = gains(after.scores, before.scores)
    people = _by_people(rows, judges, say)
    sources += [people, by_pairs(rows.preferences, leaning, rows.raters, rows.standing)]
    votes = rows.live if people.counts else pair_votes(rows.preferences, leaning, rows.raters)
    return Evaluation(
        sources=tuple(sources),
        decisive=decisive(sources),
        suites=tuple(
            SuitePair(old.name, old.title, old.unit, old.margin, old.values, new.values)
            for old, new in zip(before.suites, after.suites, strict=True)
        ),
        headlines={
            old.name: (old.headline, new.headline) for old, new in zip(before.suites, after.suites, strict=True)
        },
        scores=(before.scores, after.scores),
        prompts=len(shown),
        notes=tuple(notes),
        lengths=_lengths(samples),
        served=served(votes, LIVE if people.counts else PAIRS, rows.standing),
    )


def _lengths(samples: Sequence[Sample]) -> tuple[float, float] | None:
    if len(samples) < MINIMUM_PROMPTS:
        return None
    return fmean(len(each.before) for each in samples), fmean(len(each.after) for each in samples)


def _by_people(
    rows: EvaluationRows, judges: Sequence[tuple[Judge, Qualification]], say: Callable[[str], None]
) -> Evidence:
    """People's live comparisons, with the judge that agrees with people best where one may read the answers."""
    best = max(judges, key=lambda each: each[1].accuracy.low if each[1].accuracy else 0.0, default=None)
    judged = None
    if best is not None and best[1].counts and rows.live and rows.shown:
        pairs, before, after = zip(*rows.shown, strict=True)
        say(f"The {best[0].name} reads the {len(pairs)} pairs of answers that people could compare.")
        judged = judged_pairs(*best, pairs, before, after)
    return by_live(rows.live, rows.standing, judged)


def _judges(rows: EvaluationRows, options: Options) -> list[Judge]:
    judges: list[Judge] = []
    if rows.judge_model is not None:
        judges.append(RewardJudge(rows.judge_model))
    if options.llm_judge is not None:
        judges.append(LlmJudge(options.llm_judge))
    return judges


def _qualified(judge: Judge, pairs: Sequence[Row], say: Callable[[str], None]) -> Qualification:
    try:
        found = qualify(judge, pairs)
    except ParleyError as error:  # a judge that fails does not count, and does not stop the others
        found = Qualification(judge.name, None, None, None, 0, False, f"The {judge.name} does not count: {error}")
    say(found.sentence)
    return found


def _measure(
    subject: Subject,
    rows: EvaluationRows,
    prompts: Sequence[Row],
    options: Options,
    say: Callable[[str], None],
    console: "Console | None",
    opening: Opening,
) -> _Measured:
    served = bool(prompts or options.suites)
    with (
        _progress(console, f"{subject.name} answers") as (aim, tick),
        opening(subject, tick, serve=served) as model,
    ):
        aim(len(prompts))
        # The same seed for both models, another for each prompt.
        seeds = [options.seed + index for index in range(len(prompts))]
        if prompts:
            say(f"{subject.name} answers {len(prompts)} prompts.")
        drawn = model.draw([row.messages for row in prompts], seeds, max_tokens=options.max_tokens) if prompts else []
        aim(None)
        if rows.preferences or rows.demonstrations:
            held = f"{len(rows.preferences)} pairs and {len(rows.demonstrations)} demonstrations"
            say(f"{subject.name} is measured on {held}.")
        found = scores(model, rows.preferences, rows.demonstrations)
        if not all(map(math.isfinite, [*found.margins, found.loss or 0.0])):
            raise ParleyError(f"The log-probabilities of {subject.name} are not finite; its training went wrong.")
        return _Measured(
            [answer.text if answer else None for answer in drawn], found, _suites(subject, model, options, say)
        )


def _suites(subject: Subject, model: Judged, options: Options, say: Callable[[str], None]) -> list[SuiteScores]:
    """Scores on all suites; those that the cache holds for this artefact are not computed again."""
    if not options.suites:
        return []
    artefact = _artefact(subject) if options.cache else ""
    where = options.server.name if options.server else ""
    kept = _read_cache(options.cache)
    found = []
    for suite in options.suites:
        key = hashlib.sha256(f"{artefact}:{where}:{fingerprint(suite)}".encode()).hexdigest()
        if options.cache and key in kept:
            say(f"{subject.name}: {suite.title} was measured before.")
            found.append(SuiteScores(**{**kept[key], "values": tuple(kept[key]["values"])}))
            continue
        say(f"{subject.name}: {suite.title}, {len(suite.items)} items.")
        found.append(run_suite(suite, model))
        if options.cache:
            private_dir(options.cache.parent)
            kept = {**_read_cache(options.cache), key: asdict(found[-1])}  # another process may have written since
            write_atomic(options.cache, json.dumps(kept) + "\n")
    return found


def _artefact(subject: Subject) -> str:
    """What decides a suite's values besides suite and server: the model, the sampling, the code, the libraries."""
    files = [Path(str(module.__file__)) for module in (batching, models, likelihood, engine, tokens, chat)]
    code = [file_sha256(path) for path in [*files, *sorted(chat.TEMPLATES.iterdir())]]
    return json.dumps([artefact_sha256(subject), engine.sampling(), versions(), code], sort_keys=True)


def _read_cache(path: Path | None) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (FileNotFoundError, ValueError):  # a damaged cache counts as empty
        return {}
    return kept if isinstance(kept, dict) else {}


@contextmanager
def _progress(
    console: "Console | None", title: str
) -> Iterator[tuple[Callable[[int | None], None], Callable[[], None]]]:
    """A bar that counts answers: a function that sets how many there will be, and one that counts one more."""
    if console is None or not console.is_terminal:
        yield (lambda _: None), (lambda: None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield (lambda total: bar.reset(task, total=total)), (lambda: bar.advance(task))
