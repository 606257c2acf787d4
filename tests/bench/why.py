"""Do the rows that `alignment.why` names carry an answer? They are left out, and the model is trained again.

    python -m tests.bench.why --home DIR [--each N] [--epochs N]

Thirty corrections of ten questions in three wordings each, and ten of other questions, are trained on the real small
model by the loss of a quick round. The ten questions are asked in six wordings; the answers that say the corrected
fact and did not before are the changed ones. For each, a tenth of the rows is named. Then the model is trained

    without the rows that are named for the answers about five of the questions, and then of the other five;
    without a tenth of the rows, drawn by chance, twice;
    with `--each N`, without the tenth that is named most for one question, for each of N questions.

An answer is undone when it no longer says the fact. Of the first two trainings, half of the answers have their rows
named and left out, and the others show what it does to leave so many rows out that are not named for them. What is
trained and answered is kept in DIR, so the same command goes on after an interruption.
"""

import argparse
import json
import os
import random
import re
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
SHARE = 10  # one in so many rows is named
_TOKENS = 32  # of each answer


@dataclass(frozen=True, slots=True)
class Asking:
    """A wording of a corrected question."""

    case: int
    text: str

    @property
    def corrected(self) -> Corrected:
        """The question."""
        return CORRECTED[self.case]


ASKED = [Asking(at, text) for at, case in enumerate(CORRECTED) for text in (case.question, *case.paraphrases)]


def prompt(text: str) -> list[Message]:
    """A question as the bot asks it."""
    chosen = persona("assistant", "zh" if re.search("[\u4e00-\u9fff]", text) else "en")
    return [{"role": "system", "content": chosen.system_prompt}, {"role": "user", "content": text}]


class Bench:
    """What is trained and answered, kept in a folder."""

    def __init__(self, folder: Path, epochs: int) -> None:
        self.folder, self.epochs = private_dir(folder), epochs
        self.seconds: dict[str, float] = {}

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, from JSON where it was made before."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            began = time.monotonic()
            path.write_text(json.dumps(make(), ensure_ascii=False), encoding="utf-8")
            self.seconds[name] = time.monotonic() - began
            print(f"{name}: {self.seconds[name]:.0f} s", flush=True)
        return json.loads(path.read_text(encoding="utf-8"))

    def answers(self, texts: Sequence[str], adapter: Path | None) -> list[str]:
        """What the base with an adapter says, the likeliest word each time."""
        from alignment.evaluation.model import open_model
        from alignment.evaluation.subjects import Subject

        with open_model(Subject("candidate", BASE, adapter)) as model:
            return [each.text for each in model.answers([prompt(text) for text in texts], max_tokens=_TOKENS)]

    def rows(self) -> list[Row]:
        """All corrections. A row's id says of which question it is one; the ten others have names of their own."""
        taught = [(f"{at}-{number}", text, CORRECTED[at].right) for number, at, text in _taught()]
        taught += [(f"other-{number}", text, right) for number, (text, right) in enumerate(_others())]
        said = self.kept("base-rows", lambda: self.answers([text for _, text, _ in taught], None))
        return [
            Row(
                "preference",
                {
                    "prompt": prompt(text),
                    "chosen": [{"role": "assistant", "content": right}],
                    "rejected": [{"role": "assistant", "content": wrong}],
                },
                {"id": name},
            )
            for (name, text, right), wrong in zip(taught, said, strict=True)
        ]

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
                    stages(
                        [("dpo", "edits", {"num_train_epochs": self.epochs})], {"preference": out / "rows.jsonl"}, out
                    )
                ),
            )
        return made

    def says(self, name: str, adapter: Path | None) -> list[bool]:
        """For each asking, whether the answer says the corrected fact."""
        said = self.kept(f"{name}-answers", lambda: self.answers([each.text for each in ASKED], adapter))
        return [follows(each.corrected, answer) for each, answer in zip(ASKED, said, strict=True)]

    def without(self, name: str, rows: Sequence[Row], left_out: Collection[str]) -> list[bool]:
        """What a training without some rows says."""
        return self.says(name, self.trained(name, [row for row in rows if row.id not in left_out]))


def _taught() -> list[tuple[int, int, str]]:
    return [
        (number, at, text)
        for at, case in enumerate(CORRECTED)
        for number, text in enumerate((case.question, *case.paraphrases)[:WORDINGS])
    ]


def _others() -> list[tuple[str, str]]:
    return [(text, right) for right, wordings, _ in FACTS for text in wordings[:2]]


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


def undone(changed: Sequence[int], says: Sequence[bool], cases: Collection[int] | None = None) -> tuple[int, int]:
    """How many of the changed answers (about these questions) no longer say the fact, and of how many."""
    mine = [at for at in changed if cases is None or ASKED[at].case in cases]
    return sum(not says[at] for at in mine), len(mine)


def measure(bench: Bench, each: int) -> list[str]:
    """Train, name, leave out and train again; returns the lines of the report."""
    rows = bench.rows()
    most = max(1, len(rows) // SHARE)
    before = bench.says("base", None)
    adapter = bench.trained("all", rows)
    after = bench.says("all", adapter)
    changed = [at for at in range(len(ASKED)) if after[at] and not before[at]]
    said = [json.loads((bench.folder / "all-answers.json").read_text(encoding="utf-8"))[at] for at in changed]
    asked = [ASKED[at] for at in changed]
    found = bench.kept("influence", lambda: influence(adapter, rows, asked, said))
    named = [best(values, rows, most) for values in found]
    own = [f"{each.case}-" for each in asked]
    lines = [f"{len(rows)} rows, {len(changed)} of {len(ASKED)} answers changed; {most} rows are named for each."]
    for name, lists in (
        ("gradients", named),
        ("shared words", [best(values, rows, most) for values in lexical(asked, said, rows)]),
    ):
        right = sum(row.startswith(case) for case, names in zip(own, lists, strict=True) for row in names[:WORDINGS])
        lines.append(f"Of the first {WORDINGS} by {name}, {right / WORDINGS / len(own):.0%} are about that question.")

    cases = range(len(CORRECTED))
    sums = {"named": [0, 0], "others": [0, 0]}
    for half in (0, 1):
        mine = [case for case in cases if case % 2 == half]
        left_out = {row for a, names in zip(asked, named, strict=True) if a.case in mine for row in names}
        says = bench.without(f"half-{half}", rows, left_out)
        for name, of in (("named", mine), ("others", [case for case in cases if case not in mine])):
            lost, count = undone(changed, says, of)
            sums[name][0] += lost
            sums[name][1] += count
        lines.append(f"Half {half}: {len(left_out)} of {len(rows)} rows left out.")
    lines.append(_line("their named rows left out", *sums["named"]))
    lines.append(_line("as many others left out", *sums["others"]))
    chance = [0, 0]
    for seed in (0, 1):
        drawn = random.Random(seed).sample([row.id for row in rows], most)
        lost, count = undone(changed, bench.without(f"random-{seed}", rows, drawn))
        chance[0] += lost
        chance[1] += count
    lines.append(_line(f"{most} random rows left out", *chance))
    single = [0, 0]
    for case in list(cases)[:each]:
        total = [
            sum(values[at] for a, values in zip(asked, found, strict=True) if a.case == case)
            for at in range(len(rows))
        ]
        lost, count = undone(changed, bench.without(f"case-{case}", rows, best(total, rows, most)), [case])
        single[0] += lost
        single[1] += count
    if each:
        lines.append(_line(f"the {most} rows named most for one question left out", *single))
    return lines


def _line(what: str, lost: int, count: int) -> str:
    return f"{what}: {lost} of {count} answers undone ({lost / max(count, 1):.0%})"


def main() -> None:
    """Measure and print."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--home", type=Path, required=True, metavar="DIR", help="a folder for what is made")
    flags.add_argument("--each", type=int, default=0, metavar="N", help="questions whose rows are left out alone")
    flags.add_argument("--epochs", type=int, default=6, metavar="N", help="of each training (default: %(default)s)")
    options = flags.parse_args()
    home = options.home.absolute()
    os.environ.update(PARLEY_BASES=str(bases_dir()), PARLEY_HOME=str(home), PARLEY_TEMPERATURE="0")
    bench = Bench(home, options.epochs)
    print("\n".join(measure(bench, options.each)))
    print(f"Run on {processor(len(os.sched_getaffinity(0)))}.")


if __name__ == "__main__":
    main()
