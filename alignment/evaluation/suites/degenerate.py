"""Degenerate output: answers that are empty, go round in circles, or never come to an end."""

from collections.abc import Sequence
from pathlib import Path

from alignment.evaluation.suites.files import PROMPTS, find, read_objects
from alignment.evaluation.suites.suite import Measured, Model, Question, Suite, asked, mean
from alignment.serving.engine import Completion
from data.loops import loops

# One answer in twenty that newly loops or never stops is what people notice first.
MARGIN = 0.05
# The prompts ask for short answers: a model that runs past this many tokens does not know how to stop.
MAX_TOKENS = 256


def problem(answer: Completion) -> str | None:
    """What is wrong with an answer: `empty`, `loop` or `never stops`; None when nothing is."""
    if not answer.text.strip():
        return "empty"
    if loops(answer.text):
        return "loop"
    return "never stops" if answer.finish_reason == "length" else None


def load(path: Path | None = None) -> Suite:
    """The suite of the product's own prompts, or of a local file of JSON lines with a `prompt`."""
    file = PROMPTS / "degenerate.jsonl" if path is None else find(path, ["*.jsonl"])
    items = tuple(
        Question(str(entry.get("id", number)), str(entry.get("language", "unknown")), entry["prompt"])
        for number, entry in enumerate(read_objects(file, {"prompt": str}), 1)
    )
    return Suite("degenerate", "Comes to an end", "share of sound answers", MARGIN, items, measure)


def measure(items: Sequence[Question], model: Model) -> Measured:
    """The headline is the share of each problem; an answer has at most one, the first of empty, loop, never stops."""
    found = [problem(answer) for answer in model.answers([asked(i.prompt) for i in items], max_tokens=MAX_TOKENS)]
    headline = {
        f"{name} (share)": mean([float(f == name) for f in found]) for name in ("empty", "loop", "never stops")
    }
    return Measured(tuple(float(trouble is None) for trouble in found), headline)
