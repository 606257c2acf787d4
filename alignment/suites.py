"""`python -m alignment.suites`: measure one model on the suites and print the figures."""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.errors import BadInput, run
from data.home import check_folder_of

# These only need the model's weights; all others start an engine and ask it.
LIKELIHOOD_ONLY = frozenset({"truthfulness", "bias_pairs", "bias_occupations", "forgetting"})


def paths_of(given: Sequence[str], flag: str = "--path") -> dict[str, Path]:
    """What `--path SUITE=FILE` means. Raises `BadInput` for anything else."""
    paths = {}
    for entry in given:
        name, equals, path = entry.partition("=")
        if not equals or not path:
            raise BadInput(f"{flag} {entry}: expected SUITE=FILE, for example truthfulness=TruthfulQA.csv.")
        paths[name] = Path(path)
    return paths


def table(measured: Sequence[Any], seconds: Sequence[float], name: str) -> Any:
    """Suite scores as a rich table: mean value with its interval, margin, headline figures."""
    from rich.table import Table

    from alignment.evaluation.gate import bootstrap

    shown = Table(
        "suite", "items", "mean (95 % interval)", "margin", "as people quote it", "s", title=f"Suites: {name}"
    )
    for scores, took in zip(measured, seconds, strict=True):
        interval = bootstrap(scores.values)
        headline = "\n".join(f"{what}: {figure:.3g}" for what, figure in scores.headline.items())
        figures = f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})\n{scores.unit}"
        shown.add_row(
            f"{scores.title}\n({scores.name})",
            str(len(scores.values)),
            figures,
            f"{scores.margin:g}",
            headline,
            f"{took:.0f}",
        )
        shown.add_section()
    return shown


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
        help="a release's number (default 0: the base) or an adapter's folder",
    )
    made.add_argument("--base", default="smollm2-135m", help="the base of release 0 and of bare adapters")
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
    from alignment.evaluation.subjects import planted_canaries, subject
    from alignment.evaluation.suites import limited, load_suites
    from data.home import home

    chosen = subject(options.model, options.base, home())
    names = [name.strip() for name in options.suites.split(",") if name.strip()] if options.suites else None
    suites = load_suites(names, paths_of(options.path), canaries=planted_canaries(home(), chosen))
    if not suites:
        raise BadInput(f"No made-up secrets were planted in what {chosen.name} was trained on: nothing to ask for.")
    if options.limit:
        suites = [limited(suite, options.limit) for suite in suites]

    import json
    from dataclasses import asdict

    from rich.console import Console

    from alignment.evaluation.model import loaded
    from alignment.evaluation.suites import run_suite
    from alignment.quiet import quiet
    from data.home import write_atomic

    quiet()
    console = Console()
    for suite in suites:
        for note in suite.notes:
            console.print(note, highlight=False)
    measured, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        serve = any(suite.name not in LIKELIHOOD_ONLY for suite in suites)
        with loaded(chosen, Path(scratch), serve=serve) as model:
            for suite in suites:
                started = time.monotonic()
                with console.status(f"{suite.title}: {len(suite.items)} items"):
                    measured.append(run_suite(suite, model))
                seconds.append(time.monotonic() - started)
    console.print(table(measured, seconds, chosen.name))
    if options.out:
        write_atomic(options.out, json.dumps([asdict(scores) for scores in measured], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    run(main)
