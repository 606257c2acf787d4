"""The tables of an evaluation, for a terminal. rich is imported where it is drawn, so that `--help` is fast."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from alignment.evaluation.best_of import BestOf
from alignment.evaluation.compare import Evaluation
from alignment.evaluation.evidence import Sample
from alignment.evaluation.gate import power_of
from alignment.evaluation.likelihood import Scores, gains, share_above_zero
from alignment.evaluation.served import Served
from alignment.evaluation.suites import SuiteScores
from alignment.intervals import bootstrap
from data.gate_verdicts import Interval

if TYPE_CHECKING:
    from rich.table import Table


def table(champion: Scores, candidate: Scores, names: tuple[str, str]) -> "Table":
    """The figures of both models side by side."""
    from rich.table import Table

    lines: list[tuple[str, Callable[[Scores], float | None], str]] = [
        ("loss on demonstrations (nats a token, lower is better)", lambda s: s.loss, ".3f"),
        ("preferred answer more likely (share of pairs)", lambda s: s.accuracy, ".1%"),
        ("the same, a token (takes out length)", lambda s: s.accuracy_per_token, ".1%"),
        ("mean margin (nats a pair)", lambda s: sum(s.margins) / len(s.margins) if s.margins else None, "+.2f"),
    ]
    shown = Table("held-out rows", *names, title="Measured on rows that were never trained on")
    for title, figure, form in lines:
        cells = [figure(scores) for scores in (champion, candidate)]
        shown.add_row(title, *(f"{cell:{form}}" if cell is not None else "-" for cell in cells))
    share = share_above_zero(gains(candidate, champion))
    against = f"leans more to the preferred answer, a token, than {names[0]} (share of pairs)"
    shown.add_row(against, "", f"{share:.1%}" if share is not None else "-")
    return shown


def source_table(evaluation: Evaluation) -> "Table":
    """What each source of evidence says: a line for each."""
    from rich.table import Table

    shown = Table(
        *(
            "source",
            "agrees with people",
            "length alone",
            "win rate",
            "at equal length",
            "won / tied / lost",
            "counts",
        ),
        title="Is the candidate better? (95 % intervals; ties count half)",
    )
    for source in evaluation.sources:
        found, win = source.qualification, source.win
        length = found.length_accuracy if found else None
        shown.add_row(
            source.name,
            _share(found.accuracy) if found and found.accuracy else "-",
            f"{length:.0%}" if length is not None else "-",
            _share(win.interval) if win else "-",
            _share(win.length_controlled) if win else "-",
            f"{win.wins} / {win.ties} / {win.losses}" if win else "-",
            "decides" if source is evaluation.decisive else "yes" if source.counts else "no",
        )
    return shown


def suite_table(evaluation: Evaluation, names: tuple[str, str]) -> "Table":
    """What got worse or better: a line for each suite."""
    from rich.table import Table

    shown = Table(
        "suite",
        "items",
        *names,
        "difference (95 %)",
        "margin",
        "would see a fall of 4 margins",
        title="Suites (higher is better)",
    )
    for pair in evaluation.suites:
        old, new = bootstrap(pair.champion), bootstrap(pair.candidate)
        paired = bootstrap([b - a for a, b in zip(pair.champion, pair.candidate, strict=True)], span=(-1.0, 1.0))
        shown.add_row(
            f"{pair.title} ({pair.unit})",
            str(len(pair.champion)),
            f"{old.mean:.3f}",
            f"{new.mean:.3f}",
            f"{paired.mean:+.3f} ({paired.low:+.3f} to {paired.high:+.3f})",
            f"{pair.margin:g}",
            f"{power_of(pair):.0%}",
        )
    return shown


def served_table(found: Served) -> "Table":
    """How groups of people are served: a line for each."""
    from rich.table import Table
    from rich.text import Text

    shown = Table("group", "people", "votes", "win rate", "", title=f"Who is served badly? By {found.source}")
    for group in found.groups:
        worse = "served worse" if group.worse else "low by few people" if group.by_few else ""
        shown.add_row(Text(group.label), str(group.people), str(group.votes), _share(group.win), worse)
    return shown


def scores_table(measured: Sequence[SuiteScores], seconds: Sequence[float], name: str) -> "Table":
    """One model's suites: mean value with its interval, margin, headline figures, seconds."""
    from rich.table import Table

    shown = Table(
        "suite", "items", "mean (95 % interval)", "margin", "as people quote it", "s", title=f"Suites: {name}"
    )
    for scores, took in zip(measured, seconds, strict=True):
        interval = bootstrap(scores.values)
        headline = "\n".join(f"{what}: {figure:.3g}" for what, figure in scores.headline.items())
        figures = f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})\n{scores.unit}"
        shown.add_row(
            f"{scores.title}\n({scores.name})",
            str(len(scores.values)),
            figures,
            f"{scores.margin:g}",
            headline,
            f"{took:.0f}",
        )
        shown.add_section()
    return shown


def sample_table(samples: Sequence[Sample], names: tuple[str, str]) -> "Table":
    """Questions with the answers before and after."""
    from rich.table import Table
    from rich.text import Text

    shown = Table("question", *names, title="Held-out questions, answered as served", show_lines=True, expand=True)
    for sample in samples:
        shown.add_row(*(Text(cell) for cell in (sample.question, sample.before, sample.after)))
    return shown


def best_table(questions: Sequence[str], found: Sequence[BestOf], count: int, *, texts: bool) -> "Table":
    """What best-of-n changes: rewards and lengths on average, and with `texts` the answers themselves."""
    from rich.table import Table
    from rich.text import Text

    title = f"Best of {count} by the reward model that picked"
    shown = Table("", "one answer", f"best of {count}", title=title, show_lines=texts, expand=texts)
    figures: list[tuple[str, list[tuple[float, float]], str]] = [
        ("mean reward", [(each.rewards[0], each.rewards[each.best]) for each in found], ".3f"),
        ("mean characters", [(len(each.answers[0]), len(each.answers[each.best])) for each in found], ".0f"),
    ]
    for name, pairs, form in figures:
        one, best = (sum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1))
        shown.add_row(name, f"{one:{form}}", f"{best:{form}}")
    for question, each in zip(questions, found, strict=True) if texts else ():
        shown.add_row(*(Text(cell) for cell in (question, each.answers[0], each.answers[each.best])))
    return shown


def _share(interval: Interval) -> str:
    return f"{interval.mean:.0%} ({interval.low:.0%} to {interval.high:.0%})"
