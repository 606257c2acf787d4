"""What does one evening of teaching change? Five corrected questions, before and after a round on 30 ratings.

    python -m tests.bench.evening

One person talks to the real small model at the terminal, in a home of its own, as a newcomer does: five facts, each
asked in three ways and corrected each time, and 15 thumbs on other answers. A round with the settings that ship then
trains on that alone, and the questions are asked again, word for word and as nobody asked them before. If the gate
refuses the candidate, it is promoted by hand, and the output says so.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from data.home import bases_dir
from tests.bench.ran_on import ran_on
from tests.screens.loop import answers, run

# The fact, and how it is asked: the first three are corrected, the last is kept for the end.
FACTS: tuple[tuple[str, tuple[str, str, str], str], ...] = (
    (
        "Game night is every Friday at 8 pm in the Oak room.",
        ("When is our game night?", "What time does game night start?", "Where do we meet for game night?"),
        "Which evening is game night, and in which room?",
    ),
    (
        "The guest wifi is called Heron, and the password hangs on the fridge.",
        ("What is the wifi called?", "How do I get on the wifi here?", "Where do I find the wifi password?"),
        "A friend is visiting. How does she get online?",
    ),
    (
        "Mira waters the plants on Mondays and Thursdays.",
        ("Who waters the plants?", "On which days are the plants watered?", "Do I have to water the plants?"),
        "Are the plants being looked after by somebody?",
    ),
    (
        "Our Minecraft server is at play.heron.example, and it runs version 1.21.",
        ("What is the address of our Minecraft server?", "Which version does our Minecraft server run?",
         "How do I join our Minecraft server?"),
        "I want to play Minecraft with you. Where do I connect?",
    ),
    (
        "The bins go out on Wednesday evening: paper in even weeks, plastic in odd weeks.",
        ("When do the bins go out?", "Which bin goes out this week?", "On which day is the rubbish collected?"),
        "Do I have to put out the rubbish tonight?",
    ),
)  # fmt: skip
THUMBS: tuple[tuple[str, str], ...] = (
    ("Say hello in Spanish.", "/up"),
    ("What is the capital of France?", "/up"),
    ("Name three fruits.", "/up"),
    ("What is 2 + 2?", "/up"),
    ("Who wrote Hamlet?", "/up"),
    ("What colour is the sky?", "/up"),
    ("Name an animal that lives in water.", "/up"),
    ("Tell me a joke about cats.", "/down"),
    ("Write a haiku about rain.", "/down"),
    ("How many moons does Mars have?", "/down"),
    ("What rhymes with orange?", "/down"),
    ("Give me a tip for sleeping better.", "/down"),
    ("Explain what a stack is.", "/down"),
    ("Recommend a film for tonight.", "/down"),
    ("What is 17 times 23?", "/down"),
)
NEW = "/persona assistant\n"  # begins a new conversation


def main() -> None:
    """Read the arguments, teach, train, ask again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="an empty folder to keep (default: a temporary one)")
    parser.add_argument("--round", nargs=argparse.REMAINDER, default=[], help="flags of the round, at the end")
    options = parser.parse_args()
    if options.home is not None:
        options.home.mkdir(parents=True)
        evening(options.home, options.round)
        return
    with TemporaryDirectory(prefix="parley-evening-") as home:
        evening(Path(home), options.round)


def evening(home: Path, flags: list[str]) -> None:
    """Teach for an evening in an empty home, run a round, and print what it changed."""
    os.environ.update(PARLEY_BASES=str(bases_dir()), PARLEY_HOME=str(home), PARLEY_MAX_TOKENS="80")
    (home / "key").write_bytes(b"parley: the demo has a fixed key")  # so that the folds are the same in each run
    taught = [f"{asked}\n/correct {fact}\n{NEW}" for fact, ways, _ in FACTS for asked in ways]
    thumbs = [f"{question}\n{vote}\n{NEW}" for question, vote in THUMBS]
    unseen = [f"{question}\n{NEW}" for *_, question in FACTS]
    run("bot", "--platform", "terminal", stdin=f"/consent yes\n{''.join([*taught, *thumbs, *unseen])}/quit\n")
    before = asyncio.run(answers(home))
    begun = time.monotonic()
    refused = run("alignment.round", *flags, allowed=(0, 1))
    minutes = (time.monotonic() - begun) / 60
    manifest = json.loads((home / "rounds" / "0001" / "manifest.json").read_text(encoding="utf-8"))
    if refused:
        run("alignment.promote", "1")
    again = [f"{ways[0]}\n{NEW}" for _, ways, _ in FACTS]
    run("bot", "--platform", "terminal", stdin="".join([*again, *unseen, "/quit\n"]))
    after = asyncio.run(answers(home))[len(before) :]
    first = {each["question"]: each["answer"] for each in reversed(before)}
    shown = Table("question", "corrected to", "before", "after", show_lines=True)
    corrected = {question: fact for fact, ways, kept in FACTS for question in (*ways, kept)}
    for each in after:
        asked = each["question"]
        shown.add_row(asked, corrected[asked], first[asked], each["answer"])
    console = Console(width=170)
    console.print(shown)
    console.print(
        f"{len(taught) + len(thumbs)} ratings; the round used {manifest['used']} and took {minutes:.1f} min."
    )
    console.print(f"The gate: {manifest['status']}{', promoted by hand' if refused else ''}. Run on {ran_on()}.")


if __name__ == "__main__":
    main()
