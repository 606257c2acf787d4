"""`make demo`: the whole loop in one go, without Discord and without a GPU, in a separate home (`var/demo`).

It shows an answer first, then measures how fast this machine trains, and chooses how many rows to train on.
`make demo DEMO=short` trains on a handful of rows only, to show that everything runs.
"""

import argparse
import asyncio
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alignment import round as one_round
from alignment.serving.engine import serve
from data.bases import DEFAULT_BASE
from data.chat import Message
from data.errors import BadInput, run
from data.home import bases_dir, home, private_dir
from data.personas import SEED, persona
from data.printing import printable
from data.releases import Releases
from data.rows import read_rows

# Every installation draws a secret key, which decides which rows are held out. The demo's key is fixed and public, so
# that it trains on the same seed rows and is judged by the same others on every machine.
_KEY = b"parley: the demo has a fixed key"
# A question whose answer is held out under this key, so no size of the demo trains on it.
_ASKED = ("assistant", "en", "assistant-en-d001")
_ANSWER = 160  # tokens

# The round's work in trained tokens, and the seconds that do not depend on the speed of training: imports, the
# engine's answers, files. Measured on two cores without bf16, with the rows that ship with Parley.
_A_DEMONSTRATION, _A_PREFERENCE = 660, 470  # two epochs of one; both answers to one prompt, and the reference
_A_HELD_OUT = 530  # a demonstration and a preference, scored by two models without a backward pass
_MOST_HELD_OUT = 27  # about how many there are of each kind
_SUITES, _BESIDES = 14_000, 75.0  # tokens, seconds
_WANTED = 330.0  # seconds for the whole demo


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows the round trains on, and at most how many of each kind decide (None: all)."""

    demonstrations: int
    preferences: int
    held_out: int | None = None

    def seconds(self, rate: float) -> float:
        """About how long the demo takes on a machine that trains `rate` tokens a second."""
        trained = self.demonstrations * _A_DEMONSTRATION + self.preferences * _A_PREFERENCE
        scored = (self.held_out or _MOST_HELD_OUT) * _A_HELD_OUT
        return _BESIDES + (_SUITES + scored + trained) / rate


# The largest that takes at most `_WANTED` seconds is chosen, else the smallest.
_FULL = (
    Size(96, 48),
    Size(64, 32),
    Size(48, 24),
    Size(32, 16, held_out=16),
    Size(24, 12, held_out=16),
    Size(16, 8, held_out=12),
    Size(12, 6, held_out=12),
)
_SHORT = (Size(8, 4, held_out=8),)


def choose(sizes: Sequence[Size], rate: float) -> Size:
    """The largest size for a machine that trains `rate` tokens a second; sizes come with the largest first."""
    return next((size for size in sizes if size.seconds(rate) <= _WANTED), sizes[-1])


def told(size: Size, largest: Size, rate: float) -> str:
    """The sentences that say what was measured, what follows from it, and how long it will take."""
    rows = f"{size.demonstrations} demonstrations and {size.preferences} preferences"
    fewer = f" (a faster one takes {largest.demonstrations} and {largest.preferences})" if size != largest else ""
    decide = f"{size.held_out} held-out rows of each kind" if size.held_out else "all held-out rows"
    minutes = max(1, round(size.seconds(rate) / 60))
    return (
        f"This machine trains about {rate:.0f} tokens a second. So the base learns from {rows}{fewer}.\n"
        f"The result, release 1, is compared with the base on {decide}, and answers the same question.\n"
        f"All in all the demo takes about {minutes} minute{'s' if minutes > 1 else ''}."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo. Raises what its commands raise."""
    parser = argparse.ArgumentParser(prog="python -m alignment.demo", description="Show the whole loop in one go.")
    parser.add_argument("size", nargs="?", default="full", choices=("full", "short"), help="how much it trains")
    short = parser.parse_args(argv).size == "short"
    began = time.monotonic()
    _begin(home() / "demo")
    _heading("1. The base model answers a question")
    _show_answer(None)

    _heading("2. How fast this machine is")
    from alignment.training.speed import tokens_per_second
    from data import commands

    sizes = _SHORT if short else _FULL
    rate = tokens_per_second(DEFAULT_BASE)
    size = choose(sizes, rate)
    print(told(size, sizes[0], rate), flush=True)

    _heading("3. Import the feedback that ships with Parley")
    asyncio.run(commands.import_files([str(path) for path in sorted(SEED.glob("*/*.jsonl"))]))
    asyncio.run(commands.stats())

    _heading("4. One round: train, evaluate, write a release, let the gate decide")
    flags = ["--max_demonstrations", str(size.demonstrations), "--max_preferences", str(size.preferences)]
    flags += ["--max_held_out", str(size.held_out)] if size.held_out else []
    flags += ["--questions", "2" if short else "4", "--suites", "bias_pairs" if short else "quick"]
    verdict = one_round.main(flags)

    _heading("5. Release 1 answers the same question")
    _show_answer(Releases(home()).get(1).adapter_gguf)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    _heading(f"Done in {minutes} min {seconds} s.")
    _say_what_next(promoted=verdict == 0, on_trial=Releases(home()).candidate() is not None)
    return 0


def _begin(demo: Path) -> None:
    """Make the demo's home the one of this process and its children. The previous one is kept as `demo.before`."""
    bases = bases_dir()  # before the home changes: by default they lie in it
    if demo.exists():
        before = demo.with_name("demo.before")
        shutil.rmtree(before, ignore_errors=True)
        try:
            demo.rename(before)
        except OSError as error:
            raise BadInput(
                f"The previous demo cannot be moved to {before} ({error.strerror}). Move it away."
            ) from error
        print(f"The demo starts over; the previous one is kept as {before}.")
    # The demo shows the bundled base, whichever one the real home has.
    os.environ.update(PARLEY_HOME=str(demo), PARLEY_BASES=str(bases), PARLEY_BASE=DEFAULT_BASE)
    key = private_dir(demo) / "key"
    key.touch(mode=0o600)
    key.write_bytes(_KEY)


def _heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def _show_answer(adapter: Path | None) -> None:
    """Print the demo's question, and the answer of the base with this adapter, as the bot would serve it."""
    name, language, wanted = _ASKED
    rows = read_rows(SEED / name / f"demonstrations.{language}.jsonl", "demonstration")
    question = next(row.messages[0] for row in rows if row.id == wanted)
    system = Message(role="system", content=persona(name, language).system_prompt)
    with serve(DEFAULT_BASE, adapter) as engine:
        answer = engine.complete([system, question], seed=0, max_tokens=_ANSWER)
    cut = " ..." if answer.finish_reason == "length" else ""
    print(f"  {question['content']}\n> {printable(answer.text)}{cut}", flush=True)


def _say_what_next(*, promoted: bool, on_trial: bool) -> None:
    if on_trial:
        print("So few held-out rows prove too little: release 1 is on trial, where people compare it with the base.")
    elif not promoted:
        print("The gate refused the candidate, so the base model stays in service. With few rows that is common.")
    names = ("PARLEY_HOME", "PARLEY_BASES", "PARLEY_BASE")
    places = " ".join(f"{name}={shlex.quote(os.environ[name])}" for name in names)  # so that it can be pasted
    print(f"Chat with the champion, and rate its answers:   {places} make run")
    print(f"Look at the round's report in a browser:        {home() / 'rounds' / '0001' / 'report.html'}")
    print("Train on your ratings, then let the gate decide:")
    print(f"  {places} {shlex.quote(sys.executable)} -m alignment.round")
    print("The demo's key is public, so keep real conversations in another home, such as the default one.")


if __name__ == "__main__":
    run(main)
