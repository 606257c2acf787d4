"""Why PPO may fall from one round to the next: two rounds against a known taste, without gate, votes or folds.

    python -m tests.bench.ppo_rounds --out out/ppo-rounds
    python -m tests.bench.ppo_rounds --out out/ppo-rounds --ways restart      # only some ways of the second round
    python -m tests.bench.ppo_rounds --out out/probe --release_1 dpo --questions 64 --held_out 48 --tokens 64 --ways

The third line measures what reward models of the first round know, and makes no second one.

In the first round the base answers questions twice, an honest person of `tests.bench.taste` compares, and a reward
model learns the comparisons. Release 1 is what PPO makes of the base against it, or, with `--release_1 dpo`, what DPO
makes of the comparisons in less time. In the second round release 1 answers new questions, and these ways of going on
by PPO are compared:

    restart     as `--from base`: PPO begins at the base, its reward model learns all pairs alike
    continue    as `--from champion`: PPO continues release 1, with the same reward model
    fresh       the same, and the reward model has three heads and draws older pairs half as often

It prints how well each reward model ranks pairs of the base's and of release 1's answers to questions that nobody
trained on, how the reward and the taste move in PPO's steps, and how the taste likes what each policy answers. Every
part is kept in `--out`: the same command goes on where it was interrupted.
"""

import argparse
import json
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from alignment.rounds.row_lists import fresh_more_often
from data.rows import Row, write_rows
from tests.bench.ran_on import ran_on
from tests.bench.taste import Rater, questions, taste

BASE = "smollm2-135m"
# As `tests.bench.world.TALK`.
TALK = {"PARLEY_TEMPERATURE": "0.9", "PARLEY_TOP_P": "0.95", "PARLEY_FREQUENCY_PENALTY": "0.4"}
CLOSE = 0.02  # two answers that the taste likes about alike: no pair
WAYS = ("restart", "continue", "fresh")


class Bench:
    """The parts of the bench, each kept in a file or a run folder of `out`."""

    def __init__(self, out: Path, count: int, held_out: int, tokens: int, learning_rate: str) -> None:
        self.out, self.tokens, self.learning_rate = out, tokens, learning_rate
        pool = questions()
        self.held_out, self.first, self.second = (
            pool[:held_out],
            pool[held_out : held_out + count],
            pool[held_out + count : held_out + 2 * count],
        )

    def answers(self, name: str, policy: Path | None, asked: Sequence[str]) -> list[list[Any]]:
        """Two answers of a policy to each question, as [text, how the taste likes it], sampled as in a talk."""
        return self._kept(f"{name}.json", lambda: self._answer(policy, asked))

    def _answer(self, policy: Path | None, asked: Sequence[str]) -> list[list[Any]]:
        from alignment.serving.artefact import to_gguf
        from alignment.serving.engine import serve

        gguf = policy.parent / "adapter.gguf" if policy else None
        if policy and gguf and not gguf.exists():
            to_gguf(policy, BASE, gguf)

        def one(number: int) -> list[Any]:
            question = asked[number // 2]
            found = engine.complete(prompt(question), seed=1 + number, max_tokens=self.tokens)
            return [found.text, taste(question, found.text, found.finish_reason == "stop")]

        with serve(BASE, gguf) as engine, ThreadPoolExecutor(max_workers=4) as pool:
            flat = list(pool.map(one, range(2 * len(asked))))
        return [flat[at : at + 2] for at in range(0, len(flat), 2)]

    def pairs(self, name: str, asked: Sequence[str], answered: list[list[Any]], release: int) -> list[Row]:
        """What an honest person makes of two answers to each question; ties make no row."""
        rater, draw, rows = Rater("honest", "honest"), random.Random(name), []
        for question, both in zip(asked, answered, strict=True):
            said = rater.compares(both[0][1], both[1][1], draw)
            if said == "tie" or both[0][0] == both[1][0]:
                continue
            chosen, rejected = both if said == "a" else both[::-1]
            data = {"prompt": prompt(question), "chosen": say(chosen), "rejected": say(rejected)}
            rows.append(Row("preference", data, {"release": release}))
        return rows

    def reward(self, name: str, rows: Sequence[Row], *flags: str) -> Path:
        """A reward model on pairs."""
        from alignment import reward

        folder = self.out / name
        write_rows(self.out / f"{name}.jsonl", rows)
        arguments = ["--config", recipe("reward"), "--model_name_or_path", BASE, "--eval_fraction", "0"]
        arguments += ["--eval_strategy", "no", "--dataset_name", str(self.out / f"{name}.jsonl"), *flags]
        reward.main([*arguments, "--output_dir", str(folder)])
        return folder / "reward"

    def ppo(self, name: str, start: Path | None, model: Path, asked: Sequence[str], *flags: str) -> Path:
        """PPO from the base or an adapter on questions; all answers of its rollouts are kept in `samples.jsonl`."""
        from alignment import ppo
        from alignment.rl import samples

        samples._SHOWN = 1_000_000
        folder = self.out / name
        write_rows(self.out / f"{name}.jsonl", [Row("prompt", {"prompt": prompt(question)}) for question in asked])
        arguments = ["--config", recipe("ppo"), "--model_name_or_path", str(start or BASE), "--eval_fraction", "0"]
        arguments += ["--eval_strategy", "no", "--dataset_name", str(self.out / f"{name}.jsonl")]
        arguments += ["--reward_model", str(model), "--learning_rate", self.learning_rate]
        arguments += ["--max_completion_length", str(self.tokens), *flags, "--output_dir", str(folder)]
        ppo.main(arguments)
        return folder / "adapter"

    def dpo(self, name: str, rows: Sequence[Row]) -> Path:
        """DPO from the base on pairs."""
        from alignment import dpo

        folder = self.out / name
        write_rows(self.out / f"{name}.jsonl", rows)
        arguments = ["--config", recipe("dpo"), "--model_name_or_path", BASE, "--eval_fraction", "0"]
        arguments += ["--eval_strategy", "no", "--dataset_name", str(self.out / f"{name}.jsonl")]
        arguments += ["--learning_rate", "3.0e-4", "--num_train_epochs", "2", "--output_dir", str(folder)]
        dpo.main(arguments)
        return folder / "adapter"

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        path = self.out / name
        if not path.exists():
            path.write_text(json.dumps(make(), ensure_ascii=False), encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))

    def scores(self, name: str, model: Path, answered: list[list[Any]]) -> list[list[float]]:
        """What a reward model says of the answers to the held-out questions."""

        def scored() -> list[list[float]]:
            from alignment.rewards.model import load_reward_model

            asked = [prompt(question) for question in self.held_out for _ in range(2)]
            found = load_reward_model(model).score(asked, [text for both in answered for text, _ in both])
            return [found[at : at + 2] for at in range(0, len(found), 2)]

        found: list[list[float]] = self._kept(f"{name}.json", scored)
        return found

    def steps(self, name: str) -> list[tuple[int, float, float, float]]:
        """Of each rollout of a PPO run: the step before it, the mean reward, the mean taste, the mean KL in nats."""
        found: dict[int, list[tuple[float, float, float]]] = {}
        for line in (self.out / name / "samples.jsonl").read_text(encoding="utf-8").split("\n"):
            if line:
                one = json.loads(line)
                liked = taste(one["prompt"][-1]["content"], one["completion"], one["ended"])
                found.setdefault(one["step"], []).append((one["reward"], liked, one["kl"]))
        means = {step: [fmean(column) for column in zip(*rows, strict=True)] for step, rows in found.items()}
        return [(step, reward, liked, kl) for step, (reward, liked, kl) in means.items()]


def prompt(question: str) -> list[dict[str, str]]:
    """A question as the bot puts it to the model."""
    from data.personas import persona

    system = persona("assistant", "en").system_prompt
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


def say(answer: list[Any]) -> list[dict[str, str]]:
    """An answer as a row holds it."""
    return [{"role": "assistant", "content": answer[0]}]


def recipe(stage: str) -> str:
    """The shipped recipe of a stage."""
    from alignment.training.recipe import RECIPES

    return str(RECIPES / f"{stage}.yaml")


def shown(values: list[float]) -> str:
    """A mean with its 95 % interval."""
    from alignment.intervals import bootstrap

    found = bootstrap(values)
    return f"{found.mean:.1%} ({found.low:.1%} to {found.high:.1%}; n = {len(values)})"


def judged(scores: list[list[float]], answered: list[list[Any]]) -> str:
    """How well a reward model knows the taste: the pairs it ranks alike, and the correlation over all answers."""
    right = [
        float((one[0] > one[1]) == (both[0][1] > both[1][1]))
        for one, both in zip(scores, answered, strict=True)
        if abs(both[0][1] - both[1][1]) >= CLOSE
    ]
    said, liked = np.array(scores), np.array([[answer[1] for answer in both] for both in answered])
    draw = np.random.default_rng(0)
    again = [draw.integers(0, len(said), len(said)) for _ in range(2000)]
    low, high = np.quantile([_correlation(said[rows], liked[rows]) for rows in again], [0.025, 0.975])
    return f"{shown(right)}\ncorrelation {_correlation(said, liked):.2f} ({low:.2f} to {high:.2f}; n = {said.size})"


def _correlation(one: Any, other: Any) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def preferred(mine: list[list[Any]], other: list[list[Any]]) -> list[float]:
    """For each held-out question how often the taste prefers one policy's answers to the other's; ties count half."""
    return [
        fmean(0.5 + 0.5 * ((a[1] > b[1]) - (a[1] < b[1])) for a, b in zip(mine_two, other_two, strict=True))
        for mine_two, other_two in zip(mine, other, strict=True)
    ]


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=96, help="questions in each round")
    parser.add_argument("--held_out", type=int, default=100, help="questions of the measurement")
    parser.add_argument("--tokens", type=int, default=96, help="of the longest answer")
    parser.add_argument("--learning_rate", default="3.0e-4", help="PPO's")
    parser.add_argument("--release_1", default="ppo", choices=("ppo", "dpo"), help="how release 1 is made")
    ways = "of going on in the second round; without any there is none"
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS, help=ways)
    options = parser.parse_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    os.environ |= {**TALK, "PARLEY_HOME": str(out / "home")}
    bench = Bench(out, options.questions, options.held_out, options.tokens, options.learning_rate)
    run(bench, options.release_1, options.ways)


def run(bench: Bench, release_1: str, ways: Sequence[str]) -> None:
    """The parts in their order; prints what is known after each."""
    console = Console(width=130)
    first = bench.pairs("first", bench.first, bench.answers("answers-first", None, bench.first), 0)
    reward = bench.reward("reward-first", first)
    by_ppo = release_1 == "ppo"
    champion = bench.ppo("ppo-first", None, reward, bench.first) if by_ppo else bench.dpo("dpo-first", first)
    policies = {"base": None, "release 1": champion}
    of_base = bench.answers("held-out-base", None, bench.held_out)
    of_champion = bench.answers("held-out-champion", champion, bench.held_out)
    models = {"first": reward}

    def report() -> None:
        console.print(ran_on())
        table = Table(title="how well reward models know the taste: pairs of held-out answers, and all of them")
        for column in ("reward model", "base's answers", "release 1's answers"):
            table.add_column(column)
        for name, model in models.items():
            table.add_row(
                name,
                judged(bench.scores(f"scores-{name}-base", model, of_base), of_base),
                judged(bench.scores(f"scores-{name}-champion", model, of_champion), of_champion),
            )
        console.print(table)
        for name in ("ppo-first", *(f"ppo-{way}" for way in ways)):
            if (bench.out / name / "samples.jsonl").exists():
                console.print(f"{name}: step, reward, taste, KL")
                for step, reward, liked, kl in bench.steps(name):
                    console.print(f"  {step:4d}  {reward:7.3f}  {liked:.3f}  {kl:6.2f}")
        table = Table(title="what the taste says of held-out answers")
        for column in ("policy", "taste", "preferred to the base's", "preferred to release 1's"):
            table.add_column(column)
        for name, policy in policies.items():
            kept = {"base": "held-out-base", "release 1": "held-out-champion"}.get(name, f"held-out-{name}")
            mine = bench.answers(kept, policy, bench.held_out)
            liked = fmean(answer[1] for both in mine for answer in both)
            against = [shown(preferred(mine, other)) for other in (of_base, of_champion)]
            table.add_row(name, f"{liked:.3f}", *against)
        console.print(table)

    report()
    if not ways:
        return
    second = bench.pairs("second", bench.second, bench.answers("answers-second", champion, bench.second), 1)
    both = [*first, *second]
    models["fresh"] = bench.reward("reward-fresh", fresh_more_often(both, 1), "--heads", "3")
    report()
    models["all"] = bench.reward("reward-all", both)
    report()
    for way in ways:
        model = models["fresh" if way == "fresh" else "all"]
        policies[way] = bench.ppo(f"ppo-{way}", None if way == "restart" else champion, model, bench.second)
        report()


if __name__ == "__main__":
    main()
