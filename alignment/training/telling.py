"""What a stage prints before and after its training."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from alignment.models import Start
from alignment.rows.prepare import Prepared


def announce(console: Console, stage: str, source: Start, rows: Prepared, how: str) -> None:
    """Print what is about to run: `how` says what is trained, in which precision and where."""
    start = f"adapter {source.adapter} on {source.base.name}" if source.adapter else source.base.name
    console.print(f"[bold]{stage}[/bold]: {start}, {how}")
    for name, part in (("train", rows.train), ("held out", rows.held_out)):
        dropped = ", ".join(f"{count} dropped: {reason}" for reason, count in part.dropped.items())
        console.print(f"  {name}: {part.rows} rows, {part.tokens} tokens" + (f" ({dropped})" if dropped else ""))
        if len(part) > part.rows:
            console.print(
                f"  {name}: they become {len(part)} examples, one for each answer: the base's chat template renders "
                "an answer differently once another question follows.",
                soft_wrap=True,
            )
    if rows.note:
        console.print(f"  {rows.note}", soft_wrap=True)
    for file in rows.files if rows.mixed else ():
        twice = f", {file.duplicates} of them in an earlier file too" if file.duplicates else ""
        console.print(f"  {file.path}: {file.rows} rows, weight {file.weight:g}{twice}", soft_wrap=True)


def report(console: Console, stage: str, figures: dict[str, Any], result: Path) -> None:
    """Print the held-out figures before and after, then how the stage ended."""
    before, after = figures["eval_before"], figures["eval_after"]
    if after:
        table = Table("held out", "before", "after", box=None)
        for name in after:
            # A reward is how far the policy has left its reference; before the first step that means nothing.
            was = before if not name.startswith("rewards/") else {}
            table.add_row(name, *(f"{side[name]:.4f}" if name in side else "-" for side in (was, after)))
        console.print(table)
    say_end(console, stage, figures, result)


def say_end(console: Console, stage: str, figures: dict[str, Any], result: Path) -> None:
    """Print whether the held-out loss got worse, how long the stage took, and where its result is."""
    if sentence := worse(stage, figures.get("eval_before", {}), figures.get("eval_after", {})):
        console.print(sentence, soft_wrap=True)
    steps = figures["steps"]
    console.print(
        f"{stage}: {steps} step{'' if steps == 1 else 's'} in {figures['seconds']:.0f} s, "
        f"at most {figures['peak_memory_bytes'] / 2**30:.1f} GiB; the result is in {result}",
        soft_wrap=True,  # a path that is broken over two lines cannot be copied
    )


def worse(stage: str, before: dict[str, float], after: dict[str, float]) -> str | None:
    """A sentence if the held-out loss of a stage rose, else None. PPO's loss says nothing about its answers."""
    if stage == "ppo" or "loss" not in before or "loss" not in after or after["loss"] <= before["loss"]:
        return None
    return (
        f"{stage}: the loss on held-out rows got worse, from {before['loss']:.4f} to {after['loss']:.4f}. The model "
        "learnt the training rows, and not what held-out rows have in common with them. Train on more rows, or lower "
        "num_train_epochs or learning_rate."
    )
