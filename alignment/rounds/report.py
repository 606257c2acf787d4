"""The report of a round: one page of HTML with its pictures inside.

It is made from the manifest and the stages' logs, so it holds figures and names of settings, and no texts of people.
It is private to the owner like the rest of the round.
"""

import base64
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from alignment.evaluation.evidence import Evidence
from alignment.evaluation.gate import SuiteChange
from alignment.evaluation.served import MARGIN, Served, served_words
from alignment.evaluation.verdict import SuiteMeans, Summary
from alignment.evaluation.words import suite_words
from alignment.rounds.lineage import left_sentences
from alignment.rounds.manifest import RoundManifest
from alignment.training import plots
from alignment.training.run_folder import RunManifest
from data.gate_verdicts import Interval
from data.home import write_atomic
from data.manifests import plain
from data.pasted import pasted
from data.taught import in_words

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; } th, td { padding: 0.2rem 0.8rem 0.2rem 0;
text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; } img { max-width: 100%; display: block; }
.promoted { color: #17692a; } .on-trial { color: #8a5a00; }
pre { margin-left: 1rem; overflow-x: auto; } .refused { color: #9c2f16; } code { overflow-wrap: anywhere; }
"""


def write_report(
    folder: Path, manifest: RoundManifest, status: str, reasons: Sequence[str], outcome: Sequence[str]
) -> Path:
    """Write `report.html` into a round's folder; returns its path. See `page`."""
    path = folder / "report.html"
    write_atomic(path, page(folder, manifest, status, reasons, outcome))
    return path


def page(
    folder: Path, manifest: RoundManifest, status: str, reasons: Sequence[str], outcome: Sequence[str] = ()
) -> str:
    """The page of a round, from its manifest and from the stages' folders below `folder`.

    `status` is how the round ended, `reasons` say why, and `outcome` says what serves now and what can be done next;
    its indented lines are commands.
    """
    parts = [
        f"<h1>Round {manifest.number}: <span class='{_text(status.replace(' ', '-'))}'>{_text(status)}</span></h1>",
        *_decision(manifest, reasons),
        *_next(outcome),
        *(_evaluation(manifest.evaluation) if manifest.evaluation else ()),
        *_stages(folder, manifest),
        *_rows(manifest),
        *_lineage(manifest),
    ]
    title = f"Parley, round {manifest.number}"
    body = "\n".join(parts)
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _decision(manifest: RoundManifest, reasons: Sequence[str]) -> Iterable[str]:
    made = manifest.decision.release if manifest.decision else None
    if (manifest.plan or {}).get("quick"):
        yield "<p>A quick round: the newest corrections and comparisons, a short check, no promotion.</p>"
    yield f"<p>Release {_text(made)} was compared with the champion, {_text(manifest.champion)}.</p>"
    yield "<ul>" + "".join(f"<li>{_text(pasted(reason))}</li>" for reason in reasons) + "</ul>"


def _next(outcome: Sequence[str]) -> Iterable[str]:
    for line in outcome:
        shown = _text(pasted(line.strip()))
        yield f"<pre>{shown}</pre>" if line.startswith(" ") else f"<p>{shown}</p>"


def _evaluation(evaluation: Summary) -> Iterable[str]:
    yield "<h2>Is it better?</h2>"
    sources = plain(evaluation.sources)
    yield _image(plots.win_rates(sources, evaluation.decisive), "win rates by source")
    yield _table(
        ("source", "counts", "win rate (95 %)", "at equal length", "won / tied / lost", ""),
        [_source(source, evaluation.decisive) for source in evaluation.sources],
    )
    names = {
        "loss": "loss on held-out demonstrations (nats a token)",
        "accuracy": "preferred answer more likely (share of pairs)",
        "accuracy_per_token": "the same, a token",
    }
    sides = [evaluation.scores[side] for side in ("champion", "candidate")]
    lines = [(title, *(_figure(getattr(side, name)) for side in sides)) for name, title in names.items()]
    yield _table(("held-out rows", "champion", "candidate"), lines)
    changes = evaluation.verdict.suites
    if changes:
        yield "<h2>Is anything worse?</h2>"
        yield _image(plots.suites(plain(changes)), "changes on the suites")
        means = {suite.name: suite for suite in evaluation.suites}
        yield _table(
            (
                "suite",
                "items",
                "champion",
                "candidate",
                "change (95 %)",
                "margin",
                "sees a fall of four margins in",
                "",
            ),
            [_suite(change, means[change.name]) for change in changes],
        )
        figures = {name: (suite.items, suite.candidate) for name, suite in means.items()}
        said = suite_words(changes, figures, evaluation.headlines)
        yield "".join(f"<p>{_text(pasted(sentence))}</p>" for sentence in said)
    if evaluation.served:
        yield from _served(evaluation.served)
    if evaluation.notes:
        yield "<ul>" + "".join(f"<li>{_text(note)}</li>" for note in evaluation.notes) + "</ul>"


def _served(found: Served) -> Iterable[str]:
    yield "<h2>Who is served badly?</h2>"
    names = [f"{group.label} ({group.people} people)" for group in found.groups]
    yield _image(plots.groups(plain(found.groups), names, 0.5 - MARGIN), "win rates by group of people")
    yield "".join(f"<p>{_text(pasted(sentence))}</p>" for sentence in served_words(found))


def _source(source: Evidence, decisive: str | None) -> Sequence[str]:
    win = source.win
    counts = "decides" if source.name == decisive else "yes" if source.counts else "no"
    if win is None:
        return source.name, counts, "", "", "", source.sentence
    record = f"{win.wins} / {win.ties} / {win.losses}"
    return source.name, counts, _share(win.interval), _share(win.length_controlled), record, source.sentence


def _suite(change: SuiteChange, means: SuiteMeans) -> Sequence[str]:
    found = change.change
    return (
        f"{change.title} ({change.unit})",
        str(means.items),
        _figure(means.champion),
        _figure(means.candidate),
        f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})",
        f"{change.margin:g}",
        "" if change.power is None else f"{change.power:.0%}",  # rounds from before this figure have none
        "fell beyond the margin" if change.worse else "",
    )


def _stages(folder: Path, manifest: RoundManifest) -> Iterable[str]:
    yield "<h2>How it was trained</h2>"
    for stage in manifest.stages:
        path = folder / stage / "manifest.json"
        figures = RunManifest.load(path).figures if path.is_file() else {}
        metrics = _metrics(folder / stage / "metrics.jsonl")
        yield f"<h3>{_text(stage)}</h3>"
        entries = [(name, _figure(figures[name])) for name in ("steps", "seconds", "tokens") if figures.get(name)]
        if memory := figures.get("peak_memory_bytes"):
            entries.append(("peak memory", f"{memory / 2**30:.1f} GiB"))
        for when in ("eval_before", "eval_after"):
            entries += [
                (f"{when.removeprefix('eval_')}: {name}", _figure(v)) for name, v in figures.get(when, {}).items()
            ]
        trained = manifest.training.get(stage)
        for part, kept in (trained.data if trained else {}).items():
            if isinstance(kept, dict) and "rows" in kept:
                lost = "".join(f", {count} dropped: {why}" for why, count in kept.get("dropped", {}).items())
                entries.append((f"rows, {part.replace('_', ' ')}", f"{kept['rows']}{lost}"))
        if drawn := figures.get("drawn"):
            lost = f"{drawn['equal']} had equal scores, {drawn['dropped']} no better answer that ended"
            entries.append(("drawn pairs", f"{drawn['pairs']} from {drawn['prompts']} prompts ({lost})"))
        if entries:
            yield _table(("figure", ""), entries)
        yield _image(plots.losses(metrics, f"loss of {stage}"), f"loss of {stage}")
        if stage == "ppo":
            yield _image(plots.ppo(metrics), "what PPO logged")
        yield _image(plots.drawn(metrics), f"the pairs that {stage} drew")


def _rows(manifest: RoundManifest) -> Iterable[str]:
    counts, dropped = manifest.counts, manifest.dropped
    yield "<h2>What it was trained on</h2>"
    yield _image(plots.rows(counts, dropped), "rows by fold")
    yield _table(
        ("rows", "used", "train", "judge_train", "judge", "gate"),
        [(kind, manifest.used.get(kind, 0), *folds.values()) for kind, folds in counts.items()],
    )
    if manifest.taught and manifest.taught.any:
        yield f"<p>{_text(in_words(manifest.taught, len(manifest.raters)))}</p>"
    yield "".join(f"<p>{_text(sentence)}</p>" for sentence in manifest.distance)
    lost = [(kind, reason, count) for kind, reasons in dropped.items() for reason, count in reasons.items()]
    if lost:
        yield _table(("held back", "why", "rows"), lost)


def _lineage(manifest: RoundManifest) -> Iterable[str]:
    yield "<h2>Where it comes from</h2>"
    if manifest.parents is not None:
        yield from (f"<p>{_text(sentence)}</p>" for sentence in left_sentences(manifest.parents))
    lines: list[tuple[str, str]] = [("begun", manifest.created_at)]
    facts = ("parents", "code", "versions", "data", "plan")
    lines += [(name, json.dumps(plain(getattr(manifest, name)), ensure_ascii=False)) for name in facts]
    lines += [(f"stage {stage}", json.dumps(inputs)) for stage, inputs in manifest.stages.items()]
    cells = "".join(f"<tr><td>{_text(name)}</td><td><code>{_text(value)}</code></td></tr>" for name, value in lines)
    yield f"<table>{cells}</table>"


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f"<table><tr>{top}</tr>{body}</table>"


def _image(png: bytes | None, what: str) -> str:
    if png is None:
        return ""
    return f"<img alt='{_text(what)}' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _share(interval: Interval) -> str:
    return f"{interval.mean:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _figure(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _metrics(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
