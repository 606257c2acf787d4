"""Thumbs for the reward model: labelled completions beside the pairs.

A thumb compares an answer with the border between what people like and what they do not, and that border is the score
0: the loss is -log sigmoid(score) for a thumb up and -log sigmoid(-score) for a thumb down. No threshold has to be
learnt, because pairs say nothing about the point from which scores count. So a thumb is a pair with one side missing,
and a missing side scores 0.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alignment.rows.prepare import Examples, encode_rows, longest_sequence
from alignment.rows.tokens import control_strings, encode_answer
from alignment.training.stage import Stage, note_same
from data.home import rows_sha256
from data.rows import Row, read_rows


def thumb(tokenizer: Any, control: Sequence[str], row: Row) -> dict[str, Any] | str:
    """The columns of a labelled completion: those of a preference, with one side empty."""
    encoded = encode_answer(tokenizer, row.data["prompt"], row.data["completion"][0], control, row.tools)
    sides = (encoded.answer, []) if row.data["label"] else ([], encoded.answer)
    return {"prompt_ids": encoded.prompt, "chosen_ids": sides[0], "rejected_ids": sides[1], "margin": 0.0}


def with_thumbs(stage: Stage) -> Stage:
    """The stage with the rows of `--thumbs_name` among those that it trains on.

    Rows that are too long or have no weight are counted and left out. Raises `BadInput` for a bad row, and if a
    resumed run began with other rows.
    """
    name, settings = stage.recipe.training.thumbs_name, stage.recipe.training
    if not name:
        return stage
    rows = read_rows(Path(name), "labelled")
    note_same(stage, "thumbs_sha256", rows_sha256(Path(name)), f"{name} is not the file of labelled completions")
    control = control_strings(stage.tokenizer)
    kept = encode_rows(thumb, stage.tokenizer, control, rows, settings.max_length)
    stage.run.note(thumbs=kept.facts())
    counts = Counter(bool(example.row.data["label"]) for example in kept.examples)
    reasons = "".join(f" Left out: {count} ({reason})." for reason, count in kept.dropped.items())
    stage.console.print(f"{name}: {counts[True]} thumbs up and {counts[False]} down are learnt too.{reasons}")
    train = stage.rows.train
    both = sorted([*train.examples, *kept.examples], key=lambda example: longest_sequence(example.columns))
    joined = Examples(both, train.dropped, train.rows + kept.rows)
    return replace(stage, rows=replace(stage.rows, train=joined))
