"""The evaluation of a round's candidate: what is measured, and what the round's manifest records."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from alignment.evaluation.compare import CACHE, EvaluationRows, Options
from alignment.evaluation.llm_judge import judge_settings
from alignment.evaluation.stored_rows import standing
from alignment.evaluation.subjects import Subject, merged_sha256
from alignment.evaluation.suites import held_out
from alignment.evaluation.suites.canaries import Canary
from alignment.evaluation.verdict import Summary, check_suites, evaluate, summary
from alignment.models import adapter_sha256
from alignment.rounds.manifest import RoundFolder
from alignment.rounds.plan import Plan
from alignment.rounds.quick import MEASURED_ON, shipped
from alignment.rounds.snapshot import Snapshot, digest
from alignment.serving.engine import sampling
from alignment.serving.server import Server
from data.home import file_sha256, home, write_atomic
from data.rows import Row

_FEW = 16


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
    demonstrations = snapshot.gate("demonstration")
    if plan.quick:
        demonstrations = held_out_answers(demonstrations)
        suites.append(held_out.suite(demonstrations))
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
    folder.note(evaluation=kept)
    return kept


def held_out_answers(rows: Sequence[Row]) -> Sequence[Row]:
    """What a quick round is measured on: the gate's demonstrations; with fewer than `_FEW`, shipped ones as well."""
    if len(rows) >= _FEW:
        return rows
    return [*rows, *shipped(0, MEASURED_ON)]


def _folder_sha256(folder: Path | None) -> str | None:
    if folder is None:
        return None
    hashes = "".join(file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file())
    return hashlib.sha256(hashes.encode()).hexdigest()
