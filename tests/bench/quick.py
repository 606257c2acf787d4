"""What does a quick round teach? Ten corrections, and the questions and paraphrases of `tests.bench.lessons`.

    python -m tests.bench.quick [--table] [--json FILE] [--round FLAGS]

One person corrects ten answers of the real small model, through the core of the bot, in a home of its own. Beside the
engine that serves, `python -m alignment.round --quick` trains, checks and puts its release on trial. That release is
then promoted by hand, and somebody who has no lessons asks everything again. With `--table`, the same corrections are
also trained by the stages alone: by the one loss, by each part of it, and by SFT and then DPO.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.conversation import Chat
from bot.engine.api import Sampling
from bot.engine.open import open_engine
from data.home import bases_dir
from data.imports import collect_rows
from data.personas import persona
from data.promotion import promote_alone
from data.releases import Releases
from data.rows import Row, write_rows
from data.store import Store
from tests.bench.lessons import Evening
from tests.bench.lessons_asked import CORRECTED, OTHERS, Corrected
from tests.bench.ran_on import processor

BASE = "smollm2-135m"
_TOKENS = 48  # of each answer
_MOST_SECONDS = 1800  # of one command
# What is trained for the table: for each line the stages in order, with flags that replace the recipes'.
LINES: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "one loss": [("dpo", "edits", {})],
    "one loss, all tokens alike": [("dpo", "edits", {"kept_weight": 1})],
    "its preference alone": [("dpo", "edits", {"kept_weight": 1, "demonstration_weight": 0})],
    "SFT then DPO, shipped recipes": [("sft", "sft", {}), ("dpo", "dpo", {})],
    "SFT then DPO, as many steps": [("sft", "sft", {"as": "edits"}), ("dpo", "dpo", {"as": "edits"})],
}


@dataclass
class Followed:
    """How many corrected questions and paraphrases are answered with the corrected fact, and what it cost."""

    questions: int = 0
    paraphrases: int = 0
    of_paraphrases: int = sum(len(case.paraphrases) for case in CORRECTED)
    seconds: float = 0
    cpu_seconds: float = 0
    answers: list[str] = field(default_factory=list)


@dataclass
class Found:
    """Everything that was measured. `others_changed` is the share of unrelated questions that get another answer than
    before, `others_leaked` the share whose answer repeats four words of a correction."""

    before: Followed = field(default_factory=Followed)
    after: Followed = field(default_factory=Followed)
    others_changed: float = 0
    others_leaked: float = 0
    on_trial: bool = False
    reasons: list[str] = field(default_factory=list)
    suites: dict[str, tuple[float, float]] = field(default_factory=dict)
    table: dict[str, Followed] = field(default_factory=dict)


def follows(case: Corrected, answer: str) -> bool:
    """Whether an answer says what was corrected."""
    return bool(re.search(case.fact, answer, re.IGNORECASE))


def runs(text: str, words: int = 4) -> set[tuple[str, ...]]:
    """All runs of this many words of a text."""
    said = re.findall(r"\w+", text.casefold())
    return {tuple(said[at : at + words]) for at in range(len(said) - words + 1)}


@contextmanager
def timed(found: Followed) -> Iterator[None]:
    """Add the block's seconds, and the processor's seconds of the commands that it ran."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found.seconds += time.monotonic() - began
    found.cpu_seconds += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(*words: str) -> int:
    """Run a command of Parley's, with its output in this one's; returns its exit code."""
    return subprocess.run([sys.executable, "-m", *words], check=False, timeout=_MOST_SECONDS).returncode


@asynccontextmanager
async def talking(home: Path, name: str) -> Any:
    """Somebody at the core of the bot, in this home."""
    store = await Store.open(home)
    engine = await open_engine(home)
    chat = Chat(store, engine, sampling=Sampling(temperature=0.0, max_tokens=_TOKENS), seed=lambda: 7)
    try:
        person = await store.person("terminal", name)
        await store.set_consent(person, True)
        yield Evening(store, chat, person)
    finally:
        await chat.close()
        await engine.close()
        await store.close()


async def asked(evening: Evening, found: Followed) -> list[str]:
    """Ask all questions and paraphrases, and the unrelated questions; returns the answers to the latter."""
    for case in CORRECTED:
        for text in (case.question, *case.paraphrases):
            said = await evening.ask(text)
            if said.lessons:
                raise SystemExit(f"A lesson was given with {text!r}; this measures what goes without.")
            good = follows(case, said.generation.text)
            found.questions += good and text == case.question
            found.paraphrases += good and text != case.question
            found.answers.append(f"{'+' if good else '-'} {text} -> {' '.join(said.generation.text.split())[:90]}")
    return [(await evening.ask(text)).generation.text for text in OTHERS]


async def measure(home: Path, flags: Sequence[str]) -> Found:
    """Correct ten answers, run the quick round, and ask again."""
    found = Found()
    async with talking(home, "teacher") as evening:
        others = await asked(evening, found.before)
        for case in CORRECTED:
            await evening.correct(await evening.ask(case.question), case.right)
        with timed(found.after):
            ended = await asyncio.to_thread(run, "alignment.round", "--quick", *flags)
    if ended not in (0, 1):
        raise SystemExit(f"The round ended with {ended}.")
    manifest = json.loads((home / "rounds" / "0001" / "manifest.json").read_text(encoding="utf-8"))
    found.reasons = manifest["decision"]["reasons"]
    found.suites = {each["name"]: (each["champion"], each["candidate"]) for each in manifest["evaluation"]["suites"]}
    found.on_trial = Releases(home).candidate() == 1
    await asyncio.to_thread(promote_alone, home, 1)
    async with talking(home, "somebody") as evening:
        again = await asked(evening, found.after)
    found.others_changed = sum(old != new for old, new in zip(others, again, strict=True)) / len(OTHERS)
    taught = {run for case in CORRECTED for run in runs(case.right)}
    found.others_leaked = sum(bool(taught & runs(text)) for text in again) / len(OTHERS)
    return found


def stages(line: list[tuple[str, str, dict[str, Any]]], rows: dict[str, Path], out: Path) -> Path:
    """Run the stages of a line of the table, each continuing the one before; returns the last adapter."""
    from alignment.training.recipe import RECIPES, load

    start = BASE
    for stage, recipe, given in line:
        changed = dict(given)
        if like := changed.pop("as", None):
            same = load(RECIPES / f"{like}.yaml")
            changed |= {name: same[name] for name in ("learning_rate", "num_train_epochs")}
        flags = [word for name, value in changed.items() for word in (f"--{name}", str(value))]
        kind = "demonstration" if stage == "sft" else "preference"
        words = ["--config", str(RECIPES / f"{recipe}.yaml"), "--model_name_or_path", start, "--eval_fraction", "0"]
        words += ["--dataset_name", str(rows[kind]), "--output_dir", str(out / stage), *flags]
        if run(f"alignment.{stage}", *words):
            raise SystemExit(f"The stage {stage} stopped.")
        start = str(out / stage / "adapter")
    return Path(start)


def served(adapter: Path | None) -> Followed:
    """What a model with this adapter follows, asked as the bot asks."""
    from alignment.evaluation.model import open_model
    from alignment.evaluation.subjects import Subject

    asked_all = [(case, text) for case in CORRECTED for text in (case.question, *case.paraphrases)]
    prompts = []
    for _, text in asked_all:
        chosen = persona("assistant", "zh" if re.search("[\u4e00-\u9fff]", text) else "en")
        prompts.append([{"role": "system", "content": chosen.system_prompt}, {"role": "user", "content": text}])
    found = Followed()
    with open_model(Subject("candidate", BASE, adapter)) as model:
        answers = model.answers(prompts, max_tokens=_TOKENS)  # type: ignore[arg-type]  # plain dictionaries
    for (case, text), answer in zip(asked_all, answers, strict=True):
        good = follows(case, answer.text)
        found.questions += good and text == case.question
        found.paraphrases += good and text != case.question
    return found


async def corrections(home: Path) -> dict[str, list[Row]]:
    """The rows of the ten corrections, by kind."""
    store = await Store.open(home)
    try:
        collected = await collect_rows(store, discord_permission=None)
    finally:
        await store.close()
    return {kind: list(collected.of(kind, "train")) for kind in ("demonstration", "preference")}


def table(home: Path) -> dict[str, Followed]:
    """Train the corrections in several ways, and count what is followed."""
    rows = {}
    for kind, found in asyncio.run(corrections(home)).items():
        rows[kind] = home / f"{kind}.jsonl"
        write_rows(rows[kind], found)
    lines = {}
    for number, (name, line) in enumerate(LINES.items()):
        cost = Followed()
        with timed(cost):
            adapter = stages(line, rows, home / f"line-{number}")
        lines[name] = served(adapter)
        lines[name].seconds, lines[name].cpu_seconds = cost.seconds, cost.cpu_seconds
        print(_line(name, lines[name]), flush=True)
    return lines


def _line(name: str, found: Followed) -> str:
    return (
        f"{name:>30}: {found.questions} of {len(CORRECTED)} questions, {found.paraphrases} of {found.of_paraphrases} "
        f"paraphrases, {found.seconds:.0f} s, {found.cpu_seconds:.0f} s of CPU"
    )


def main() -> None:
    """Measure and print."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--table", action="store_true", help="compare the one loss with SFT then DPO, too")
    flags.add_argument("--json", type=Path, help="write the figures to this file as well")
    flags.add_argument("--round", nargs=argparse.REMAINDER, default=[], help="flags of the round, at the end")
    options = flags.parse_args()
    with TemporaryDirectory(prefix="parley-quick-") as folder:
        home = Path(folder)
        os.environ.update(PARLEY_BASES=str(bases_dir()), PARLEY_HOME=folder, PARLEY_TEMPERATURE="0")
        found = asyncio.run(measure(home, options.round))
        print("\n".join(found.after.answers))
        if options.table:
            found.table = table(home)
    print("\n".join(found.reasons))
    for name, (champion, candidate) in found.suites.items():
        print(f"{name:>30}: {champion:.3f} -> {candidate:.3f}")
    print(_line("before", found.before))
    print(_line("after the quick round", found.after))
    print(
        f"On trial: {found.on_trial}. Unrelated questions that get another answer: {found.others_changed:.0%}, with "
        f"words of a correction in it: {found.others_leaked:.0%}."
    )
    for name, line in found.table.items():
        print(_line(name, line))
    print(f"Run on {processor(2)}.")
    if options.json:
        options.json.write_text(json.dumps({"on": processor(2), **asdict(found)}, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
