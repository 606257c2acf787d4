"""`python -m alignment.suites`: measure one model on the suites and print the figures."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from alignment.evaluation.model import open_model
from alignment.evaluation.subjects import planted_canaries, subject
from alignment.evaluation.suites import SuiteScores, limited, load_suites, run_suite
from alignment.evaluation.suites.files import paths_of
from alignment.evaluation.tables import scores_table
from alignment.evaluation.words import meaning
from alignment.quiet import quiet
from alignment.serving.server import server_for
from data.console import PlainConsole
from data.errors import BadInput, run
from data.home import check_folder_of, home, write_atomic

# These need only the model's weights; all others also need an engine.
LIKELIHOOD_ONLY = frozenset({"truthfulness", "sycophancy", "bias_pairs", "bias_occupations", "forgetting"})


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m alignment.suites",
        description="Measure one model on the suites. A mean is higher when the model is better.",
    )
    made.add_argument(
        "--model",
        default="0",
        metavar="N|DIR",
        help="a release's number (default 0: the base), or an adapter's or a run's folder",
    )
    made.add_argument(
        "--base",
        help="the base of release 0 (default: the home's), or where an adapter's own base is now",
    )
    made.add_argument("--suites", metavar="A,B", help="default: all of them")
    made.add_argument(
        "--path", action="append", default=[], metavar="SUITE=FILE", help="a local copy of the suite's public data"
    )
    made.add_argument("--limit", type=int, metavar="N", help="at most N items a suite, spread over all of them")
    made.add_argument("--out", type=Path, metavar="FIGURES.json", help="also write the scores as JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, run the suites, print the table."""
    options = parser().parse_args(argv)
    if options.limit is not None and options.limit < 1:
        raise BadInput(f"--limit {options.limit}: expected a number of items, at least 1.")
    check_folder_of("--out", options.out)
    chosen = subject(options.model, options.base, home())
    names = [name.strip() for name in options.suites.split(",") if name.strip()] if options.suites else None
    server = server_for(chosen.base, lambda sentence: print(sentence, flush=True))
    suites = load_suites(names, paths_of(options.path, "--path"), canaries=planted_canaries(home(), chosen))
    if not suites:
        raise BadInput(f"No made-up secrets were planted in what {chosen.name} was trained on: nothing to ask for.")
    if options.limit:
        suites = [limited(suite, options.limit) for suite in suites]

    quiet()
    console = PlainConsole()
    for suite in suites:
        for note in suite.notes:
            console.print(note, highlight=False)
    measured: list[SuiteScores] = []
    seconds: list[float] = []
    asked = any(suite.name not in LIKELIHOOD_ONLY for suite in suites)
    with open_model(chosen, serve=asked, server=server) as model:
        for suite in suites:
            started = time.monotonic()
            with console.status(f"{suite.title}: {len(suite.items)} items"):
                measured.append(run_suite(suite, model))
            seconds.append(time.monotonic() - started)
    console.print(scores_table(measured, seconds, chosen.name))
    for scores in measured:
        said = meaning(scores.name, len(scores.values), sum(scores.values) / len(scores.values), scores.headline)
        if said is not None:
            console.print(said, markup=False, highlight=False)
    if options.out:
        write_atomic(options.out, json.dumps([asdict(scores) for scores in measured], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    run(main)
