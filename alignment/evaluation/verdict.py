"""From two models and held-out rows to the gate's verdict: for `evaluate`, for a round, for a release on trial."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.evaluation.compare import Evaluation, EvaluationRows, Options, compare
from alignment.evaluation.evidence import LIVE, PAIRS, Evidence, Sample
from alignment.evaluation.gate import Verdict, decide
from alignment.evaluation.served import Served, against, served_words
from alignment.evaluation.subjects import Subject
from alignment.evaluation.suites import SUITES, Suite, limited, load_suites
from alignment.evaluation.suites.canaries import Canary
from alignment.evaluation.tables import sample_table, served_table, source_table, suite_table, table
from alignment.evaluation.words import suite_words
from data import error_budget
from data.errors import BadInput, nearest
from data.home import home
from data.manifests import Entries

if TYPE_CHECKING:
    from rich.console import Console

# `--suites quick`, which shows whether something broke, and how many items of each: the last one alone needs answers,
# and an item of it takes as long as several of the others.
QUICK = {
    "truthfulness": 8, "sycophancy": 8, "bias_pairs": 8, "bias_occupations": 8, "forgetting": 8, "degenerate": 4,
}  # fmt: skip
# `--suites short`: what a quick round checks before its release goes on trial, and how many items of each at most.
SHORT: dict[str, int | None] = {"refusal": 24, "forgetting": None, "leakage": None, "degenerate": 16}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Two models by name, what was measured, and what the gate decided."""

    champion: str
    candidate: str
    evaluation: Evaluation
    verdict: Verdict

    def figures(self) -> dict[str, Any]:
        """All figures, single rows' included, ready for JSON; they hold no texts."""
        names = {"champion": self.champion, "candidate": self.candidate}
        return {**names, **asdict(self.evaluation), "verdict": asdict(self.verdict)}


@dataclass(frozen=True, slots=True)
class SuiteMeans:
    """A suite's means for both models."""

    name: str
    title: str
    unit: str
    margin: float
    items: int
    champion: float
    candidate: float


@dataclass(frozen=True, slots=True)
class ScoreMeans:
    """What one model shows on the held-out rows, on average; see `likelihood.Scores`."""

    pairs: int
    accuracy: float | None
    accuracy_per_token: float | None
    loss: float | None
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Summary(Entries):
    """What a manifest holds of an evaluation: figures and intervals, without the values of single rows.

    `decisive` names one of the sources. `scores` has a `champion` and a `candidate`. The verdict's reasons repeat
    what the sources said, for people who read them without the tables. `inputs` is what was measured, by hashes.
    `served` has people's win rates by group, which name nobody; rounds from before it have none.
    """

    inputs: dict[str, Any] | None = None
    sources: tuple[Evidence, ...]
    decisive: str | None = None
    suites: tuple[SuiteMeans, ...]
    headlines: dict[str, tuple[dict[str, float], dict[str, float]]] = field(default_factory=dict)
    scores: dict[str, ScoreMeans]
    served: Served | None = None
    prompts: int
    notes: tuple[str, ...] = ()
    lengths: tuple[float, float] | None = None
    verdict: Verdict


def check_suites(
    names: str, canaries: Sequence[Canary] | None = None, paths: Mapping[str, Path] | None = None
) -> list[Suite]:
    """The suites that `--suites` means: quick, short, all, none, or names between commas. Raises `BadInput`.

    `canaries` are those that were planted, `paths` local copies of suites' public data (see `load_suites`).
    """
    if names == "none":
        if paths:
            raise BadInput("--suite_path names a file for a suite, but --suites none runs none.")
        return []
    if names == "quick":
        return [limited(suite, QUICK[suite.name]) for suite in load_suites(tuple(QUICK), paths)]
    if names == "short":
        suites = load_suites(tuple(SHORT), paths, canaries=canaries)
        return [limited(suite, SHORT[suite.name] or len(suite.items)) for suite in suites]
    wanted = None if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    if wanted == []:
        raise BadInput("--suites: expected quick, short, all, none, or suites' names between commas.")
    if wanted and names not in SUITES and (near := nearest(names, ("quick", "short", "all", "none"))):
        raise BadInput(f"--suites {names}: expected quick, short, all, none, or suites' names between commas.{near}")
    return load_suites(wanted, paths, canaries=canaries)


def evaluate(
    champion: Subject,
    candidate: Subject,
    rows: EvaluationRows,
    options: Options,
    console: "Console",
    *,
    name: str = "",
) -> Evaluated:
    """Compare two models, print what was measured, and ask the gate.

    `name` is the candidate's in the error budget (`data.error_budget`): asking about it spends its share. Without one
    nothing is spent, and the gate says what it would say of the next candidate. Raises as `compare` does.
    """
    samples: list[Sample] = []
    found = compare(
        champion,
        candidate,
        rows,
        # People's texts must not land in a log: without a terminal, no answer is made only to be shown.
        options if console.is_terminal else replace(options, questions=0),
        lambda sentence: console.print(sentence, style="dim", markup=False, highlight=False),
        look=samples.extend,
        console=console,
    )
    _show(console, found, (champion.name, candidate.name))
    if options.questions and console.is_terminal:
        console.print(sample_table(samples[: options.questions], (champion.name, candidate.name)))
    elif options.questions:
        console.print("The questions are not shown: this is not a terminal, and they are texts of people.")
    source = found.decisive
    spends = bool(name and source and source.finding)
    verdict = decide(
        source.finding if source else None,
        source.name if source else "nobody",
        found.suites,
        stake=error_budget.stake(home(), name) if spends else error_budget.would_be(home()),
        live=source is not None and source.name == LIVE,
        also=against(found.served),
    )
    say(console, suite_words(verdict.suites, _means(found), found.headlines))
    if spends and verdict.promote:
        error_budget.won(home(), name)
    return Evaluated(champion.name, candidate.name, found, verdict)


def say(console: "Console", sentences: Sequence[str]) -> None:
    """Print sentences as they are, a line each."""
    for sentence in sentences:
        console.print(sentence, markup=False, highlight=False)


def _show(console: "Console", found: Evaluation, names: tuple[str, str]) -> None:
    console.print(table(*found.scores, names))
    console.print(source_table(found))
    say(console, [source.sentence for source in found.sources])
    if found.suites:
        console.print(suite_table(found, names))
    if found.served:
        if found.served.groups:
            console.print(served_table(found.served))
        say(console, served_words(found.served))
    say(console, found.notes)


def _means(found: Evaluation) -> dict[str, tuple[int, float]]:
    """The items of each suite and the candidate's mean."""
    values = {pair.name: pair.candidate for pair in found.suites}
    return {name: (len(each), sum(each) / max(1, len(each))) for name, each in values.items()}


def reasons(found: Evaluated) -> tuple[str, ...]:
    """The gate's reasons with the worth of its evidence: every source if none decides, people's if people decide."""
    own, source = found.verdict.reasons, found.evaluation.decisive
    if source is None or source.win is None:
        sentences = " ".join(each.sentence for each in found.evaluation.sources)
        return (f"{own[0]} {sentences}".strip(), *own[1:])
    return (*own, source.sentence) if source.name in (LIVE, PAIRS) else own


def summary(found: Evaluated) -> Summary:
    """What a manifest holds of an evaluation."""
    measured = found.evaluation
    return Summary(
        sources=measured.sources,
        decisive=measured.decisive.name if measured.decisive else None,
        suites=tuple(
            SuiteMeans(
                pair.name,
                pair.title,
                pair.unit,
                pair.margin,
                len(pair.champion),
                sum(pair.champion) / max(1, len(pair.champion)),
                sum(pair.candidate) / max(1, len(pair.candidate)),
            )
            for pair in measured.suites
        ),
        headlines=measured.headlines,
        scores={
            name: ScoreMeans(
                len(scores.margins), scores.accuracy, scores.accuracy_per_token, scores.loss, scores.tokens
            )
            for name, scores in zip(("champion", "candidate"), measured.scores, strict=True)
        },
        served=measured.served,
        prompts=measured.prompts,
        notes=measured.notes,
        lengths=measured.lengths,
        verdict=replace(found.verdict, reasons=reasons(found)),
    )
