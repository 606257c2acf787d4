"""Measures what an answer owes to the rows that a release learnt from, stage by stage."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from alignment.influence.asked import Asked
from alignment.influence.gradients import Adapted, Example, Loss, example
from alignment.influence.learnt import Key, Learnt, Owed, Stage
from alignment.influence.scores import POINTS, scores
from alignment.models import control_strings, load_tokenizer
from alignment.rows.mixing import weight_of
from alignment.rows.prepare import ENCODERS
from alignment.rows.tokens import encode_answer
from data.errors import BadInput
from data.releases import Release


def measure(console: Console, release: Release, asked: Asked, learnt: Learnt) -> Owed:
    """Compute the gradients of all rows. The scores of a row that several stages trained are added.

    A stage counts by its steps and its learning rate, and a row by how often it is drawn.
    """
    base = release.base
    tokenizer = load_tokenizer(base)
    control = control_strings(tokenizer)
    answer = encode_answer(tokenizer, asked.prompt, asked.text, control)
    found, sums = Owed(), defaultdict[Key, float](float)
    stages = [(stage, _examples(tokenizer, control, stage, found)) for stage in learnt.stages]
    stages = [(stage, made) for stage, made in stages if made]
    # The stages that are traced may be some of those that made the release, so neither end is theirs.
    served = Adapted(base, None, release.adapter, tokenizer.pad_token_id)
    found.after = served.likelihood(answer)
    served.move(0)
    found.before = served.likelihood(answer)
    del served  # its weights, before the next are loaded
    total = len(POINTS) * sum(len(made) for _, made in stages)
    with _counting(console, total) as computed:
        for stage, made in stages:
            adapted = Adapted(base, stage.start, stage.end, tokenizer.pad_token_id)
            loss = Loss(stage.loss, **stage.settings)
            by_row = scores(adapted, [each for _, each in made], loss, [answer], computed=computed)[0].tolist()
            for (key, _), score in zip(made, by_row, strict=True):
                sums[key] += stage.weight * weight_of(stage.rows[key]) * score
    found.scores = dict(sums)
    return found


def _examples(tokenizer: Any, control: tuple[str, ...], stage: Stage, found: Owed) -> list[tuple[Key, Example]]:
    made = []
    for key, row in stage.rows.items():
        try:
            columns = ENCODERS[row.kind](tokenizer, control, row)
        except BadInput:
            columns = "it cannot be encoded"
        # One row is several examples where the template renders earlier turns in another way than they were given.
        usable = [
            each
            for one in ([] if isinstance(columns, str) else columns if isinstance(columns, list) else [columns])
            if (each := example(one)).tokens <= (stage.max_length or each.tokens)
        ]
        found.skipped += not usable
        made += [(key, each) for each in usable]
    return made


@contextmanager
def _counting(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """Show how many gradients are computed: a bar on a terminal, one line elsewhere."""
    if not console.is_terminal:
        console.print(f"Computing {total} gradients ...")
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("gradients", total=total)
        yield lambda: bar.advance(task)
