"""`python -m alignment.why ANSWER`: the ratings that an answer of a release owes most to."""

import argparse
from collections.abc import Sequence

from alignment.quiet import quiet
from data.console import PlainConsole
from data.errors import BadInput, run
from data.home import DATABASE, home
from data.releases import Releases

TOP = 10


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m alignment.why",
        description="Name the ratings that an answer of a release owes most to: the corrections, comparisons, "
        "thumbs, imported rows and follow-ups whose training moved the weights most in the direction that made this "
        "answer likelier. Exit code 0: done; 1: the answer is of no release that learnt from ratings; 2: bad input.",
    )
    add = made.add_argument
    add(
        "answer",
        nargs="?",
        metavar="ANSWER",
        help="the answer's number in the store, `last` for the newest one, or the message that shows it "
        "(discord:1234)",
    )
    add("--question", metavar="TEXT", help="ask about a text instead: the question, with --answer")
    add("--answer", dest="text", metavar="TEXT", help="the answer to --question")
    add("--persona", default="assistant", metavar="NAME", help="the persona of --question (default: %(default)s)")
    add("--release", type=int, metavar="N", help="the release that answers --question (default: the champion)")
    add("--top", type=int, default=TOP, metavar="N", help="how many to name (default: %(default)s)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, and print the list."""
    options = parser().parse_args(argv)
    _check(options)
    # These load torch and SQLAlchemy; `--help` and a bad command line do without.
    from alignment.influence.asked import given
    from alignment.influence.explain import explain

    quiet()
    question = options.answer
    if question is None:
        release = Releases(home()).champion() if options.release is None else options.release
        question = given(options.question, options.text, release, options.persona)
    explain(PlainConsole(), question, options.top)
    return 0


def _check(options: argparse.Namespace) -> None:
    texts = (options.question, options.text)
    if options.answer is not None and (any(texts) or options.release is not None):
        raise BadInput("Give ANSWER, or --question and --answer with a --release; not both.")
    if options.answer is None and None in texts:
        raise BadInput("Say which answer: its number, `last`, or --question and --answer.")
    if options.top < 1:
        raise BadInput("--top must be at least 1.")
    if not (home() / DATABASE).exists():
        raise BadInput(f"There is no home in {home()} yet, so nothing was answered or learnt. Is PARLEY_HOME right?")


if __name__ == "__main__":
    run(main)
