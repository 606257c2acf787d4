"""Turns rows into a trainer's input: encoded by us, unusable ones counted by reason, a part held out.

Trainers cut a row that is too long (and so the end of the answer, or all of it), and silently drop one that has
nothing to train. Here nothing is cut, and dropped rows are counted, shown and limited.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

from alignment.rows.mixing import RowFile, mix, source_sha256, weight_of
from alignment.rows.rendering import Unrenderable
from alignment.rows.tokens import (
    EncodedAnswer,
    control_strings,
    encode,
    encode_answer,
    encode_turns,
    prompt_ids,
    surely_longer,
)
from data.errors import BadInput
from data.rows import Row, read_rows

NOTHING_TO_TRAIN = "nothing in it to train on"
SAME_ANSWERS = "chosen and rejected are the same tokens"
# The row is not at fault, so it does not count towards max_dropped.
NO_WEIGHT = "its weight is 0"
# The columns that hold answers (or, for the reward model, whole conversations with one).
_ANSWERS = ("chosen_ids", "rejected_ids", "completion_ids")
# More draws per row and epoch than this mean that the weights were meant as something else, such as percentages.
_MOST_DRAWS = 100


@dataclass(frozen=True)
class Example:
    """One encoded row: the trainer's columns, their length in tokens, and the row's line."""

    columns: dict[str, Any]
    tokens: int
    line: int
    row: Row


@dataclass
class Examples:
    """The encoded rows of one use, shortest first (less padding), and why the others were dropped.

    `rows` counts the rows; there are more examples where a row had to become one for each of its answers.
    """

    examples: list[Example] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def weights(self) -> list[float]:
        """How often each row is drawn in an epoch (see `order.Draws`), in the order of `dataset()`."""
        return [weight_of(example.row) for example in self.examples]

    @property
    def tokens(self) -> int:
        """All tokens of one pass, padding aside."""
        return sum(example.tokens for example in self.examples)

    def dataset(self) -> Any:
        """The rows as a `datasets.Dataset` in memory."""
        return Dataset.from_list([example.columns for example in self.examples])

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        found = {"rows": self.rows, "tokens": self.tokens, "dropped": dict(self.dropped)}
        return found if len(self) == self.rows else {**found, "examples": len(self)}


@dataclass(frozen=True)
class Prepared:
    """What a stage trains on and what it holds out, and the files that they came from.

    `hashes` has those of the training rows (of all parts together when there are several) and of the held-out file.
    `note` says why far fewer rows are held out than were asked for.
    """

    train: Examples
    held_out: Examples
    hashes: dict[str, str]
    files: tuple[RowFile, ...] = ()
    note: str | None = None

    @property
    def mixed(self) -> bool:
        """Whether the files need more in the manifest than one hash."""
        return len(self.files) > 1 or any(file.weight != 1 for file in self.files)

    def facts(self) -> dict[str, Any]:
        """For the manifest: never texts, only counts and hashes."""
        found = {"train": self.train.facts(), "held_out": self.held_out.facts(), "sha256": self.hashes}
        return {**found, "files": [file.facts() for file in self.files]} if self.mixed else found


# The columns of a row, or of each of its answers; a text says why the row cannot be used.
Columns = dict[str, Any] | list[dict[str, Any]] | str


def demonstration(tokenizer: Any, control: Sequence[str], row: Row) -> Columns:
    """The columns of a demonstration for TRL's `SFTTrainer` (`labels` is -100 where nothing is trained).

    Of a prompt with its completion the completion alone is trained, of `messages` every assistant turn whose weight
    is not 0. Where the template renders earlier turns differently from when they were generated, each turn has
    columns of its own.
    """
    if "completion" in row.data:
        return _answer(encode_answer(tokenizer, row.data["prompt"], row.data["completion"][0], control, row.tools))
    encoded = encode(tokenizer, row.data["messages"], control, row.tools)
    if not encoded.whole:
        turns = encode_turns(tokenizer, row.data["messages"], control, row.tools)
        return [_answer(turn) for turn in turns] or NOTHING_TO_TRAIN
    if not any(encoded.mask):
        return NOTHING_TO_TRAIN
    labels = [token if trained else -100 for token, trained in zip(encoded.ids, encoded.mask, strict=True)]
    return {"input_ids": encoded.ids, "labels": labels}


def _answer(answer: EncodedAnswer) -> dict[str, Any]:
    return {"input_ids": [*answer.prompt, *answer.answer], "labels": [-100] * len(answer.prompt) + answer.answer}


def preference(tokenizer: Any, control: Sequence[str], row: Row) -> dict[str, list[int]] | str:
    """The columns of a preference for TRL's `DPOTrainer`."""
    chosen = encode_answer(tokenizer, row.data["prompt"], row.data["chosen"][0], control, row.tools)
    rejected = encode_answer(tokenizer, row.data["prompt"], row.data["rejected"][0], control, row.tools)
    if chosen.answer == rejected.answer:
        return SAME_ANSWERS
    return {"prompt_ids": chosen.prompt, "chosen_ids": chosen.answer, "rejected_ids": rejected.answer}


def labelled(tokenizer: Any, control: Sequence[str], row: Row) -> dict[str, Any] | str:
    """The columns of a labelled completion for TRL's `KTOTrainer`."""
    encoded = encode_answer(tokenizer, row.data["prompt"], row.data["completion"][0], control, row.tools)
    return {"prompt_ids": encoded.prompt, "completion_ids": encoded.answer, "label": bool(row.data["label"])}


def prompt(tokenizer: Any, control: Sequence[str], row: Row) -> dict[str, Any] | str:
    """The columns of a prompt: the messages, which the reward reads, and their token ids."""
    messages = [{"role": message["role"], "content": message["content"]} for message in row.data["prompt"]]
    return {"prompt": messages, "prompt_ids": prompt_ids(tokenizer, row.data["prompt"], control, row.tools)}


# How a stage turns a row into its trainer's columns: called with tokenizer, control strings and row, it returns the
# columns, or why the row cannot be used.
Encoder = Callable[[Any, Sequence[str], Row], Columns]
ENCODERS: dict[str, Encoder] = {
    "demonstration": demonstration,
    "preference": preference,
    "labelled": labelled,
    "prompt": prompt,
}


def prepare(
    kind: str,
    tokenizer: Any,
    dataset_name: str | Sequence[str],
    eval_dataset_name: str | None = None,
    *,
    encoder: Encoder | None = None,
    eval_fraction: float = 0.1,
    max_length: int | None = None,
    max_dropped: float = 0.1,
    allow_download: bool = False,
) -> Prepared:
    """Read, split and encode the rows of a stage, by `encoder` or the usual one of their kind.

    `dataset_name` names one file or several, each as `PATH` or `PATH=WEIGHT`; a data set may stand for a file (see
    `data.reading`), and is fetched with `allow_download`. Raises `BadInput` for a bad row, when
    nothing is left, and when more than `max_dropped` of the rows cannot be used.
    """
    names = [dataset_name] if isinstance(dataset_name, str) else list(dataset_name)
    rows, files = mix(kind, names, allow_download=allow_download)
    digests = [file.sha256 for file in files]
    hashes = {"train": digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()}
    if not names:  # semi-online DPO may draw all its pairs
        hashes.clear()
    if eval_dataset_name:
        held_out_rows, note = read_rows(eval_dataset_name, kind, allow_download=allow_download), None
        hashes["held_out"] = source_sha256(eval_dataset_name, held_out_rows)
    else:
        all_rows = rows
        rows, held_out_rows = split(all_rows, eval_fraction)
        note = short_of(all_rows, held_out_rows, eval_fraction)
    control = control_strings(tokenizer)
    columns_of = encoder or ENCODERS[kind]
    train, held_out = (
        encode_rows(columns_of, tokenizer, control, part, max_length) for part in (rows, held_out_rows)
    )
    place = ", ".join(str(file.path) for file in files)
    _check_dropped(train, place, max_dropped)
    _check_dropped(held_out, eval_dataset_name or place, max_dropped)
    if names and not train.examples:
        raise BadInput(f"{place}: no row is left to train on{_reasons(train.dropped)}.")
    if sum(train.weights) > _MOST_DRAWS * len(train):
        raise BadInput(
            f"{place}: the weights come to {sum(train.weights) / len(train):.3g} draws a row and epoch. A weight "
            "says how often a row is trained in an epoch: 1 once, 0.5 every other epoch, 2 twice. Divide them."
        )
    if kind == "labelled":
        _check_labels(train, place)
    return Prepared(train, held_out, hashes, tuple(files), note)


def encode_rows(
    encoder: Encoder, tokenizer: Any, control: Sequence[str], rows: Sequence[Row], max_length: int | None
) -> Examples:
    """Encode rows. One that is too long (in tokens), has no weight or trains nothing is dropped and counted."""
    found = Examples()
    for row in rows:
        if weight_of(row) <= 0:
            found.dropped[NO_WEIGHT] += 1
            continue
        too_long = f"longer than max_length ({max_length} tokens)"
        try:
            if max_length is not None and surely_longer(tokenizer, row.messages, control, row.tools, max_length):
                found.dropped[too_long] += 1
                continue
            columns = encoder(tokenizer, control, row)
        except Unrenderable as refusal:
            columns = str(refusal)
        if isinstance(columns, str):
            found.dropped[columns] += 1
            continue
        parts = columns if isinstance(columns, list) else [columns]
        if max_length is not None and max(map(longest_sequence, parts)) > max_length:
            found.dropped[too_long] += 1
            continue
        found.examples += [Example(part, _tokens(part), row.line, row) for part in parts]
        found.rows += 1
    found.examples.sort(key=lambda example: longest_sequence(example.columns))
    return found


def longest_sequence(columns: Mapping[str, Any]) -> int:
    """The length in tokens of the longest sequence that the trainer makes from an encoded row."""
    if "input_ids" in columns:
        return len(columns["input_ids"])
    return len(columns.get("prompt_ids", ())) + max(len(columns.get(name, ())) for name in _ANSWERS)


def split(rows: Sequence[Row], fraction: float) -> tuple[list[Row], list[Row]]:
    """The rows to train on, and about a share `fraction` of them, at least one, to hold out.

    Rows whose conversations open alike stay together, so that no prompt is in both parts. Openings are held out in
    the order of their hash, each only if that brings the share closer to `fraction`; so the same rows are always
    divided in the same way. (Rounds bring their own held-out rows, from permanent folds.)
    """
    if fraction <= 0:
        return list(rows), []
    openings = [_opening(row) for row in rows]
    wanted, taken, out = _wanted(rows, fraction), 0, set[str]()
    for opening, count in sorted(Counter(openings).items()):
        if count < 2 * (wanted - taken) and taken + count < len(rows):
            out.add(opening)
            taken += count
    both = list(zip(rows, openings, strict=True))
    return [row for row, opening in both if opening not in out], [row for row, opening in both if opening in out]


def short_of(rows: Sequence[Row], held_out: Sequence[Row], fraction: float) -> str | None:
    """Why `split` held out far fewer rows than `fraction` asks for, and what to do; None if it did not."""
    wanted = _wanted(rows, fraction)
    if fraction <= 0 or len(rows) < 2 or 2 * len(held_out) > wanted:
        return None
    counts = Counter(map(_opening, rows))
    share = math.ceil(100 * min(counts.values()) / len(rows)) / 100
    higher = f", or raise --eval_fraction to {share:g}" if fraction < share <= 0.5 else ""
    return (
        f"{len(held_out)} of {len(rows)} rows are held out, where --eval_fraction {fraction:g} asks for "
        f"{wanted:.0f}: rows that open alike stay together, and {max(counts.values())} of them do. Name held-out "
        f"rows with other openings by --eval_dataset_name{higher}."
    )


def _wanted(rows: Sequence[Row], fraction: float) -> float:
    return max(1.0, fraction * len(rows))


def _opening(row: Row) -> str:
    """A hash of what the person says first."""
    opening = next((message["content"] for message in row.messages if message["role"] == "user"), "")
    return hashlib.sha256(json.dumps(opening.casefold().split()).encode()).hexdigest()


def _tokens(columns: Mapping[str, Any]) -> int:
    if "input_ids" in columns:
        return len(columns["input_ids"])
    answers = [len(columns[name]) for name in _ANSWERS if name in columns]
    return max(1, len(answers)) * len(columns.get("prompt_ids", ())) + sum(answers)


def _check_labels(train: Examples, name: str) -> None:
    labels = {example.columns.get("label") for example in train.examples}
    if len(labels) == 1:
        only, other = ("up", "down") if labels.pop() else ("down", "up")
        raise BadInput(
            f"{name}: all {len(train)} rows left to train on are thumbs {only}, and KTO learns from the difference. "
            f"Add thumbs {other}" + ("" if only == "down" else ", or train these as demonstrations with SFT") + "."
        )


def _check_dropped(found: Examples, name: str, limit: float) -> None:
    dropped = sum(count for reason, count in found.dropped.items() if reason != NO_WEIGHT)
    total = dropped + found.rows
    if total and dropped / total > limit:
        raise BadInput(
            f"{name}: {dropped} of {total} rows cannot be used{_reasons(found.dropped)}. That is more than the share "
            f"of {limit:g} that max_dropped allows. Raise max_length, shorten the rows, or raise max_dropped."
        )


def _reasons(dropped: Counter[str]) -> str:
    return " (" + ", ".join(f"{reason}: {count}" for reason, count in dropped.items()) + ")" if dropped else ""
