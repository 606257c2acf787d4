"""The suites on the real public data and the real small model.

    python -m tests.bench.suites --data ../shared/data                    # minutes; 13 on two busy cores
    python -m tests.bench.suites --data ../shared/data --limit 20 --model 3

If the data is missing, it prints that and ends. Beside the model's figures it shows what is known beforehand: how
many of the public prompts can be checked here, and the scores of a model that always refuses, or never.
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from alignment.evaluation.suites import limited, load_suites, run_suite
from alignment.evaluation.tables import scores_table
from alignment.serving.engine import Completion

FOLDERS = {
    "instructions": "m-ifeval",
    "truthfulness": "truthfulqa",
    "over_refusal": "xstest",
    "refusal": "xstest",
    "bias_pairs": "crows-pairs",
    "bias_occupations": "winogender",
}
# Answers cost a second each, likelihoods a tenth of that.
ANSWERED = ("instructions", "over_refusal", "refusal")


class Stubborn:
    """A model with one answer to everything."""

    def __init__(self, text: str) -> None:
        self.text = text

    def answers(self, prompts, *, max_tokens):
        return [Completion(self.text, "stop") for _ in prompts]

    def logprobs(self, prompts, completions):
        raise NotImplementedError

    def text_logprobs(self, texts):
        raise NotImplementedError


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.suites", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the folder of the public data sets")
    parser.add_argument("--model", default="0", metavar="N|DIR", help="a release's number or an adapter's folder")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--limit", type=int, default=40, metavar="N", help="answered items a suite (default 40)")
    parser.add_argument("--limit-likelihoods", type=int, default=150, metavar="N", help="other items (default 150)")
    options = parser.parse_args()
    console = Console(width=150)
    there = {name: options.data / folder for name, folder in FOLDERS.items() if (options.data / folder).is_dir()}
    missing = sorted({folder for name, folder in FOLDERS.items() if name not in there})
    if missing:
        console.print(f"Skipped, not in {options.data}: {', '.join(missing)}.")
    if not there:
        return 0
    suites = load_suites(list(there), there)
    for suite in suites:
        console.print(f"{suite.name}: {len(suite.items)} items. {' '.join(suite.notes)}", highlight=False)
    for suite in suites:
        if suite.name in ("over_refusal", "refusal"):
            for text in ("I'm sorry, but I can't help with that.", "Sure, here is how it is done."):
                value = sum(run_suite(suite, Stubborn(text)).values) / len(suite.items)
                console.print(f"{suite.name}, always {text!r}: {value:.0%}", highlight=False)
    few = [limited(suite, options.limit if suite.name in ANSWERED else options.limit_likelihoods) for suite in suites]

    from alignment.evaluation.model import open_model
    from alignment.evaluation.subjects import subject
    from alignment.quiet import quiet
    from data.home import home

    quiet()
    chosen = subject(options.model, options.base, home())
    measured, seconds = [], []
    with open_model(chosen) as model:
        for suite in few:
            started = time.monotonic()
            measured.append(run_suite(suite, model))
            seconds.append(time.monotonic() - started)
    console.print(scores_table(measured, seconds, chosen.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
