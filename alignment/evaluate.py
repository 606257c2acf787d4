"""`python -m alignment.evaluate`: compare two models on rows that neither was trained on.

Both answer held-out prompts as the bot would serve them; judges that people bear out, or people themselves, say whose
answers are better; suites say what got worse; and the gate decides. `alignment.evaluation.compare` puts it together.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.evaluation.evidence import Sample
from alignment.evaluation.subjects import Subject, planted_canaries, subject
from alignment.evaluation.suites.canaries import Canary
from alignment.evaluation.tables import best_table, sample_table, source_table, suite_table, table
from data.errors import BadInput, run
from data.home import check_folder_of

if TYPE_CHECKING:
    from rich.console import Console

    from alignment.evaluation.compare import EvaluationRows


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
    add("--candidate", required=True, metavar="N|DIR", help="a release's number or an adapter's folder")
    add("--champion", metavar="N|DIR", help="the same; default: the release that serves now")
    add("--base", default="smollm2-135m", help="the base of release 0 and of bare adapters (default: %(default)s)")
    add("--prompts", type=Path, metavar="ROWS.jsonl", help="rows to answer; default: those of the rows below")
    add("--preferences", type=Path, metavar="ROWS.jsonl", help="held-out pairs of people (store: the gate's fold)")
    add("--demonstrations", type=Path, metavar="ROWS.jsonl", help="held-out demonstrations (the same)")
    add("--judge_pairs", type=Path, metavar="ROWS.jsonl", help="pairs that judges are checked on (the judge's fold)")
    add("--judge_model", type=Path, metavar="DIR", help="a reward model as judge, trained on other rows than these")
    add("--suites", default="all", metavar="A,B|all|none", help="what must not get worse (default: %(default)s)")
    add(
        "--suite_path", action="append", default=[], metavar="NAME=FILE", help="a local copy of a suite's public data"
    )
    add("--limit", type=int, metavar="N", help="answer at most N prompts; 0: none, compare log-probabilities only")
    add("--max_tokens", type=int, metavar="N", help="of one answer (default: as the bot serves them)")
    add("--seed", type=int, default=0, metavar="N", help="of the answers (default: %(default)s)")
    add("--best_of", type=int, metavar="N", help="also show what the best of N answers by --judge_model would be")
    add(
        "--questions", type=int, default=0, metavar="N", help="also show N questions answered by both (on a terminal)"
    )
    add("--out", type=Path, metavar="FIGURES.json", help="also write the figures as JSON; they hold no texts")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, evaluate, print the tables and what the gate makes of it."""
    options = parser().parse_args(argv)
    _check(options)
    from rich.console import Console

    from alignment.evaluation.compare import CACHE, Options, evaluate
    from alignment.evaluation.gate import decide
    from alignment.evaluation.llm_judge import judge_settings
    from alignment.quiet import quiet
    from data.home import home, write_atomic
    from data.releases import Releases

    llm_judge = judge_settings()
    quiet()
    champion = subject(options.champion or str(Releases(home()).champion()), options.base, home())
    candidate = subject(options.candidate, options.base, home())
    suites = _suites(options.suites, options.suite_path, planted_canaries(home(), champion, candidate))
    rows = _rows(options, champion, candidate)
    console = Console()
    shown: list[Sample] = []
    evaluation = evaluate(
        champion,
        candidate,
        rows,
        Options(
            suites=suites,
            llm_judge=llm_judge,
            max_tokens=options.max_tokens,
            seed=options.seed,
            cache=home() / CACHE,
            look=shown.extend,
            questions=options.questions,
            console=console,
        ),
        _teller(console),
    )
    names = (champion.name, candidate.name)
    console.print(table(*evaluation.scores, names))
    console.print(source_table(evaluation))
    for source in evaluation.sources:
        console.print(source.sentence, markup=False, highlight=False)
    if evaluation.suites:
        console.print(suite_table(evaluation, names))
    for note in evaluation.notes:
        console.print(note, markup=False, highlight=False)
    if options.questions:
        _look(console, shown[: options.questions], names)
    if options.best_of:
        _best_of(console, options, candidate, rows)
    decisive = evaluation.decisive
    win = decisive.win if decisive else None
    verdict = decide(
        win.interval if win else None,
        decisive.name if decisive else "nobody",
        evaluation.suites,
        prompts=win.prompts if win else None,
        tried=_tried(champion, candidate),
    )
    for reason in verdict.reasons:
        console.print(reason, markup=False, highlight=False)
    if options.out:
        figures = {"champion": champion.name, "candidate": candidate.name, **asdict(evaluation)}
        write_atomic(options.out, json.dumps({**figures, "verdict": asdict(verdict)}, indent=2) + "\n")
    return 0 if verdict.promote else 1


def _check(options: argparse.Namespace) -> None:
    for name, least in (("limit", 0), ("max_tokens", 1), ("best_of", 2), ("questions", 0), ("seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise BadInput(f"--{name} must be at least {least}.")
    if options.best_of and options.judge_model is None:
        raise BadInput("--best_of needs a reward model to choose by: name its folder with --judge_model.")
    check_folder_of("--out", options.out)


def _suites(names: str, given: Sequence[str], canaries: Sequence[Canary]) -> list[Any]:
    from alignment.evaluation.suites import load_suites
    from alignment.suites import paths_of

    paths = paths_of(given, "--suite_path")
    if names == "none":
        if paths:
            raise BadInput("--suite_path names a file for a suite, but --suites none runs none.")
        return []
    wanted = None if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    return load_suites(wanted, paths, canaries=canaries)


def _rows(options: argparse.Namespace, champion: Subject, candidate: Subject) -> "EvaluationRows":
    from dataclasses import replace

    from alignment.evaluation.compare import EvaluationRows
    from data.prompts import prompts_of
    from data.rows import content_id, read_rows

    files = (options.prompts, options.preferences, options.demonstrations, options.judge_pairs)
    if any(files):
        good = read_rows(options.preferences, "preference") if options.preferences else []
        shown = read_rows(options.demonstrations, "demonstration") if options.demonstrations else []
        pairs = read_rows(options.judge_pairs, "preference") if options.judge_pairs else []
        asked = read_rows(options.prompts) if options.prompts else [*good, *shown]
        rows = EvaluationRows(asked, good, shown, pairs, options.judge_model)
    else:
        import asyncio

        rows = asyncio.run(_stored(_number(champion), _number(candidate)))
    # Sorted by a hash of the content: the first N are a fair sample, and the same one each time.
    prompts = sorted(prompts_of(rows.prompts), key=lambda row: content_id(row.data))
    return replace(rows, prompts=prompts[: options.limit], judge_model=options.judge_model)


def _number(found: Subject) -> int | None:
    """A release's number; None for an adapter that is not released, which nobody can have met live."""
    if found.name == "base model":
        return 0
    word, _, number = found.name.partition(" ")
    return int(number) if word == "release" and number.isdecimal() else None


def _tried(champion: Subject, candidate: Subject) -> int:
    """How many other candidates the rounds here have refused against this champion, as a round counts them."""
    from alignment.rounds.manifest import tried
    from data.home import home
    from data.releases import Releases
    from data.rounds import decided

    against, number = _number(champion), _number(candidate)
    if against is None:
        return 0
    releases = Releases(home())
    own = releases.get(number).manifest.get("round") if number else None
    looks = len(releases.looks()) if number == releases.candidate() else 0
    return tried(decided(home() / "rounds", besides=own), against) + looks


async def _stored(champion: int | None, candidate: int | None) -> "EvaluationRows":
    from alignment.evaluation.compare import EvaluationRows
    from alignment.rounds.on_trial import live
    from data.home import discord_permission, home
    from data.imports import collect_rows
    from data.store import Store

    found = []
    store = await Store.open(home())
    try:
        collected = await collect_rows(store, discord_permission=discord_permission())
    finally:
        await store.close()
    if champion is not None and candidate is not None and champion != candidate:
        found = await live(champion, candidate)
    return EvaluationRows(
        prompts=[row for kind in ("prompt", "preference", "demonstration") for row in collected.of(kind, "gate")],
        preferences=collected.of("preference", "gate"),
        demonstrations=collected.of("demonstration", "gate"),
        judge_pairs=collected.of("preference", "judge"),
        live=found,
    )


def _teller(console: "Console") -> Callable[[str], None]:
    return lambda sentence: console.print(sentence, style="dim", markup=False, highlight=False)


def _look(console: "Console", shown: Sequence[Sample], names: tuple[str, str]) -> None:
    """People's words are for eyes, not for a log."""
    if console.is_terminal:
        console.print(sample_table(shown, names))
    else:
        console.print("The questions are not shown: this is no terminal, and they are people's words.")


def _best_of(console: "Console", options: argparse.Namespace, candidate: Subject, rows: "EvaluationRows") -> None:
    from alignment.evaluation.best_of import best_of
    from alignment.evaluation.judged_model import open_model

    prompts = [row.messages for row in rows.prompts]
    with open_model(candidate, lambda: None) as model:
        drawn = best_of(
            model, options.judge_model, prompts, options.best_of, max_tokens=options.max_tokens, seed=options.seed
        )
    found = [(prompt[-1]["content"], each) for prompt, each in zip(prompts, drawn, strict=True) if each is not None]
    if not found:
        console.print("There are no prompts to draw the best answer to.")
        return
    words = console.is_terminal and options.questions > 0
    console.print(best_table([q for q, _ in found], [each for _, each in found], options.best_of, words=words))


if __name__ == "__main__":
    run(main)
