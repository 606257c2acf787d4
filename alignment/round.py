"""`python -m alignment.round`: one round, from the feedback to a release.

A snapshot of what may be used, SFT if there are demonstrations, DPO if there are preferences, the artefact that will
serve, the evaluation, the gate's decision, all in one manifest. A round that was interrupted goes on where it was.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.bases import BUNDLED, is_alias
from data.errors import BadInput, NothingToDo, ParleyError, nearest, run
from data.home import file_sha256, home

if TYPE_CHECKING:
    from alignment.evaluate import Subject
    from alignment.ledger import Ledger
    from data.datasets import Collected
    from data.rows import Row

RECIPES = Path(__file__).with_name("recipes")
# Rows that measure while a stage trains. They belong to the judges' folds, which train no model that answers.
_WATCH_FOLDS = ("judge_train", "judge")
_WATCHED = 12
_LOSS_ROWS = 24
_STAGE_ROWS = {"sft": "demonstration", "dpo": "preference"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks of a round."""

    base: str
    limits: dict[str, int | None]
    recipes: dict[str, Path]
    questions: int
    keep_rows: bool


def main() -> int:
    """Read the command line and run the round; 0 when the candidate became the champion, 1 when it did not."""
    parser = argparse.ArgumentParser(
        prog="python -m alignment.round",
        description="Train on the feedback, compare with the champion, and promote what is better.",
    )
    parser.add_argument("--base", default="smollm2-135m", help="the base model (default: %(default)s)")
    parser.add_argument("--max_demonstrations", type=int, metavar="N", help="train on a fixed part of N of them")
    parser.add_argument("--max_preferences", type=int, metavar="N", help="the same for preferences")
    parser.add_argument("--sft_config", type=Path, default=RECIPES / "sft.yaml", metavar="RECIPE", help="of SFT")
    parser.add_argument("--dpo_config", type=Path, default=RECIPES / "dpo.yaml", metavar="RECIPE", help="of DPO")
    parser.add_argument(
        "--questions", type=int, metavar="N", help="held-out questions to show (default: 5 on a terminal, else none)"
    )
    parser.add_argument("--keep_rows", action="store_true", help="keep the rows beside the manifest after the round")
    options = parser.parse_args()
    if options.questions is None:
        options.questions = 5 if sys.stdout.isatty() else 0  # people's words are for eyes, not for a log
    for name in ("max_demonstrations", "max_preferences"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise BadInput(f"--{name} must be at least 1.")
    plan = Plan(
        base=options.base,
        limits={"demonstration": options.max_demonstrations, "preference": options.max_preferences},
        recipes={"sft": options.sft_config, "dpo": options.dpo_config},
        questions=options.questions,
        keep_rows=options.keep_rows,
    )
    if not is_alias(plan.base):
        raise BadInput(
            f"--base {plan.base}: a round serves what it trained with the embedded engine, which has a GGUF of the "
            f"bundled bases only ({', '.join(BUNDLED)}). Train other bases with `python -m alignment.sft` and "
            f"`dpo`, and serve them with vLLM or another server.{nearest(plan.base, BUNDLED)}"
        )
    if plan.questions < 0:
        raise BadInput("--questions must be at least 0.")
    for recipe in plan.recipes.values():
        if not recipe.is_file():
            raise BadInput(f"There is no recipe {recipe}.")
    from alignment.ledger import Ledger

    with Ledger.open(home() / "rounds") as ledger:
        try:
            return run_round(plan, ledger)
        except ParleyError as error:
            ledger.end("stopped", str(error))
            raise


def run_round(plan: Plan, ledger: "Ledger") -> int:
    """Run (or go on with) one round."""
    from rich.console import Console

    from alignment.evaluate import Subject
    from alignment.quiet import quiet
    from data.releases import Releases

    quiet()
    console = Console()
    releases = Releases(home())
    if ledger.decision is not None:
        console.rule(f"[bold]Round {ledger.number} was decided when it was interrupted")
        return _conclude(console, plan, ledger, "the champion", releases)
    champion = _champion(releases, plan.base)
    again = " goes on where it was interrupted" if ledger.resumed else ""
    console.rule(f"[bold]Round {ledger.number}{again}")
    ledger.note(base=plan.base, champion=champion.name)

    collected = asyncio.run(collect_snapshot(ledger.path))
    training = {kind: collected.of(kind, "train")[: plan.limits[kind]] for kind in _STAGE_ROWS.values()}
    _report_rows(console, ledger, collected, training)
    if not any(training.values()):
        raise NothingToDo("There is nothing to train on yet: no demonstrations and no preferences that may be used.")

    adapter: Path | None = None
    for stage, kind in _STAGE_ROWS.items():
        if training[kind]:
            watched = [row for fold in _WATCH_FOLDS for row in collected.of(kind, fold)][:_WATCHED]
            console.rule(f"{stage.upper()} on {len(training[kind])} {kind}s")
            adapter = _stage(stage, plan, ledger, training[kind], watched, adapter)
    assert adapter is not None

    console.rule("Export")
    candidate = Subject("candidate", plan.base, adapter, _export(console, plan.base, adapter, ledger))

    console.rule("Evaluation")
    return _decide(console, plan, ledger, champion, candidate, collected, releases)


async def collect_snapshot(folder: Path) -> "Collected":
    """The rows that may be used now, read from a copy of the database, so that the bot writes on undisturbed.

    The copy is gone afterwards; folds of new rows are stored in the living database.
    """
    from data.database import Database
    from data.datasets import collect
    from data.home import discord_permission, installation_key
    from data.store import Store

    snapshot = folder / "snapshot.db"
    _remove_snapshot(folder)  # of a round that was killed here
    store = await Store.open(home())
    try:
        await store.database.copy(snapshot)
        copy = await Database.open(snapshot)
        try:
            async with copy.read() as reading, store.database.write() as assigning:
                permission = discord_permission()
                return await collect(reading, assigning, installation_key(home()), discord_permission=permission)
        finally:
            await copy.close()
    finally:
        await store.close()
        _remove_snapshot(folder)


def _remove_snapshot(folder: Path) -> None:
    for leftover in (*folder.glob("snapshot.db*"), *folder.glob(".snapshot.db*")):
        leftover.unlink()


def _champion(releases: Any, base: str) -> "Subject":
    from alignment.evaluate import subject

    found = subject(str(releases.champion()), base, home())
    if found.base != base:
        raise BadInput(
            f"The champion, {found.name}, belongs to the base model {found.base}, this round to {base}. A release is "
            f"compared on one base only: run the round with --base {found.base}, or promote 0 first."
        )
    return found


def _report_rows(console: Any, ledger: "Ledger", collected: "Collected", training: dict[str, list["Row"]]) -> None:
    for kind, rows in training.items():
        console.print(f"{len(rows)} {kind}s to train on, {len(collected.of(kind, 'gate'))} held out for the gate.")
    for kind, reasons in collected.dropped_counts().items():
        for reason, count in reasons.items():
            console.print(f"Held back {count} {kind} rows: {reason}.")
    ledger.note(
        rows={kind: [row.id for row in rows] for kind, rows in training.items()},
        raters=sorted({rater for found in collected.rows for rater in found.raters}),
        dropped=collected.dropped_counts(),
    )


def _stage(
    stage: str, plan: Plan, ledger: "Ledger", rows: Sequence["Row"], watched: Sequence["Row"], adapter: Path | None
) -> Path:
    """Run one stage as a process of its own, so that its memory is free again; returns its adapter."""
    from alignment.models import adapter_sha256
    from data.rows import write_rows

    folder = ledger.path / stage
    train, watch = ledger.path / f"{stage}-train.jsonl", ledger.path / f"{stage}-watch.jsonl"
    write_rows(train, rows)
    write_rows(watch, watched)
    recipe = plan.recipes[stage]
    inputs = {
        "rows": file_sha256(train),
        "recipe": file_sha256(recipe),
        "start": adapter_sha256(adapter) if adapter else plan.base,
    }
    done = ledger.stages.get(stage)
    if done == inputs and (folder / "adapter").is_dir():
        print(f"{stage}: done already, with the same rows and recipe.")
        return folder / "adapter"
    if ledger.started.get(stage) != inputs:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier try on other rows: nothing to go on with
    ledger.start_stage(stage, inputs)
    command = [sys.executable, "-m", f"alignment.{stage}", "--config", str(recipe)]
    command += ["--model_name_or_path", str(adapter or plan.base), "--dataset_name", str(train)]
    command += ["--eval_dataset_name", str(watch)] if watched else []
    result = subprocess.run([*command, "--output_dir", str(folder)], check=False)
    if result.returncode != 0:
        raise ParleyError(f"The stage {stage} of round {ledger.number} stopped; what it said stands above.")
    ledger.finish_stage(stage, inputs)
    return folder / "adapter"


def _export(console: Any, base: str, adapter: Path, ledger: "Ledger") -> Path:
    from alignment.export import check_served, to_gguf

    target = ledger.path / "adapter.gguf"
    target.unlink(missing_ok=True)  # of an interrupted round: the adapter may be another now

    def check(temporary: Path) -> None:
        agreement = check_served(adapter, base, temporary)
        ledger.note(export=asdict(agreement))
        console.print(f"It computes what was trained: {agreement}.")

    return to_gguf(adapter, base, target, check=check)


def _decide(
    console: Any,
    plan: Plan,
    ledger: "Ledger",
    champion: "Subject",
    candidate: "Subject",
    collected: "Collected",
    releases: Any,
) -> int:
    from alignment.evaluate import gains, sample_table, samples, score, table
    from alignment.gate import decide

    # The gate decides by every held-out preference; the loss on demonstrations needs no more than a sample of them.
    preferences = collected.of("preference", "gate")
    demonstrations = collected.of("demonstration", "gate")[:_LOSS_ROWS]
    before = score(champion, preferences, demonstrations)
    after = score(candidate, preferences, demonstrations)
    names = (champion.name, candidate.name)
    console.print(table(before, after, names))
    if plan.questions:
        shown = samples(champion, candidate, [*demonstrations, *preferences], plan.questions)
        console.print(sample_table(shown, names))
    verdict = decide(gains(after, before))
    figures = {"champion": asdict(before), "candidate": asdict(after), "verdict": asdict(verdict)}
    ledger.note(evaluation=figures)

    console.rule("Decision")
    release = _release(plan, ledger, candidate, figures, releases)
    # Written down before anything moves: a round that is killed here goes on with this decision, and does not compare
    # the candidate with itself.
    ledger.note(decision={"release": release, "promote": verdict.promote, "reasons": list(verdict.reasons)})
    return _conclude(console, plan, ledger, champion.name, releases)


def _conclude(console: Any, plan: Plan, ledger: "Ledger", champion: str, releases: Any) -> int:
    """Do what was decided; doing it twice changes nothing."""
    decision = ledger.decision
    assert decision is not None
    release, promote = int(decision["release"]), bool(decision["promote"])
    for reason in decision["reasons"]:
        console.print(reason)
    if promote:
        releases.promote(release)
    asyncio.run(_record(release, plan.base, promoted=promote))
    if promote:
        console.print(
            f"[bold green]Release {release} is the champion now.[/] Running bots take it over by themselves."
        )
    else:
        console.print(f"Release {release} is written, and {champion} goes on serving. To overrule the gate:")
        console.print(f"  python -m alignment.promote {release}")
    if not plan.keep_rows:
        ledger.remove_rows()
    ledger.end("promoted" if promote else "refused", " ".join(decision["reasons"]))
    return 0 if promote else 1


def _release(plan: Plan, ledger: "Ledger", candidate: "Subject", figures: dict[str, Any], releases: Any) -> int:
    assert candidate.gguf is not None
    artefact = file_sha256(candidate.gguf)
    for release in releases.all():  # an interrupted round may have come this far
        made_here = release.manifest.get("round") == ledger.number
        if made_here and release.manifest.get("adapter_gguf_sha256") == artefact:
            return int(release.number)

    def build(folder: Path) -> dict[str, Any]:
        assert candidate.adapter is not None
        assert candidate.gguf is not None
        shutil.copytree(candidate.adapter, folder / "adapter")
        shutil.copyfile(candidate.gguf, folder / "adapter.gguf")
        return {
            "kind": "adapter",
            "base": plan.base,
            **_identity(plan.base),
            "stages": list(ledger.stages),
            "round": ledger.number,
            "adapter_gguf_sha256": artefact,
            "figures": figures,
        }

    return int(releases.create(build).number)


def _identity(name: str) -> dict[str, Any]:
    """What a release's manifest pins: exactly which base, tokenizer and template its adapter belongs to."""
    from alignment import models
    from data.chat import template_sha256

    base = models.locate(name)
    tokenizer = models.load_tokenizer(base)
    return {
        "base_sha256": models.base_sha256(base),
        "tokenizer_sha256": models.tokenizer_sha256(tokenizer),
        "template_sha256": template_sha256(tokenizer.chat_template),
        "control": list(models.control_strings(tokenizer)),
    }


async def _record(number: int, base: str, *, promoted: bool) -> None:
    from data.releases import Releases
    from data.store import Store

    store = await Store.open(home())
    try:
        await store.add_release(number, base, file_sha256(Releases(home()).get(number).path / "manifest.json"))
        if promoted:
            await store.promoted(number)
    finally:
        await store.close()


if __name__ == "__main__":
    run(main)
