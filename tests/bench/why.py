"""Do the rows that `alignment.why` names carry an answer? They are left out, and the model is trained again.

    python -m tests.bench.why --home DIR [--each N] [--steps N]

Thirty corrections of ten questions in three wordings each, and ten of other questions, are trained on the real small
model by the loss of a quick round. The ten questions are asked in six wordings; the answers that say the corrected
fact and did not before are the changed ones. For each question a tenth of the rows is named: those that its changed
answers owe most to together. Then the model is trained again, with as many steps,

    without the rows that are named for five of the questions, and then for the other five;
    without a tenth of the rows, drawn by chance, twice;
    with `--each N`, without the tenth that is named for one question, for each of N questions.

An answer is undone when it no longer says the fact. In each of the first two trainings, the answers to five questions
have their named rows left out, and the others show what it does to leave as many rows out that are named for others.
What is trained and answered is kept in DIR, so the same command goes on after an interruption.
"""

import argparse
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.chat import Message
from data.home import bases_dir, private_dir
from data.personas import persona
from data.rows import Row, write_rows
from tests.bench.evening import FACTS
from tests.bench.lessons_asked import CORRECTED, Corrected
from tests.bench.quick import BASE, follows, stages
from tests.bench.ran_on import processor

WORDINGS = 3  # of each question that are corrected; all six are asked
SHARE = 10  # one row in ten is named
_TOKENS = 32  # of each answer


@dataclass(frozen=True, slots=True)
class Asking:
    """A wording of a corrected question."""

    case: int
    text: str
    taught: bool

    @property
    def corrected(self) -> Corrected:
        """The question."""
        return CORRECTED[self.case]


ASKED = [
    Asking(at, text, number < WORDINGS)
    for at, case in enumerate(CORRECTED)
    for number, text in enumerate((case.question, *case.paraphrases))
]


def prompt(text: str) -> list[Message]:
    """A question as the bot asks it."""
    chosen = persona("assistant", "zh" if re.search("[\u4e00-\u9fff]", text) else "en")
    return [{"role": "system", "content": chosen.system_prompt}, {"role": "user", "content": text}]


class Bench:
    """What is trained and answered, kept in a folder."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.folder, self.steps = private_dir(folder), steps
        self.seconds: dict[str, float] = {}

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, from JSON where it was made before."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            began = time.monotonic()
            path.write_text(json.dumps(make(), ensure_ascii=False), encoding="utf-8")
            self.seconds[name] = time.monotonic() - began
            print(f"{name}: {self.seconds[name]:.0f} s")
        return json.loads(path.read_text(encoding="utf-8"))

    def answers(self, texts: Sequence[str], adapter: Path | None) -> list[str]:
        """What the base with an adapter says, the likeliest word each time."""
        from alignment.evaluation.model import open_model
        from alignment.evaluation.subjects import Subject

        with open_model(Subject("candidate", BASE, adapter)) as model:
            return [each.text for each in model.answers([prompt(text) for text in texts], max_tokens=_TOKENS)]

    def rows(self) -> list[Row]:
        """All corrections of what the base says. A row's id says of which question it is one; ten are of others."""
        others = [(text, right) for right, wordings, _ in FACTS for text in wordings[:2]]
        taught = [(f"{each.case}-{each.text}", each.text, each.corrected.right) for each in ASKED if each.taught]
        taught += [(f"other-{text}", text, right) for text, right in others]
        said = dict(zip((each.text for each in ASKED), self.said("base", None), strict=True))
        texts = [text for text, _ in others]
        said |= zip(texts, self.kept("base-others", lambda: self.answers(texts, None)), strict=True)
        found = []
        for name, text, right in taught:
            parts = {"chosen": right, "rejected": said[text]}
            answers = {part: [Message(role="assistant", content=each)] for part, each in parts.items()}
            found.append(Row("preference", {"prompt": prompt(text), **answers}, {"id": name}))
        return found

    def trained(self, name: str, rows: Iterable[Row]) -> Path:
        """The adapter of a training on some rows."""
        out = self.folder / name
        made = out / "dpo" / "adapter"
        if not made.is_dir():
            private_dir(out)
            write_rows(out / "rows.jsonl", rows)
            self.kept(
                f"{name}-trained",
                lambda: str(
                    stages([("dpo", "edits", {"max_steps": self.steps})], {"preference": out / "rows.jsonl"}, out)
                ),
            )
        return made

    def said(self, name: str, adapter: Path | None) -> list[str]:
        """The answer to each asking."""
        found: list[str] = self.kept(f"{name}-answers", lambda: self.answers([each.text for each in ASKED], adapter))
        return found

    def without(
        self, name: str, rows: Sequence[Row], left_out: Collection[str], asked: Sequence[Asking]
    ) -> list[bool]:
        """For each asking, whether a training without some rows still says the fact."""
        adapter = self.trained(name, [row for row in rows if row.id not in left_out])
        texts = [each.text for each in asked]
        said = self.kept(f"{name}-answers", lambda: self.answers(texts, adapter))
        return [follows(each.corrected, text) for each, text in zip(asked, said, strict=True)]


def influence(adapter: Path, rows: Sequence[Row], asked: Sequence[Asking], said: Sequence[str]) -> list[list[float]]:
    """What each answer owes to each row."""
    from alignment.influence.gradients import Adapted, Loss, example
    from alignment.influence.scores import scores
    from alignment.models import control_strings, load_tokenizer
    from alignment.rows.prepare import preference
    from alignment.rows.tokens import encode_answer
    from alignment.training.recipe import RECIPES, load

    tokenizer = load_tokenizer(BASE)
    control, recipe = control_strings(tokenizer), load(RECIPES / "edits.yaml")
    made = [example(dict(preference(tokenizer, control, row))) for row in rows]
    answers = [encode_answer(tokenizer, prompt(a.text), text, control) for a, text in zip(asked, said, strict=True)]
    loss = Loss("dpo", recipe["beta"], recipe["demonstration_weight"], recipe["kept_weight"])
    adapted = Adapted(BASE, None, adapter, tokenizer.pad_token_id)
    found: list[list[float]] = scores(adapted, made, loss, answers).tolist()
    return found


def best(values: Sequence[float], rows: Sequence[Row], most: int) -> list[str]:
    """The ids of the rows with the largest values."""
    return [rows[at].id for at in sorted(range(len(rows)), key=lambda at: -values[at])[:most]]


def lexical(asked: Sequence[Asking], said: Sequence[str], rows: Sequence[Row]) -> list[list[float]]:
    """For comparison: how many words each answer and its question share with each row."""
    from data.lesson_search import words

    texts = [set(words(f"{row.messages[-1]['content']} {row.data['chosen'][0]['content']}")) for row in rows]
    mine = [set(words(f"{each.text} {text}")) for each, text in zip(asked, said, strict=True)]
    return [[len(one & other) / (len(one | other) or 1) for other in texts] for one in mine]


@dataclass(slots=True)
class Undone:
    """How many of the changed answers no longer say the fact, and of how many."""

    lost: int = 0
    count: int = 0

    def add(self, asked: Sequence[Asking], says: Sequence[bool], cases: Collection[int]) -> None:
        """Count the answers about these questions."""
        mine = [good for each, good in zip(asked, says, strict=True) if each.case in cases]
        self.lost, self.count = self.lost + mine.count(False), self.count + len(mine)

    def line(self, what: str) -> str:
        """As a line of the report."""
        return f"{what}: {self.lost} of {self.count} answers undone ({self.lost / max(self.count, 1):.0%})"


def measure(bench: Bench, each: int) -> None:
    """Train, name, leave out and train again; print what was found."""
    rows = bench.rows()
    most, every = max(1, len(rows) // SHARE), range(len(CORRECTED))
    before, adapter = bench.said("base", None), bench.trained("all", rows)
    after = list(zip(ASKED, before, bench.said("all", adapter), strict=True))
    changed = [(a, new) for a, old, new in after if follows(a.corrected, new) and not follows(a.corrected, old)]
    asked, said = [a for a, _ in changed], [new for _, new in changed]
    print(f"{len(rows)} rows, {len(asked)} of {len(ASKED)} answers changed; {most} rows are named for each.")
    found = bench.kept("influence", lambda: influence(adapter, rows, asked, said))
    print(_right("gradients", found, asked, rows))
    print(_right("shared words", lexical(asked, said, rows), asked, rows))
    sums = [[sum(each[at] for each in mine) for at in range(len(rows))] for mine in _by_case(asked, found)]
    named = [best(values, rows, most) for values in sums]

    own, others, chance, single = Undone(), Undone(), Undone(), Undone()
    for turn in (0, 1):
        mine = every[turn::2]
        left_out = {row for case in mine for row in named[case]}
        says = bench.without(f"half-{turn}", rows, left_out, asked)
        own.add(asked, says, mine)
        others.add(asked, says, every[1 - turn :: 2])
        print(f"Left out for five questions: {len(left_out)} of {len(rows)} rows.")
        print(own.line("Their named rows left out"))
        print(others.line("Rows left out that are named for other questions"))
        drawn = random.Random(turn).sample([row.id for row in rows], most)
        chance.add(asked, bench.without(f"random-{turn}", rows, drawn, asked), every)
        print(chance.line(f"{most} rows left out by chance"))
    for case in every[:each]:
        says = bench.without(f"case-{case}", rows, named[case], asked)
        single.add(asked, says, [case])
        print(single.line(f"The {most} rows named most for one question left out"))


def _by_case(asked: Sequence[Asking], values: Sequence[Sequence[float]]) -> list[list[Sequence[float]]]:
    """The values of the answers about each question."""
    return [[v for a, v in zip(asked, values, strict=True) if a.case == case] for case in range(len(CORRECTED))]


def _right(how: str, values: Sequence[Sequence[float]], asked: Sequence[Asking], rows: Sequence[Row]) -> str:
    """How many of the rows that are named first are corrections of the very question."""
    first = [best(each, rows, WORDINGS) for each in values]
    right = sum(row.startswith(f"{a.case}-") for a, names in zip(asked, first, strict=True) for row in names)
    return f"Of the first {WORDINGS} by {how}, {right / WORDINGS / max(len(asked), 1):.0%} are about that question."


def main() -> None:
    """Measure and print."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--home", type=Path, required=True, metavar="DIR", help="a folder for what is made")
    flags.add_argument("--each", type=int, default=0, metavar="N", help="questions whose rows are left out alone")
    flags.add_argument("--steps", type=int, default=30, metavar="N", help="of each training (default: %(default)s)")
    options = flags.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what was measured is kept if it is killed
    home = options.home.absolute()
    os.environ.update(PARLEY_BASES=str(bases_dir()), PARLEY_HOME=str(home), PARLEY_TEMPERATURE="0")
    bench = Bench(home, options.steps)
    measure(bench, options.each)
    print(f"Run on {processor(len(os.sched_getaffinity(0)))}.")


if __name__ == "__main__":
    main()
