"""Following instructions that a program can check, strictly: all instructions of a prompt, or it counts as failed.

The prompts are the product's own, or a local file in the format of IFEval (Zhou et al., 2023), multilingual versions
included.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.evaluation.suites.checkers import followed, known, plain
from alignment.evaluation.suites.files import PROMPTS, find, read_objects
from alignment.evaluation.suites.suite import Measured, Model, Suite, asked, by_language, mean
from data.errors import BadInput

# The base model follows one of our prompts in eight; a loss of one in twenty is close to half of that.
MARGIN = 0.05
# The longest answers that the prompts ask for do not fit; asking for more costs minutes on a small machine.
MAX_TOKENS = 384


@dataclass(frozen=True, slots=True)
class Instructed:
    """A prompt with the instructions in it: their ids and, for each, its arguments."""

    id: str
    language: str
    prompt: str
    instructions: tuple[str, ...]
    arguments: tuple[Mapping[str, Any], ...]


def load(path: Path | None = None) -> Suite:
    """The suite of the product's own prompts, or of a local file in IFEval's format (or a folder that holds it).

    A prompt with an instruction that cannot be checked here is left out, and `notes` says how many and which.
    """
    found = (
        PROMPTS / "instructions.jsonl" if path is None else find(path, ["en_input_data.jsonl", "*input_data*.jsonl"])
    )
    items, unknown, left_out = [], Counter[str](), 0
    for number, entry in enumerate(
        read_objects(found, {"prompt": str, "instruction_id_list": list, "kwargs": list}), 1
    ):
        item = _item(found, number, entry)
        bad = [name for name, given in zip(item.instructions, item.arguments, strict=True) if not known(name, given)]
        unknown.update(bad)
        left_out += bool(bad)
        if not bad:
            items.append(item)
    if not items:
        raise BadInput(f"{found} holds no prompt whose instructions are known; they must be IFEval's.")
    notes: tuple[str, ...] = ()
    if left_out:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
        notes = (f"instructions: {left_out} prompts are left out, their instructions cannot be checked: {listed}.",)
    return Suite("instructions", "Follows instructions", "share of prompts", MARGIN, tuple(items), measure, notes)


def measure(items: Sequence[Instructed], model: Model) -> Measured:
    """The value is 1 when an answer follows all instructions of its prompt; the headline adds single ones."""
    answers = model.answers([asked(item.prompt) for item in items], max_tokens=MAX_TOKENS)
    checks = [
        [followed(answer.text, name, given) for name, given in zip(item.instructions, item.arguments, strict=True)]
        for item, answer in zip(items, answers, strict=True)
    ]
    values = tuple(float(all(checked)) for checked in checks)
    single = [float(passed) for checked in checks for passed in checked]
    shares = by_language("prompts followed (share)", items, values)
    return Measured(values, {**shares, "instructions followed (share)": mean(single)})


def _item(path: Path, number: int, entry: dict[str, Any]) -> Instructed:
    names, arguments = entry["instruction_id_list"], entry["kwargs"]
    if not names or len(names) != len(arguments) or not all(isinstance(given, dict) for given in arguments):
        raise BadInput(f"{path}, prompt {number}: 'kwargs' must hold one object for each of 'instruction_id_list'.")
    # Some versions write every possible argument, most of them null.
    cleaned = tuple({key: value for key, value in given.items() if value is not None} for given in arguments)
    item = Instructed(
        str(entry.get("id", entry.get("key", number))),
        str(entry.get("language", "en")),
        entry["prompt"],
        tuple(str(name) for name in names),
        cleaned,
    )
    for name, given in zip(item.instructions, item.arguments, strict=True):
        try:
            if known(name, given):
                followed("probe", name, given)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(
                f"{path}, prompt {number}: the arguments of {plain(name)} are not IFEval's ({error})."
            ) from None
    return item
