"""Degenerate output: answers that are empty, go round in circles, or never come to an end."""

import re
from collections.abc import Sequence
from pathlib import Path

from alignment.evaluation.suites.files import PROMPTS, find, read_objects
from alignment.evaluation.suites.suite import Measured, Model, Question, Suite, asked, mean
from alignment.serving.engine import Completion

# One answer in twenty that newly loops or never stops is what people notice first.
MARGIN = 0.05
# The prompts ask for short answers: a model that runs past this many tokens does not know how to stop.
MAX_TOKENS = 256

# A loop: the same piece again and again without a break, at least this often and over this many characters.
_TIMES, _SPAN, _PERIOD = 4, 40, 120
# Rules, rows of dots and table edges are pieces without a letter or digit; they may be longer.
_SPAN_OF_SIGNS = 160
# Repetition with small changes: at most this share of the runs of four words is new.
_RUN, _WORDS, _NEW = 4, 40, 0.5
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
# Item numbers are ignored: they differ even in a list that repeats itself.
_NUMBER = re.compile(r"^\s*\d+\s*[.):、]", re.MULTILINE)


def loops(text: str) -> bool:
    """Whether a text repeats a piece of up to 120 characters without a break, or mostly says what it said before."""
    return _repeats_a_piece(text) or _says_it_again(text)


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


def _repeats_a_piece(text: str) -> bool:
    text = re.sub(r"\s+", " ", text).strip() + " "  # what separates the pieces belongs to the last one too
    for period in range(1, min(_PERIOD, len(text) // _TIMES) + 1):
        run = 0  # how many characters in a row equal the one a period before
        for index in range(period, len(text)):
            run = run + 1 if text[index] == text[index - period] else 0
            if run + period >= max(_SPAN, _TIMES * period):
                piece = text[index - period + 1 : index + 1]
                if any(sign.isalnum() for sign in piece) or run + period >= _SPAN_OF_SIGNS:
                    return True
    return False


def _says_it_again(text: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(_NUMBER.sub("", text))]
    if len(words) < _WORDS:
        return False
    runs = [tuple(words[start : start + _RUN]) for start in range(len(words) - _RUN + 1)]
    return len(set(runs)) < _NEW * len(runs)
