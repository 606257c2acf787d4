"""The candidate's trial in a round: the evaluation and the gate's verdict, kept in the ledger."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.evaluation.gate import decide
from alignment.rounds.snapshot import Snapshot, digest
from data.errors import BadInput
from data.home import file_sha256, home, write_atomic

if TYPE_CHECKING:
    from alignment.evaluation.compare import Evaluation
    from alignment.evaluation.subjects import Subject
    from alignment.evaluation.suites import Suite
    from alignment.evaluation.suites.canaries import Canary
    from alignment.rounds.manifest import Ledger

# `--suites quick`: what needs no answers but for one, and so many items of each. It sees that nothing broke.
QUICK = ("truthfulness", "bias_pairs", "bias_occupations", "forgetting", "degenerate")
QUICK_ITEMS = 8


def check_suites(names: str, canaries: "Sequence[Canary] | None" = None) -> list["Suite"]:
    """The suites that `--suites` means: quick, all, none, or names between commas. Raises `BadInput`.

    `canaries` are those that were planted (see `load_suites`).
    """
    from alignment.evaluation.suites import limited, load_suites

    if names == "none":
        return []
    if names == "quick":
        return [limited(suite, QUICK_ITEMS) for suite in load_suites(QUICK)]
    wanted = None if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    if wanted == []:
        raise BadInput("--suites: expected quick, all, none, or suites' names between commas.")
    return load_suites(wanted, canaries=canaries)


def trial(
    console: Any,
    champion: "Subject",
    candidate: "Subject",
    snapshot: Snapshot,
    judge_model: Path | None,
    ledger: "Ledger",
    *,
    suites: str,
    canaries: "Sequence[Canary]",
    prompts: int,
    questions: int,
    tried: int,
) -> dict[str, Any]:
    """Evaluate the candidate and ask the gate; returns what the ledger holds about it, verdict included.

    What was measured on the same models and rows before the round was interrupted is not measured again.
    """
    from alignment.evaluation.llm_judge import judge_settings
    from alignment.serving.engine import sampling

    judge = judge_settings()
    # Where nobody is there to judge them, answers would be made for nothing but to be looked at.
    asked = snapshot.gate("prompt")[: prompts if judge or judge_model else questions]
    rows = {kind: digest(snapshot.gate(kind)) for kind in ("preference", "demonstration")}
    assert candidate.gguf is not None
    inputs = {
        "champion": champion.name,
        "champion_gguf": file_sha256(champion.gguf) if champion.gguf else None,
        "candidate_gguf": file_sha256(candidate.gguf),
        "judge_model": _folder_sha256(judge_model),
        "llm_judge": judge.model if judge else None,
        "rows": {**rows, "prompts": digest(asked), "judge": digest(snapshot.judge_pairs())},
        "sampling": sampling(),
        "suites": suites,
        "canaries": len(canaries),
        "tried": tried,
    }
    if ledger.evaluation is not None and ledger.evaluation["inputs"] == inputs:
        console.print("The candidate was evaluated before the round was interrupted.")
        return ledger.evaluation
    chosen = check_suites(suites, canaries)
    found = _measure(console, champion, candidate, snapshot, asked, judge_model, judge, chosen, questions)
    verdict = _verdict(found, tried)
    raw = {"champion": champion.name, "candidate": candidate.name, **asdict(found), "verdict": asdict(verdict)}
    write_atomic(ledger.path / "evaluation.json", json.dumps(raw) + "\n")
    evaluation = {"inputs": inputs, **summary(found), "verdict": asdict(verdict)}
    ledger.note(evaluation=json.loads(json.dumps(evaluation)))
    return evaluation


def _measure(
    console: Any,
    champion: "Subject",
    candidate: "Subject",
    snapshot: Snapshot,
    asked: Sequence[Any],
    judge_model: Path | None,
    judge: Any,
    suites: "Sequence[Suite]",
    questions: int,
) -> "Evaluation":
    from alignment.evaluation.compare import CACHE, EvaluationRows, Options
    from alignment.evaluation.evidence import Sample
    from alignment.evaluation.tables import sample_table, source_table, suite_table, table

    shown: list[Sample] = []

    def say(sentence: str) -> None:
        console.print(sentence, style="dim", markup=False, highlight=False)

    rows = EvaluationRows(
        prompts=asked,
        preferences=snapshot.gate("preference"),
        demonstrations=snapshot.gate("demonstration"),
        judge_pairs=snapshot.judge_pairs(),
        judge_model=judge_model,
    )
    options = Options(
        suites=suites,
        llm_judge=judge,
        cache=home() / CACHE,
        look=shown.extend
        if questions and console.is_terminal
        else None,  # people's words are for eyes, not for a log
        questions=questions,
        console=console,
    )
    found = measure(champion, candidate, rows, options, say)
    names = (champion.name, candidate.name)
    console.print(table(*found.scores, names))
    console.print(source_table(found))
    for sentence in (*(source.sentence for source in found.sources), *found.notes):
        console.print(sentence, markup=False, highlight=False)
    if found.suites:
        console.print(suite_table(found, names))
    if shown:
        console.print(sample_table(shown[:questions], names))
    return found


def measure(*arguments: Any) -> "Evaluation":
    """`alignment.evaluation.compare.evaluate`, imported when it is needed."""
    from alignment.evaluation.compare import evaluate

    return evaluate(*arguments)


def _verdict(found: "Evaluation", tried: int) -> Any:
    source = found.decisive
    if source is None or source.win is None:
        verdict = decide(None, "nobody", found.suites, tried=tried)
        told = " ".join(each.sentence for each in found.sources)
        return replace(verdict, reasons=(f"{verdict.reasons[0]} {told}".strip(), *verdict.reasons[1:]))
    verdict = decide(source.win.interval, source.name, found.suites, prompts=source.win.prompts, tried=tried)
    if source.name.startswith("people"):  # how far such evidence goes belongs to the reasons
        return replace(verdict, reasons=(*verdict.reasons, source.sentence))
    return verdict


def summary(found: "Evaluation") -> dict[str, Any]:
    """What a manifest holds of an evaluation: figures and intervals, without the values of single rows."""
    names = ("champion", "candidate")
    return {
        "sources": [asdict(source) for source in found.sources],
        "decisive": found.decisive.name if found.decisive else None,
        "suites": [
            {
                "name": pair.name,
                "title": pair.title,
                "unit": pair.unit,
                "margin": pair.margin,
                "items": len(pair.champion),
                "champion": sum(pair.champion) / max(1, len(pair.champion)),
                "candidate": sum(pair.candidate) / max(1, len(pair.candidate)),
            }
            for pair in found.suites
        ],
        "headlines": found.headlines,
        "scores": {
            name: {
                "pairs": len(scores.margins),
                "accuracy": scores.accuracy,
                "accuracy_per_token": scores.accuracy_per_token,
                "loss": scores.loss,
                "tokens": scores.tokens,
            }
            for name, scores in zip(names, found.scores, strict=True)
        },
        "prompts": found.prompts,
        "notes": list(found.notes),
    }


def _folder_sha256(folder: Path | None) -> str | None:
    if folder is None:
        return None
    hashes = "".join(file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file())
    return hashlib.sha256(hashes.encode()).hexdigest()
