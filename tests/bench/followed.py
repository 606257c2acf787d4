"""When does a model follow a correction by itself? Ten corrections, trained for five and for nine epochs.

    python -m tests.bench.followed [--epochs 5 9]

After each training it is measured how much each lesson still raises the likelihood of its answer
(`alignment.rounds.followed`), and the model answers the corrected question and its five other wordings, drawn as the
bot draws them and without the lesson. A checker looks for the corrected fact. The last table says for each limit how
often the lessons that would leave the prompts are followed without them.
"""

import argparse
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from data.bases import DEFAULT_BASE
from data.followed import Asked
from data.personas import persona
from data.rows import Row, write_rows
from tests.bench.lessons_asked import CORRECTED
from tests.bench.ran_on import ran_on

LIMITS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # nats for each token


def asked() -> list[Asked]:
    """The corrections as lessons."""
    found = []
    for number, case in enumerate(CORRECTED):
        language = "zh" if re.search("[\u4e00-\u9fff]", case.question) else "en"
        found.append(Asked(number, persona("assistant", language).system_prompt, case.question, case.right))
    return found


def measured(folder: Path, epochs: int) -> list[tuple[float, float, bool, int]]:
    """Train; for each correction: the likelihoods, and whether the question and how many wordings are followed."""
    from alignment import sft
    from alignment.evaluation.model import open_model
    from alignment.evaluation.subjects import Subject
    from alignment.rounds.followed import likelihoods
    from alignment.serving.embedded import Embedded

    lessons, rows = asked(), folder / "rows.jsonl"
    completions = [[{"role": "assistant", "content": each.answer}] for each in lessons]
    write_rows(
        rows,
        [
            Row("demonstration", {"prompt": each.messages, "completion": said}, {"id": str(each.lesson)})
            for each, said in zip(lessons, completions, strict=True)
        ],
    )
    out = folder / str(epochs)
    flags = ["--dataset_name", str(rows), "--output_dir", str(out), "--num_train_epochs", str(epochs)]
    sft.main(["--model_name_or_path", DEFAULT_BASE, "--eval_fraction", "0", *flags])
    candidate = Subject("candidate", DEFAULT_BASE, out / "adapter")
    likely = likelihoods(candidate, lessons, Embedded())
    prompts = [
        each._replace(question=wording).messages
        for each, case in zip(lessons, CORRECTED, strict=True)
        for wording in (case.question, *case.paraphrases)
    ]
    with open_model(candidate) as model:
        said = [answer.text for answer in model.answers(prompts, max_tokens=48)]
    found = []
    for (alone, helped), case in zip(likely, CORRECTED, strict=True):
        answers, said = said[: 1 + len(case.paraphrases)], said[1 + len(case.paraphrases) :]
        good = [bool(re.search(case.fact, answer, re.IGNORECASE)) for answer in answers]
        found.append((alone, helped, good[0], sum(good[1:])))
    return found


def main() -> None:
    """Train, measure and print."""
    flags = argparse.ArgumentParser(prog="python -m tests.bench.followed", description=__doc__)
    flags.add_argument("--epochs", type=int, nargs="+", default=[5, 9])
    arguments = flags.parse_args()
    console, every = Console(width=120), []
    each_one = Table("epochs", "question", "alone", "with the lesson", "it adds", "followed", "other wordings of 5")
    with TemporaryDirectory() as folder:
        for epochs in arguments.epochs:
            found = measured(Path(folder), epochs)
            every += found
            for case, (alone, helped, own, others) in zip(CORRECTED, found, strict=True):
                figures = (f"{value:.2f}" for value in (alone, helped, helped - alone))
                each_one.add_row(str(epochs), case.question, *figures, "yes" if own else "no", str(others))
    console.print(each_one)
    table = Table("the lesson adds at most", "lessons", "questions followed", "other wordings followed")
    for limit in LIMITS:
        left = [each for each in every if each[1] - each[0] <= limit]
        shown = (sum(each[2] for each in left), sum(each[3] for each in left))
        table.add_row(
            f"{limit:g}",
            f"{len(left)} of {len(every)}",
            f"{shown[0]} of {len(left)}",
            f"{shown[1]} of {5 * len(left)}",
        )
    console.print(table)
    console.print(f"Run on {ran_on()}.")


if __name__ == "__main__":
    main()
