"""`python -m alignment.evaluate`: compare two models on rows that neither was trained on.

Both answer held-out prompts as the bot would serve them; judges that agree with people, or people themselves, say
whose answers are better; suites measure what got worse; and the gate decides (`alignment.evaluation.verdict`).
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alignment.evaluation.best_of import best_of
from alignment.evaluation.compare import CACHE, EvaluationRows, Options
from alignment.evaluation.llm_judge import judge_settings
from alignment.evaluation.model import open_model
from alignment.evaluation.subjects import Subject, base_of, planted_canaries, subject
from alignment.evaluation.suites.files import paths_of
from alignment.evaluation.tables import best_table
from alignment.evaluation.verdict import check_suites, evaluate, say
from alignment.quiet import quiet
from alignment.rounds.alike import alike
from alignment.serving.server import Server, server_for
from data.console import PlainConsole
from data.errors import BadInput, run
from data.home import check_folder_of, home, write_atomic
from data.prompts import prompts_of
from data.releases import BASE_RELEASE, Releases
from data.rows import Row, content_id, read_rows

if TYPE_CHECKING:
    from rich.console import Console


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m alignment.evaluate",
        description="Compare a candidate with the champion on held-out rows. Exit code 0: the gate would promote it; "
        "1: it would not; 2: bad input. Rows come from the store, or from files as soon as one is given. An LLM "
        "judge is set by PARLEY_JUDGE_URL, PARLEY_JUDGE_MODEL and PARLEY_JUDGE_API_KEY; one on another machine needs "
        "PARLEY_JUDGE_OUTSIDE=1, and sees only rows that say `outside_judge: true`.",
    )
    add = made.add_argument
    add(
        "--candidate", required=True, metavar="N|DIR", help="a release's number, or the folder of an adapter or a run"
    )
    add("--champion", metavar="N|DIR", help="the same (default: the release that serves now)")
    add(
        "--base",
        help="the base of release 0, or where an adapter's own base is now (default: what adapters name, "
        "or the home's)",
    )
    add("--prompts", type=Path, metavar="ROWS.jsonl", help="rows to answer (default: the prompts of the rows below)")
    add("--preferences", type=Path, metavar="ROWS.jsonl", help="held-out pairs of people (store: the gate's fold)")
    add("--demonstrations", type=Path, metavar="ROWS.jsonl", help="held-out demonstrations (store: the gate's fold)")
    add("--judge_pairs", type=Path, metavar="ROWS.jsonl", help="pairs to check judges on (store: the judge's fold)")
    add("--judge_model", type=Path, metavar="DIR", help="a reward model as judge, trained on other rows than these")
    add(
        "--suites",
        default="all",
        metavar="all|quick|short|none|A,B",
        help="what must not get worse (default: %(default)s)",
    )
    add(
        "--suite_path", action="append", default=[], metavar="NAME=FILE", help="a local copy of a suite's public data"
    )
    add("--limit", type=int, metavar="N", help="answer at most N prompts; 0: none, compare log-probabilities only")
    add("--max_tokens", type=int, metavar="N", help="limit of one answer (default: as the bot serves answers)")
    add("--seed", type=int, default=0, metavar="N", help="for sampling the answers (default: %(default)s)")
    add("--best_of", type=int, metavar="N", help="also show the best of N answers, chosen by --judge_model")
    add(
        "--questions", type=int, default=0, metavar="N", help="also show N questions answered by both (on a terminal)"
    )
    add("--out", type=Path, metavar="FIGURES.json", help="also write the figures as JSON; they hold no texts")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, evaluate, print the tables and the gate's decision."""
    options = parser().parse_args(argv)
    _check(options)
    # This loads scipy and datasketch, which takes a second; `--help` does without.
    from alignment.evaluation.stored_rows import budget_name, stored_rows

    llm_judge = judge_settings()
    against = options.champion or str(Releases(home()).champion())
    # Release 0 is the base that the other model is on.
    base = options.base or base_of(options.candidate, against)
    champion = subject(against, base if against == str(BASE_RELEASE) else options.base, home())
    candidate = subject(options.candidate, base if options.candidate == str(BASE_RELEASE) else options.base, home())
    console = PlainConsole()
    server = server_for(champion.base, lambda sentence: say(console, [sentence]))
    quiet()
    canaries = planted_canaries(home(), champion, candidate)
    suites = check_suites(options.suites, canaries, paths_of(options.suite_path, "--suite_path"))
    rows = given_rows(options) or asyncio.run(stored_rows(champion, candidate))
    rows = replace(rows, prompts=fixed_part(rows, options.limit), judge_model=options.judge_model)
    with alike(Releases(home()), server, (champion, candidate), lambda sentence: say(console, [sentence])) as served:
        found = evaluate(
            champion,
            candidate,
            rows,
            Options(
                suites=suites,
                llm_judge=llm_judge,
                max_tokens=options.max_tokens,
                seed=options.seed,
                cache=home() / CACHE,
                questions=options.questions,
                server=served,
            ),
            console,
            name=budget_name(champion, candidate),
        )
        if options.best_of:
            _best_of(console, options, candidate, rows, served)
    say(console, found.verdict.reasons)
    if options.out:
        write_atomic(options.out, json.dumps(found.figures(), indent=2) + "\n")
    return 0 if found.verdict.promote else 1


def _check(options: argparse.Namespace) -> None:
    for name, least in (("limit", 0), ("max_tokens", 1), ("best_of", 2), ("questions", 0), ("seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise BadInput(f"--{name} must be at least {least}.")
    if options.best_of and options.judge_model is None:
        raise BadInput("--best_of needs a reward model to choose by: name its folder with --judge_model.")
    check_folder_of("--out", options.out)


def given_rows(options: argparse.Namespace) -> EvaluationRows | None:
    """The rows of the files named on the command line; None if it names none."""
    if not any((options.prompts, options.preferences, options.demonstrations, options.judge_pairs)):
        return None
    good = read_rows(options.preferences, "preference") if options.preferences else []
    shown = read_rows(options.demonstrations, "demonstration") if options.demonstrations else []
    pairs = read_rows(options.judge_pairs, "preference") if options.judge_pairs else []
    asked = read_rows(options.prompts) if options.prompts else [*good, *shown]
    return EvaluationRows(asked, good, shown, pairs)


def fixed_part(rows: EvaluationRows, limit: int | None) -> list[Row]:
    """At most `limit` prompts, the first by a hash of their content: a fair sample, and the same one each time."""
    return sorted(prompts_of(rows.prompts), key=lambda row: content_id(row.data))[:limit]


def _best_of(
    console: "Console", options: argparse.Namespace, candidate: Subject, rows: EvaluationRows, server: Server
) -> None:
    prompts = [row.messages for row in rows.prompts]
    with open_model(candidate, server=server) as model:
        drawn = best_of(
            model, options.judge_model, prompts, options.best_of, max_tokens=options.max_tokens, seed=options.seed
        )
    found = [(prompt[-1]["content"], each) for prompt, each in zip(prompts, drawn, strict=True) if each is not None]
    if not found:
        console.print("There are no prompts to draw answers for.")
        return
    texts = console.is_terminal and options.questions > 0
    console.print(best_table([q for q, _ in found], [each for _, each in found], options.best_of, texts=texts))


if __name__ == "__main__":
    run(main)
