"""The evaluation of a round's candidate: what is measured, and what the round's manifest records."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from alignment.evaluation.compare import CACHE, EvaluationRows, Options
from alignment.evaluation.llm_judge import judge_settings
from alignment.evaluation.stored_rows import standing
from alignment.evaluation.subjects import Subject, merged_sha256
from alignment.evaluation.suites import held_out
from alignment.evaluation.suites.canaries import Canary
from alignment.evaluation.verdict import Summary, check_suites, evaluate, say, summary
from alignment.models import adapter_sha256
from alignment.rounds.manifest import RoundFolder
from alignment.rounds.plan import Plan
from alignment.rounds.quick import MEASURED_ON, may_have_trained, shipped
from alignment.rounds.snapshot import Snapshot, digest
from alignment.serving.engine import sampling
from alignment.serving.server import Server
from data.home import file_sha256, home, write_atomic
from data.releases import BASE_RELEASE
from data.rows import Row
from data.taught import claim

_FEW = 16
_LEAST = 8  # with fewer held-out answers, they are not asked


def evaluate_candidate(
    console: Console,
    plan: Plan,
    champion: Subject,
    candidate: Subject,
    snapshot: Snapshot,
    judge_model: Path | None,
    folder: RoundFolder,
    server: Server,
    *,
    canaries: Sequence[Canary],
    name: str,
) -> Summary:
    """Evaluate the candidate and ask the gate; returns the summary for the manifest, verdict included.

    Results for the same models and rows from before an interruption are reused. In a quick round nobody judges: the
    suites show whether something broke, and held-out answers are one of them.
    """
    judge = None if plan.quick else judge_settings()
    suites = check_suites(plan.suites, canaries)
    demonstrations, cannot_tell = snapshot.gate("demonstration"), ""
    if plan.quick:
        trained = may_have_trained(snapshot, home(), champion.release or BASE_RELEASE)
        demonstrations, left_out = held_out_answers(demonstrations, trained)
        if len(demonstrations) < _LEAST:
            cannot_tell = _cannot_tell(len(demonstrations))
            demonstrations = demonstrations[:0]
        else:
            suites.append(replace(held_out.suite(demonstrations), notes=_left_out(left_out)))
        rows, asked = EvaluationRows(), demonstrations[:0]
    else:
        # Without a judge, answers would only be looked at.
        asked = snapshot.gate("prompt")[: plan.eval_prompts if judge or judge_model else plan.questions]
        rows = EvaluationRows(
            prompts=asked,
            preferences=snapshot.gate("preference"),
            demonstrations=demonstrations,
            judge_pairs=snapshot.judge_pairs(),
            judge_model=judge_model,
            raters=snapshot.collected.people("gate"),
            standing=standing(snapshot.collected.panel),
        )
    assert candidate.adapter is not None
    inputs = {
        "server": server.name,
        "champion": champion.name,
        "champion_gguf": file_sha256(champion.gguf) if champion.gguf else None,
        "champion_merged": merged_sha256(champion),
        "candidate": adapter_sha256(candidate.adapter),
        "candidate_gguf": file_sha256(candidate.gguf) if candidate.gguf else None,
        "candidate_merged": merged_sha256(candidate),
        "judge_model": _folder_sha256(judge_model),
        "llm_judge": judge.model if judge else None,
        "rows": {
            "preference": digest(rows.preferences),
            "demonstration": digest(demonstrations),
            "prompts": digest(asked),
            "judge": digest(rows.judge_pairs),
        },
        "sampling": sampling(),
        "suites": plan.suites,
        "canaries": [canary.id for canary in canaries],
        "name": name,
    }
    before = folder.manifest.evaluation
    if before is not None and before.inputs == inputs:
        console.print("The candidate was evaluated before the round was interrupted.")
        return before
    options = Options(
        suites=suites,
        llm_judge=judge,
        cache=home() / CACHE,
        questions=plan.questions,
        server=server,
    )
    found = evaluate(champion, candidate, rows, options, console, name=name)
    write_atomic(folder.path / "evaluation.json", json.dumps(found.figures()) + "\n")
    kept = replace(summary(found), inputs=inputs)
    if cannot_tell:
        say(console, [cannot_tell])
        kept = replace(kept, verdict=replace(kept.verdict, reasons=(*kept.verdict.reasons, cannot_tell)))
    folder.note(evaluation=kept)
    return kept


def held_out_answers(rows: Sequence[Row], trained: Callable[[Row], bool]) -> tuple[Sequence[Row], int]:
    """What a quick round is measured on: the gate's demonstrations; with fewer than `_FEW`, shipped ones as well.

    Shipped ones that may have trained one of the two models are left out. The number says how many were.
    """
    if len(rows) >= _FEW:
        return rows, 0
    there = {claim(row, system=False) for row in rows}
    others = [row for row in shipped(0, MEASURED_ON) if claim(row, system=False) not in there]
    fine = [row for row in others if not trained(row)]
    return [*rows, *fine], len(others) - len(fine)


def _left_out(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (
        f"Of the shipped held-out answers, {count} are left out: this home has imported them and may have trained on "
        "them.",
    )


def _cannot_tell(count: int) -> str:
    return (
        f"Held-out answers cannot tell whether anything was lost: there are {count}, and it takes {_LEAST}. The "
        "shipped ones were imported here and may have trained the models. A whole round measures other suites, too."
    )


def _folder_sha256(folder: Path | None) -> str | None:
    if folder is None:
        return None
    hashes = "".join(file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file())
    return hashlib.sha256(hashes.encode()).hexdigest()
