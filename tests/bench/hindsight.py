"""How often is the answer after a complaint rightly preferred? The rules of `data.hindsight`, by hand labels.

    python -m tests.bench.hindsight [--aside] [--open-assistant FOLDER] [--wrong]

`hindsight.jsonl` holds our own talks: a question, its answer, a complaint, the answer after it, and whether that
would be a better answer to the question. One author wrote them just before the rules. Half of the new answers do what
small models do wrong: they apologise, name the complaint, answer what it adds, or change nothing. The rules were
mended with one half in view; the other, chosen by a hash, is set aside. `FOLDER` holds `open-assistant-100`: real
complaints, and answers that other people wrote. Which of those pairs are right was decided by hand after the rules
had chosen them.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import BadInput, run
from data.hindsight import CHECKED, mended
from tests.bench.followups import LABELS, TREES

TALKS = Path(__file__).with_suffix(".jsonl")
# Of the pairs that the rules choose in `open-assistant-100`, the right ones: the first eight characters of the ids of
# the new answers.
RIGHT = frozenset({"12aa44ef"})


class Talk(NamedTuple):
    """A question, its answer, what was said about that, the answer after it, and whether that is better."""

    language: str
    question: str
    answer: str
    said: str
    newer: str
    better: bool

    @property
    def aside(self) -> bool:
        """Whether it is set aside: not in the half that the rules were written with."""
        return bool(sha256(f"{self.question}\n{self.said}\n{self.newer}".encode()).digest()[0] % 2)

    @property
    def share(self) -> float:
        """What the rules say."""
        return mended(self.question, self.answer, self.said, self.newer)


def ours() -> list[Talk]:
    """Our own talks, both halves."""
    return [Talk(**json.loads(line)) for line in TALKS.read_text(encoding="utf-8").splitlines()]


def open_assistant(folder: Path) -> list[Talk]:
    """The complaints of `open-assistant-100`, by our labels, each with the first answer to it."""
    path = folder / TREES
    if not path.is_file():
        raise BadInput(f"There is no {path}; name the folder of open-assistant-100.")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [talk for line in lines for talk in _below(json.loads(line)["prompt"], "")]


def _below(message: dict[str, Any], question: str) -> Iterator[Talk]:
    for reply in message["replies"]:
        if LABELS.get(reply["message_id"][:8]) == "complaint" and reply["replies"]:
            newer = reply["replies"][0]
            right = newer["message_id"][:8] in RIGHT
            yield Talk("en", question, message["text"], reply["text"], newer["text"], right)
        yield from _below(reply, message["text"])


def _print(title: str, talks: Sequence[Talk], *, wrong: bool) -> None:
    pairs = [talk for talk in talks if talk.share]
    print(f"{title}: {len(talks)} complaints, {len(pairs)} pairs, {sum(talk.better for talk in pairs)} of them right")
    for name, checked in (("what was asked was found", True), ("nothing to check", False)):
        some = [talk for talk in pairs if (talk.share == CHECKED) is checked]
        print(f"  {name}: {len(some)} pairs, {sum(talk.better for talk in some)} right")
    print(f"  right ones that were missed: {sum(talk.better and not talk.share for talk in talks)}")
    for talk in talks:
        if wrong and talk.better != bool(talk.share):
            shown = " | ".join(" ".join(text.split())[:100] for text in (talk.question, talk.answer, talk.said))
            print(f"  {'missed' if talk.better else 'wrong'}: {shown} | {' '.join(talk.newer.split())[:160]}")


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hindsight", description=__doc__)
    parser.add_argument("--aside", action="store_true", help="measure the half that is set aside too")
    parser.add_argument("--open-assistant", type=Path, metavar="FOLDER")
    parser.add_argument("--wrong", action="store_true", help="list what is wrong, without the half set aside")
    options = parser.parse_args()
    talks = ours()
    _print("the half in view", [talk for talk in talks if not talk.aside], wrong=options.wrong)
    if options.aside:
        for language in ("en", "zh", "de"):
            some = [talk for talk in talks if talk.aside and talk.language == language]
            _print(f"set aside, {language}", some, wrong=False)
        _print("set aside", [talk for talk in talks if talk.aside], wrong=False)
    if options.open_assistant:
        _print("open-assistant-100", open_assistant(options.open_assistant), wrong=options.wrong)
    return 0


if __name__ == "__main__":
    run(main)
