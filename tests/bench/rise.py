"""Do all algorithms go on rising over rounds? The simulated people, a round's own stages, no gate and no server.

    python -m tests.bench.rise --out out/rise                        # everything; many hours on one core
    python -m tests.bench.rise --out out/rise --algorithms ppo dpo --seeds 0
    python -m tests.bench.rise --out out/rise --brigade 0            # beside the others: the same without a brigade
    python -m tests.bench.rise --out out/rise --report               # tables and `rise.png` of what is there

In each round people ask new questions, the last round's release answers each twice, and everybody compares some of
the answers; for KTO they ask twice as many, and there are thumbs on single answers. Ratings become rows as on a
server: with consent, folds and weights. The stages are those that `python -m alignment.round --algorithm` would run
on these rows, from the base, with the shipped recipes but a higher learning rate (`FASTER` of `tests.bench.server`).
Every release serves the next round. The base and each release answer the same new questions, which nobody asks in any
round, and the taste says how often it likes the release's answer better, a tie counting a half.

`ppo-after-dpo` is no algorithm of a round: DPO on the preferences comes first, and PPO goes on from there.

Answers are sampled in this process. Those of the base are shared by all algorithms of a seed, and a reward model by
those that learn it from the same rows. Every part is kept in `--out`: the same command goes on where it was
interrupted, and prints what each round took of processor time.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.home import write_atomic
from tests.bench.drawn import AT_ONCE, BASE, Answer, draw
from tests.bench.ran_on import ran_on
from tests.bench.server import environment, recipes, share
from tests.bench.taste import Rater, people, questions
from tests.bench.world import TALK, World

ALGORITHMS = ("ppo", "online-dpo", "kto", "dpo", "ppo-after-dpo")
REWARDED = ("ppo", "online-dpo", "ppo-after-dpo")
PEOPLE = 20
LAZY = 3
KEY = b"a simulated server's fixed key.."
COLOURS = dict(zip(ALGORITHMS, ("tab:red", "tab:blue", "tab:orange", "tab:green", "tab:purple"), strict=True))


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured; `brigade` are the hostile ones of twenty people."""

    out: Path
    rounds: int
    questions: int
    measured: int
    tokens: int
    brigade: int


@dataclass(frozen=True, slots=True)
class Course:
    """One algorithm with one seed, in a home of its own."""

    settings: Settings
    algorithm: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its home and of its results."""
        return f"{self.algorithm}-seed{self.seed}-brigade{self.settings.brigade}"

    @property
    def results(self) -> Path:
        """The file with a line for each finished round."""
        return self.settings.out / f"{self.name}.json"

    @property
    def home(self) -> Path:
        """Its installation of Parley."""
        return self.settings.out / f"home-{self.name}"

    def release(self, number: int) -> Path | None:
        """The adapter that a round made; release 0 is the base."""
        return self.home / "releases" / str(number) if number else None

    def raters(self) -> list[Rater]:
        """Its people."""
        hostile = self.settings.brigade
        return people(PEOPLE - LAZY - hostile, LAZY, hostile)


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What a file holds, or what is made and written into it."""
    if not path.exists():
        write_atomic(path, json.dumps(make(), ensure_ascii=False))
    return json.loads(path.read_text(encoding="utf-8"))


def answers(path: Path, adapter: Path | None, asked: Sequence[str], seed: int, tokens: int) -> list[Answer]:
    """A model's answers to questions, drawn as in a talk; those that an interrupted run drew are kept."""
    found = [Answer(*json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
    if len(found) < len(asked):
        talk = {"temperature": TALK["temperature"], "top_p": TALK["top_p"]}
        at = len(found)
        for answer in draw(adapter, asked[at:], seed + at, tokens, **talk):
            found.append(answer)
            if len(found) % AT_ONCE == 0 or len(found) == len(asked):
                write_atomic(path, "".join(json.dumps(one) + "\n" for one in found))
                print(f"{path.stem}: {len(found)} of {len(asked)} answers", flush=True)
    return found


def processor_seconds() -> float:
    """What this process and its finished children took so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def talked(world: Course, number: int) -> None:
    """The talk and the ratings of a round, recorded in the world's store, unless they are there."""
    settings, done = world.settings, world.home / f"talked-{number}"
    if done.exists():
        return
    # A thumb up and one down on two answers to one question would be a preference, so KTO's people ask twice as much.
    siblings, count = (1, 2 * settings.questions) if world.algorithm == "kto" else (2, settings.questions)
    pool = questions()[settings.measured :]
    asked = pool[count * (number - 1) : count * number]
    name = f"seed{world.seed}-{siblings}" if number == 1 else f"{world.name}-{number}"
    drawn = []
    for which in range(siblings):
        path = settings.out / f"talk-{name}-{which}.jsonl"
        seed = 1000 * world.seed + 10 * number + which
        drawn.append(answers(path, world.release(number - 1), asked, seed, settings.tokens))
    # An interrupted recording is thrown away.
    before = world.home / "before.db"
    database = world.home / "parley.db"
    for more in ("-wal", "-shm"):
        database.with_name(database.name + more).unlink(missing_ok=True)
    if before.exists():
        shutil.copy(before, database)
    else:
        database.unlink(missing_ok=True)
    heard = kept(world.home / "heard.json", list)
    groups = [list(group) for group in zip(*drawn, strict=True)]
    people_here = World(world.home, 100 * world.seed + number, heard, world.raters())
    spoken = asyncio.run(people_here.recorded(asked, groups, number - 1))
    counts = asyncio.run(people_here.rate(spoken, world.raters()))
    shutil.copy(database, before)
    write_atomic(world.home / "heard.json", json.dumps(people_here.heard))
    write_atomic(
        done, json.dumps({"counts": counts, "liked": statistics.fmean(one.liked for g in groups for one in g)})
    )


def trained(world: Course, number: int, warm: Any) -> dict[str, Any]:
    """Run a round's stages on the rows that may be used now; returns what trained and the stages' figures."""
    from alignment.rounds.manifest import RoundFolder
    from alignment.rounds.snapshot import Snapshot
    from alignment.rounds.steps import Step, choose, run_step
    from data.home import discord_permission
    from data.imports import collect_rows
    from data.store import Store

    async def collected() -> Any:
        store = await Store.open(world.home)
        try:
            return await collect_rows(store, discord_permission=discord_permission())
        finally:
            await store.close()

    config = recipe_files(world)
    with RoundFolder.open(world.home / "rounds") as folder:
        snapshot = Snapshot(asyncio.run(collected()), pinned=folder.pinned)
        algorithm = "ppo" if world.algorithm == "ppo-after-dpo" else world.algorithm
        steps, notes = choose(algorithm, snapshot, champion=number - 1)
        if world.algorithm == "ppo-after-dpo":
            pairs, watched = snapshot.training("preference"), snapshot.watched("preference")
            steps = [steps[0], Step("dpo", "dpo", pairs, watched), *steps[1:]]
        for note in notes:
            print(note)
        folder.note(rows=snapshot.ids())
        start: str | Path = BASE
        for step in steps:
            if step.name == "reward":
                share_reward(world, number, folder)
            print(f"{world.name}, round {number}: {step.name} on {len(step.rows)} rows", flush=True)
            made = run_step(step, config[step.module], start if step.policy else BASE, folder, warm)
            start = made if step.policy else start
        target = world.release(number)
        assert target is not None
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(start, target)
        figures = {name: run.figures for name, run in folder.manifest.training.items()}
        rows = {step.name: len(step.rows) for step in steps}
        folder.end("promoted", "Every release serves here.")
    return {"rows": rows, "figures": figures}


def share_reward(world: Course, number: int, folder: Any) -> None:
    """Take the reward model of an algorithm with the same ratings. `run_step` keeps it only if all inputs agree."""
    if number > 1 or (folder.path / "reward").exists():
        return
    for algorithm in REWARDED:
        other = Course(world.settings, algorithm, world.seed)
        source = other.home / "rounds" / "0001"
        if other != world and other.results.exists() and (source / "reward" / "reward").exists():
            inputs = json.loads((source / "manifest.json").read_text(encoding="utf-8"))["stages"]["reward"]
            shutil.copytree(source / "reward", folder.path / "reward")
            folder.note(started={"reward": inputs}, stages={"reward": inputs})
            return


def recipe_files(world: Course) -> dict[str, Path]:
    """The recipe of each stage with the world's seed and the bench's length of answers."""
    from alignment.training.recipe import RECIPES

    settings, found = world.settings, {}
    target = world.home / "recipes"
    target.mkdir(exist_ok=True)
    flags = recipes(target, world.algorithm)
    given = dict(zip(flags[::2], flags[1::2], strict=True))
    for stage in ("reward", "dpo", "kto", "ppo"):
        text = Path(given.get(f"--{stage}_config", RECIPES / f"{stage}.yaml")).read_text(encoding="utf-8")
        lines = [
            f"seed: {world.seed}"
            if line.startswith("seed:")
            else f"max_completion_length: {settings.tokens}"
            if line.startswith("max_completion_length:")
            else line
            for line in text.splitlines()
        ]
        found[stage] = target / f"{stage}-used.yaml"
        write_atomic(found[stage], "\n".join(lines) + "\n")
    return found


def run(world: Course, warm: Any) -> None:
    """The rounds of one world that are not done yet."""
    settings = world.settings
    world.home.mkdir(parents=True, exist_ok=True)
    write_atomic(world.home / "key", KEY)
    (world.home / "key").chmod(0o600)
    os.environ.update(environment(world.home))
    measured = questions()[: settings.measured]
    lines = json.loads(world.results.read_text(encoding="utf-8")) if world.results.exists() else []
    of_base = answers(settings.out / "measured-base.jsonl", None, measured, 1, settings.tokens)
    for number in range(len(lines) + 1, settings.rounds + 1):
        began, processor = time.monotonic(), processor_seconds()
        talked(world, number)
        said = json.loads((world.home / f"talked-{number}").read_text(encoding="utf-8"))
        # A round that ended before its result was written is not run again.
        told = kept(world.home / f"trained-{number}.json", lambda number=number: trained(world, number, warm))
        file = settings.out / f"measured-{world.name}-{number}.jsonl"
        of_release = answers(file, world.release(number), measured, 1, settings.tokens)
        found = share([one.liked for one in of_release], [one.liked for one in of_base])
        lines.append(
            {
                "round": number,
                "share": {"mean": found.mean, "low": found.low, "high": found.high},
                "questions": len(measured),
                "taste": statistics.fmean(one.liked for one in of_release),
                "words": statistics.fmean(len(one.text.split()) for one in of_release),
                "ended": statistics.fmean(one.ended for one in of_release),
                "seconds": round(time.monotonic() - began),
                "processor_seconds": round(processor_seconds() - processor),
                **said,
                **told,
            }
        )
        write_atomic(world.results, json.dumps(lines, indent=1))
        report(settings.out)


def report(out: Path) -> None:
    """All rounds of all worlds that are there, as a table and as `rise.png`."""
    from data.drawing import SMALL, figure, png

    console = Console(width=130)
    table = Table(title="how often the taste prefers the release's answer to the base's")
    for column in ("world", "round", "preferred", "95 %", "questions", "taste", "words", "ended", "processor s", "s"):
        table.add_column(column)
    picture, (panel,) = figure(7, 4.2)
    for path in sorted(out.glob("*-seed*-brigade*.json")):
        lines = json.loads(path.read_text(encoding="utf-8"))
        for line in lines:
            share_, more = line["share"], [f"{line[name]:.2f}" for name in ("taste", "words", "ended")]
            table.add_row(
                path.stem,
                str(line["round"]),
                f"{share_['mean']:.1%}",
                f"{share_['low']:.1%} to {share_['high']:.1%}",
                str(line["questions"]),
                *more,
                str(line["processor_seconds"]),
                str(line["seconds"]),
            )
        algorithm = path.stem.partition("-seed")[0]
        rounds = [0, *(line["round"] for line in lines)]
        means = [0.5, *(line["share"]["mean"] for line in lines)]
        errors = [
            [0.0, *(abs(line["share"][side] - line["share"]["mean"]) for line in lines)] for side in ("low", "high")
        ]
        style = {"marker": "o", "capsize": 3, "linestyle": "--" if path.stem.endswith("brigade0") else "-"}
        panel.errorbar(rounds, means, yerr=errors, color=COLOURS[algorithm], label=path.stem, alpha=0.8, **style)
    panel.set(xlabel="round", ylabel="preferred to the base", ylim=(0.4, 1.02))
    panel.axhline(0.8, color="black", linewidth=0.8, linestyle=":")
    panel.legend(fontsize=SMALL)
    write_atomic(out / "rise.png", png(picture))
    console.print(ran_on())
    console.print(table)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=ALGORITHMS[:4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=96, help="asked in each round")
    parser.add_argument("--measured", type=int, default=200, help="new questions of the measurement")
    parser.add_argument(
        "--tokens", type=int, default=200, help="of the longest answer; one that is cut off trains nothing"
    )
    parser.add_argument("--brigade", type=int, default=6, help="of twenty people, three of whom are lazy")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    if options.report:
        report(out)
        return
    from alignment.rounds.warm import WarmStart

    settings = Settings(out, options.rounds, options.questions, options.measured, options.tokens, options.brigade)
    with WarmStart() as warm:
        for seed in options.seeds:
            for algorithm in options.algorithms:
                run(Course(settings, algorithm, seed), warm)


if __name__ == "__main__":
    main()
