"""The plan of a round: its command line, checked."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alignment.evaluation.llm_judge import judge_settings
from alignment.evaluation.suites.canaries import COUNT, MOST
from alignment.serving.engine import sampling
from alignment.training.recipe import RECIPES, load
from data.chosen_base import home_base
from data.errors import BadInput
from data.home import file_sha256, home
from data.home_base import mark_of

ALGORITHMS = ("auto", "dpo", "kto", "ppo", "rloo", "grpo", "online-dpo")
# The kinds of rows that a quick round teaches.
QUICK_KINDS = ("preference", "demonstration")
# Algorithms that train against a reward model.
REWARDED = ("ppo", "rloo", "grpo", "online-dpo")
_STAGES = ("sft", "dpo", "kto", "reward", "ppo")
_LIMITS = {
    "demonstration": "max_demonstrations",
    "preference": "max_preferences",
    "labelled": "max_labelled",
    "prompt": "max_prompts",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks a round to do. `start` is "base" or "champion". See `alignment.rounds.quick`."""

    base: str
    recipes: dict[str, Path]
    limits: dict[str, int | None]
    algorithm: str = "auto"
    skip_sft: bool = False
    start: str = "base"
    suites: str = "all"
    eval_prompts: int = 120
    max_held_out: int | None = None
    questions: int = 0
    keep_rows: bool = False
    trial: bool = True
    canaries: int = COUNT
    even_if_paused: bool = False
    quick: bool = False

    @property
    def trial_suites(self) -> str:
        """The suites by which a release on trial is decided. It may be promoted, so a quick round asks all."""
        return "all" if self.quick and self.suites == "short" else self.suites

    def facts(self) -> dict[str, Any]:
        """What decides the outcome: for the manifest, and to tell two plans apart."""
        found = asdict(self)
        for free in ("questions", "keep_rows", "trial", "even_if_paused"):
            del found[free]
        if not self.quick:  # rounds of earlier versions are compared with these facts, and were whole ones
            del found["quick"]
        if self.max_held_out is None:  # nor did they have this limit
            del found["max_held_out"]
        found["base"] = mark_of(home()) or self.base  # other weights under the same name teach something else
        found["recipes"] = {name: file_sha256(path) for name, path in self.recipes.items() if path.is_file()}
        return found


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m alignment.round",
        description="Train on the feedback, compare with the champion, and promote what is better. Exit code 0: the "
        "candidate is the champion now; 1: it is not, or there is nothing to do; 2: bad input, or a stage stopped.",
    )
    add = made.add_argument
    add(
        "--quick",
        action="store_true",
        help="teach the champion the newest corrections and comparisons in minutes: one short stage, a short check, "
        "and the release goes on trial, which a later round decides; it is never promoted at once",
    )
    add(
        "--base", help="the base model of a new home (default: PARLEY_BASE, then the bundled one); others have theirs"
    )
    add(
        "--from",
        dest="start",
        choices=("base", "champion"),
        help="train a new adapter on all rows that may be used now, or continue the champion's (default: base; a "
        "quick round: champion)",
    )
    add(
        "--algorithm",
        default="auto",
        choices=ALGORITHMS,
        help="auto: SFT on demonstrations, DPO on preferences, KTO on thumbs, for those that exist. dpo and kto "
        "leave out the other one; ppo, rloo and grpo learn a reward model from the preferences and train against it; "
        "online-dpo learns one too, and draws new pairs for DPO from the model while it trains (recipe online.yaml)",
    )
    add("--skip_sft", action="store_true", help="do not train on demonstrations")
    for kind, name in _LIMITS.items():
        add(f"--{name}", type=int, metavar="N", help=f"train on a fixed part of N {kind} rows")
    for stage in _STAGES:
        add(f"--{stage}_config", type=Path, metavar="RECIPE", help=f"{stage} recipe (default: the shipped one)")
    add(
        "--suites",
        metavar="all|quick|short|none|A,B",
        help="what must not get worse (default: all; a quick round: short)",
    )
    add(
        "--eval_prompts",
        type=int,
        default=120,
        metavar="N",
        help="held-out prompts that both answer for a judge (default: %(default)s; fewer are faster and decide less)",
    )
    add(
        "--max_held_out",
        type=int,
        metavar="N",
        help="decide on a fixed part of N held-out rows a kind (fewer are faster and decide less; default: all)",
    )
    add("--questions", type=int, metavar="N", help="held-out questions to show on a terminal (default: 5)")
    add(
        "--canaries",
        type=int,
        default=COUNT,
        metavar="N",
        help="made-up secrets to plant among the rows for the suite leakage, at most one in ten rows (default: "
        "%(default)s; 0: none, and no leakage suite)",
    )
    add("--keep_rows", action="store_true", help="keep the rows beside the manifest after the round")
    add(
        "--no_trial",
        action="store_true",
        help="do not put a candidate that might be better on trial, where people compare both releases' answers",
    )
    add("--even_if_paused", action="store_true", help="run even if an operator has paused rounds")
    return made


def read_plan(argv: Sequence[str] | None = None) -> Plan:
    """The plan that a command line describes. Raises `BadInput` for a plan that cannot be run."""
    options = parser().parse_args(argv)
    for name in (*_LIMITS.values(), "eval_prompts", "max_held_out"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise BadInput(f"--{name} must be at least 1.")
    if options.questions is None:
        options.questions = 5 if sys.stdout.isatty() else 0
    if options.questions < 0:
        raise BadInput("--questions must be at least 0.")
    if not 0 <= options.canaries <= MOST:
        raise BadInput(f"--canaries must be from 0 to {MOST}.")
    if options.quick:
        _check_quick(options)
    shipped = {"dpo": "edits"} if options.quick else {"dpo": "online"} if options.algorithm == "online-dpo" else {}
    recipes = {
        stage: getattr(options, f"{stage}_config") or RECIPES / f"{shipped.get(stage, stage)}.yaml"
        for stage in _STAGES
    }
    for stage, recipe in recipes.items():
        if getattr(options, f"{stage}_config") and not recipe.is_file():
            raise BadInput(f"--{stage}_config: there is no recipe {recipe}.")
    return Plan(
        base=home_base(home(), options.base),
        recipes=recipes,
        limits={kind: getattr(options, name) for kind, name in _LIMITS.items()},
        algorithm=options.algorithm,
        skip_sft=options.skip_sft,
        start=options.start or ("champion" if options.quick else "base"),
        suites=options.suites or ("short" if options.quick else "all"),
        eval_prompts=options.eval_prompts,
        max_held_out=options.max_held_out,
        questions=options.questions,
        keep_rows=options.keep_rows,
        trial=not options.no_trial,
        canaries=options.canaries,
        even_if_paused=options.even_if_paused,
        quick=options.quick,
    )


def check_settings(plan: Plan) -> None:
    """Raise `BadInput` for unknown suites, misspelt settings, and a DPO recipe that does not fit the algorithm.

    It is called when a round begins, so that none of this is found only after hours of training.
    """
    from alignment.evaluation.verdict import check_suites  # this loads numpy; `--help` does without

    check_suites(plan.suites)
    judge_settings()
    sampling()
    recipe = plan.recipes["dpo"]
    draws = plan.algorithm == "online-dpo"
    if plan.algorithm in ("auto", "dpo", "online-dpo") and bool(load(recipe).get("online_every")) != draws:
        raise BadInput(
            f"--dpo_config: --algorithm online-dpo draws its pairs, and {recipe} sets no online_every."
            if draws
            else f"--dpo_config: {recipe} sets online_every, which is for --algorithm online-dpo."
        )


def _check_quick(options: argparse.Namespace) -> None:
    """Raise `BadInput` for a flag that means nothing in a quick round."""
    given = [f"--{stage}_config" for stage in _STAGES if stage != "dpo" and getattr(options, f"{stage}_config")]
    given += [f"--{name}" for kind, name in _LIMITS.items() if kind not in QUICK_KINDS and getattr(options, name)]
    if options.skip_sft:
        given.append("--skip_sft")
    if options.algorithm != "auto":
        given.append(f"--algorithm {options.algorithm}")
    if given:
        raise BadInput(
            f"--quick trains corrections and comparisons by one recipe (--dpo_config), so {given[0]} has no effect. "
            "Leave out one of the two."
        )
