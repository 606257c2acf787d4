"""How often are the rules of `data.followups` right? Precision and recall by kind, and by how certain they are.

    python -m tests.bench.followups [--aside] [--open-assistant FOLDER] [--wrong]

Our own exchanges are in `followups.jsonl`: English and Chinese, with a few in German, French and Spanish. The rules
were written with one half in view; the other half, chosen by a hash, is set aside and measured only with `--aside`.
One author wrote both halves and then the rules, so even the half that is set aside flatters the rules. The ones that
are marked `later` were written when the rules were done, to find what they miss, and no rule was changed for them;
`--aside` measures them too. The `fresh` ones were written before the rules for a missing part ("where's the
recipe?"): complaints without a word of complaint, and talk that looks like them. `FOLDER` holds
`open-assistant-100` as its project publishes it: 380 replies that other people wrote. Our labels of those are below,
by message, without any text; they were given before the rules were written. A reply without a label only talks on.
There is no label "again" or "stop" among them.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import BadInput, run
from data.followups import CONTINUED, KINDS, signals

EXCHANGES = Path(__file__).with_suffix(".jsonl")
TREES = "model/model_eval/manual/data/en_100_tree.jsonl"
# The first eight characters of the ids of messages.
_THANKS = """
13b05b60 2a244743 372e4e3d ed00a430 d250ce38 d19e530e 04a0eb12 c8df6faa ee40bcca afd5077b b2c7d1ac b9cf5324 54bc3596
b37bf1df 9c2e2afc 3a00cb05 2d3a9e92 fb843779 35f8a1ce 23775c24 14bc7a05 26571d48 a767579b e49e7551 48a6bf50 d20317e0
9243d5c1 c75ef283 f1efec84 e3cf493d 18c88391 69c94872 de17c849 7f022cc3 252370e5 04e902a6 0da8b374
"""
_COMPLAINTS = """
dbbfebc0 ae7295ba 41f057ff 1a822051 e0f02798 35c9dcae 911299d4 7e624b35 e58e7d5d d2f3aff2 deb54eed 3bf4c51f 975ca187
c9cc856d 5b39355e 343360b5 0bdfa0ba c6f6e490 4565f8f5 66996222 1aa8e1ce 72329290 1927ec0a c9cef7d3 4ca8f03a be754302
e008e4fa 4b725642 9ef7f1cb 9043bbe0 efc97e36 137a2a1e b921920b 79eea0e3 a1c1ac37 a9a9a55b e6eecbff 25fabe8a 7f2e0e62
2600f3c3 49af7ec8 f18433ad 18dcfaf2
"""
LABELS = {**dict.fromkeys(_THANKS.split(), "thanks"), **dict.fromkeys(_COMPLAINTS.split(), "complaint")}


class Exchange(NamedTuple):
    """A question, its answer, the next message of the same person, and what that says about the answer."""

    question: str
    answer: str
    reply: str
    kind: str
    language: str = "en"
    later: bool = False
    fresh: bool = False

    @property
    def aside(self) -> bool:
        """Whether it is set aside: not in the half that the rules were written with."""
        return self.later or self.fresh or bool(sha256(f"{self.question}\n{self.reply}".encode()).digest()[0] % 2)


def ours() -> list[Exchange]:
    """Our own exchanges: both halves, those that were written later, and the fresh ones."""
    return [Exchange(**json.loads(line)) for line in EXCHANGES.read_text(encoding="utf-8").splitlines()]


def open_assistant(folder: Path) -> list[Exchange]:
    """The replies of `open-assistant-100` to answers, with our labels."""
    path = folder / TREES
    if not path.is_file():
        raise BadInput(f"There is no {path}; name the folder of open-assistant-100.")
    found: list[Exchange] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found += _replies(json.loads(line)["prompt"], "")
    return found


def _replies(message: dict[str, Any], question: str) -> Iterator[Exchange]:
    for reply in message["replies"]:
        if message["role"] == "assistant" and reply["role"] == "prompter":
            kind = LABELS.get(reply["message_id"][:8], CONTINUED)
            yield Exchange(question, message["text"], reply["text"], kind)
        yield from _replies(reply, message["text"])


class Measured(NamedTuple):
    """Of one kind: how many there are, how many are named so, and how many of those rightly."""

    there: int
    named: int
    right: int

    @property
    def precision(self) -> float:
        """The share of the named ones that are right."""
        return self.right / self.named if self.named else float("nan")

    @property
    def recall(self) -> float:
        """The share of those that are there that are named."""
        return self.right / self.there if self.there else float("nan")


def measured(exchanges: Sequence[Exchange]) -> dict[str, Measured]:
    """What the rules find in some exchanges, by kind."""
    pairs = Counter((each.kind, named(each)) for each in exchanges)
    return {
        kind: Measured(
            sum(count for (true, _), count in pairs.items() if true == kind),
            sum(count for (_, said), count in pairs.items() if said == kind),
            pairs[kind, kind],
        )
        for kind in KINDS
    }


def named(exchange: Exchange) -> str:
    """The kind that the rules give an exchange."""
    return signals(exchange.question, exchange.answer, exchange.reply)[0].kind


def _print(title: str, exchanges: Sequence[Exchange], *, wrong: bool) -> None:
    print(f"{title}: {len(exchanges)} exchanges")
    print(f"  {'kind':<10} {'there':>5} {'named':>5} {'right':>5} {'precision':>9} {'recall':>7}")
    for kind, found in measured(exchanges).items():
        if found.there or found.named:
            shares = f"{found.precision:9.1%} {found.recall:7.1%}"
            print(f"  {kind:<10} {found.there:5} {found.named:5} {found.right:5} {shares}")
    sure: dict[float, list[bool]] = {}
    for each in exchanges:
        first = signals(each.question, each.answer, each.reply)[0]
        sure.setdefault(first.certainty, []).append(first.kind == each.kind)
    for certainty, right in sorted(sure.items(), reverse=True):
        print(f"  certainty {certainty:.2f}: right in {sum(right)} of {len(right)}")
    for each in exchanges:
        if wrong and named(each) != each.kind:
            print(f"  {each.kind} named {named(each)}: {' '.join(each.reply.split())[:150]}")


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.followups", description=__doc__)
    parser.add_argument("--aside", action="store_true", help="measure the half that is set aside too")
    parser.add_argument("--open-assistant", type=Path, metavar="FOLDER")
    parser.add_argument("--wrong", action="store_true", help="list what is named wrongly, without the half set aside")
    options = parser.parse_args()
    exchanges = ours()
    _print("the half in view", [each for each in exchanges if not each.aside], wrong=options.wrong)
    if options.aside:
        aside = [each for each in exchanges if each.aside and not (each.later or each.fresh)]
        for title, languages in (("en", ("en",)), ("zh", ("zh",)), ("de, fr, es", ("de", "fr", "es"))):
            _print(f"set aside, {title}", [each for each in aside if each.language in languages], wrong=False)
        _print("set aside", aside, wrong=False)
        for language in ("en", "zh"):
            later = [each for each in exchanges if each.later and each.language == language]
            _print(f"written after the rules, {language}", later, wrong=False)
        _print("without a word of complaint", [each for each in exchanges if each.fresh], wrong=False)
    if options.open_assistant:
        _print("open-assistant-100", open_assistant(options.open_assistant), wrong=options.wrong)
    return 0


if __name__ == "__main__":
    run(main)
