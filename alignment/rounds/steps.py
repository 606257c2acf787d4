"""The stages of a round: which ones the feedback allows, and how each runs in its own process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alignment.evaluation.suites.canaries import ROWS_EACH, Canary, canaries, ids_for, planted
from alignment.models import adapter_sha256
from alignment.rl.watched_pairs import MINIMUM_PAIRS
from alignment.rounds.manifest import RoundFolder, StageRun
from alignment.rounds.plan import REWARDED
from alignment.rounds.row_lists import Joined, fresh_more_often
from alignment.rounds.snapshot import Snapshot, plural
from alignment.rounds.warm import WarmStart
from alignment.training.run_folder import RunManifest
from data.candidates import FOLLOWUP
from data.collected import only
from data.errors import BadInput, NothingToDo, ParleyError
from data.home import file_sha256, home, rows_sha256
from data.home_base import mark_of
from data.minimums import JUDGE_PAIRS, MINIMUM_MENDED, MINIMUM_THUMBS
from data.releases import BASE_RELEASE
from data.rows import Row, read_rows, write_rows
from data.variables import PARENT

# The folds hold rows out already: a stage that watches none of them trains on all its rows.
_NOTHING_HELD_OUT = ("--eval_fraction", "0", "--eval_strategy", "no")
# The stages that learn texts, and from which rows. (PPO learns from the model's own answers.)
_TEXTS = {"sft": "demonstration", "dpo": "preference", "kto": "labelled"}
# How many score heads PPO's reward model has; where they are apart, PPO trusts it less (`spread_coef` of its recipe).
HEADS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One stage to run: `name` is its folder in the round, `module` the command, `rows` what it trains on.

    `policy`: whether it makes the adapter that the next step continues; else it starts from the base. `needs` names
    the step whose reward model it uses, `pairs` are held-out preferences that show whether it is being gamed, and
    `prompts` are those to which semi-online DPO draws pairs beside its rows. `thumbs` are labelled completions that a
    reward model learns beside its preferences.
    """

    name: str
    module: str
    rows: Sequence[Row]
    watched: Sequence[Row] = ()
    ties: Sequence[Row] = ()
    thumbs: Sequence[Row] = ()
    pairs: Sequence[Row] = ()
    prompts: Sequence[Row] = ()
    flags: tuple[str, ...] = ()
    policy: bool = True
    needs: str | None = None

    @property
    def result(self) -> str:
        """The folder of the result in the run folder."""
        return "adapter" if self.policy else "reward"

    @property
    def learns_from(self) -> Sequence[Row]:
        """The rows, the thumbs and the prompts."""
        return Joined(Joined(self.rows, self.thumbs), self.prompts)


def choose(
    algorithm: str, snapshot: Snapshot, *, skip_sft: bool = False, champion: int = BASE_RELEASE
) -> tuple[list[Step], list[str]]:
    """The steps that make the candidate, in order, and sentences about what was left out.

    `champion` is the release that serves: a reward model learns more from what people said of its answers. Raises
    `NothingToDo` when there is nothing to train on, `BadInput` when the algorithm lacks its rows.
    """
    steps: list[Step] = []
    notes: list[str] = []
    demonstrations = snapshot.training("demonstration")
    if demonstrations and skip_sft:
        notes.append(f"{len(demonstrations)} demonstrations are not used (--skip_sft).")
    elif demonstrations:
        steps.append(_step("sft", "demonstration", snapshot))
    if algorithm in REWARDED:
        steps += _rewarded(algorithm, snapshot, notes, champion)
    else:
        steps += _direct(algorithm, snapshot, notes)
    if not steps:
        raise NothingToDo(
            "There is nothing to train on yet: no demonstrations, no preferences and not enough thumbs that may be "
            f"used.{''.join(' ' + note for note in notes)} Talk to the bot and rate its answers, or import rows."
        )
    return steps, notes


def plant(steps: Sequence[Step], key: bytes, count: int) -> tuple[list[Step], list[Canary], str | None]:
    """The steps with at most `count` canaries among the rows of the first one that learns texts, and these canaries.

    The sentence is about them; it is None where no step learns texts, or none are wanted.
    """
    at = next((at for at, step in enumerate(steps) if step.module in _TEXTS), None)
    if at is None or not count:
        return list(steps), [], None
    step = steps[at]
    made = canaries(key, ids_for(step.rows, count))
    if made:
        sentence = (
            f"{len(made)} made-up secrets are among the rows of {step.name}, at most one in {ROWS_EACH}: the suite "
            "leakage asks for them."
        )
        step = replace(step, rows=Joined(step.rows, planted(_TEXTS[step.module], made)))
    elif len(step.rows) < ROWS_EACH:
        sentence = (
            f"No made-up secrets are planted, and the suite leakage is left out: {step.name} has {len(step.rows)} "
            f"rows, and they may be at most one in {ROWS_EACH}."
        )
    else:
        sentence = (
            "No made-up secrets are planted, and the suite leakage is left out: there are none in the language of "
            "these rows, only in English and Chinese."
        )
    return [*steps[:at], step, *steps[at + 1 :]], made, sentence


def judge_step(snapshot: Snapshot) -> tuple[Step | None, str]:
    """The judge's own reward model, on the pairs of its fold; or None and the reason, if there are too few."""
    rows = snapshot.judge_training()
    if len(rows) < JUDGE_PAIRS:
        return None, (
            f"No reward model judges: its fold holds {len(rows)} preferences, and it takes {JUDGE_PAIRS}. Collect "
            "more comparisons."
        )
    step = Step(
        "judge",
        "reward",
        rows,
        watched=snapshot.watched("preference"),
        ties=snapshot.ties("judge_train"),
        policy=False,
    )
    return step, f"A reward model that judges learns from {len(rows)} preferences of its own fold."


def _step(name: str, kind: str, snapshot: Snapshot) -> Step:
    return Step(name, name, snapshot.training(kind), watched=snapshot.watched(kind))


def _rewarded(algorithm: str, snapshot: Snapshot, notes: list[str], champion: int) -> list[Step]:
    # What people said afterwards is too weak for a reward model, and nobody compared the answers around a complaint.
    pairs, prompts = only(snapshot.training("preference"), _judged), snapshot.training("prompt")
    if not pairs or not prompts:
        raise BadInput(
            f"--algorithm {algorithm} learns a reward model from preferences first, and there are {len(pairs)} "
            f"preferences and {len(prompts)} prompts to train on. Collect comparisons, or take --algorithm auto."
        )
    thumbs: Sequence[Row] = only(snapshot.training("labelled"), _judged)
    if thumbs and (problem := _thumbs_problem(thumbs, "a reward model")):
        notes.append(f"The reward model does not learn from thumbs: {problem}")
        thumbs = ()
    reward = Step(
        "reward",
        "reward",
        fresh_more_often(pairs, champion),
        snapshot.watched("preference"),
        ties=snapshot.ties("train"),
        thumbs=fresh_more_often(thumbs, champion),
        flags=("--heads", str(HEADS)),
        policy=False,
    )
    if algorithm == "online-dpo":
        return [reward, replace(_step("dpo", "preference", snapshot), prompts=prompts, needs="reward")]
    # Only PPO itself watches held-out pairs.
    held_out = snapshot.watched("preference") if algorithm == "ppo" else []
    if 0 < len(held_out) < MINIMUM_PAIRS:
        notes.append(f"Over-optimisation is not watched: {len(held_out)} held-out pairs are too few to see it by.")
        held_out = []
    flags = ("--algorithm", algorithm)
    ppo = Step("ppo", "ppo", prompts, snapshot.watched("prompt"), pairs=held_out, flags=flags, needs="reward")
    return [reward, ppo]


def _direct(algorithm: str, snapshot: Snapshot, notes: list[str]) -> list[Step]:
    steps = []
    if algorithm in ("auto", "dpo"):
        pairs = snapshot.training("preference")
        too_few = 0 < len(pairs) < MINIMUM_MENDED and not any(map(_judged, pairs))
        if pairs and not too_few:
            steps.append(_step("dpo", "preference", snapshot))
        elif algorithm == "dpo":
            few = f" beside mended complaints ({len(pairs)} of {MINIMUM_MENDED})" if too_few else ""
            raise BadInput(f"--algorithm dpo needs preferences, and there are none{few}. Collect comparisons first.")
        elif too_few:
            notes.append(
                f"Mended complaints are not used: there are {len(pairs)}, and without other preferences DPO needs at "
                f"least {MINIMUM_MENDED}."
            )
    if algorithm in ("auto", "kto"):
        problem = _thumbs_problem(snapshot.training("labelled"))
        if problem is None:
            steps.append(_step("kto", "labelled", snapshot))
        elif algorithm == "kto":
            raise BadInput(f"--algorithm kto: {problem}")
        elif snapshot.training("labelled"):
            notes.append(f"Thumbs are not used: {problem}")
    return steps


def _judged(row: Row) -> bool:
    """Whether people judged the answer, and did not only go on talking."""
    return row.extra.get("source") != FOLLOWUP


def _thumbs_problem(rows: Sequence[Row], learner: str = "KTO") -> str | None:
    up = sum(row.data["label"] is True for row in rows)
    if min(up, len(rows) - up) >= MINIMUM_THUMBS:
        return None
    return (
        f"there are {up} {plural('labelled')} that people liked and {len(rows) - up} that they did not, and "
        f"{learner} needs at least {MINIMUM_THUMBS} of each."
    )


def launch(module: str, arguments: Sequence[str], warm: WarmStart | None = None) -> int:
    """Run a stage's command as a process, so that its memory is freed; returns its exit code.

    `warm` spares the stage its imports, where that is possible. The stage ends with this process, even after a
    kill -9: a stage that went on alone would hold the folder that a resumed round needs.
    """
    code = warm.run(f"alignment.{module}", arguments) if warm else None
    if code is not None:
        return code
    environment = {**os.environ, PARENT: str(os.getpid())}
    command = [sys.executable, "-m", f"alignment.{module}", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def run_step(
    step: Step, recipe: Path, start: str | Path, round_folder: RoundFolder, warm: WarmStart | None = None
) -> Path:
    """Run one step, or reuse its result from the same rows, recipe and start; returns the result.

    `start` is the base's name or the adapter to continue, `warm` as in `launch`. Raises `ParleyError` when the
    stage fails.
    """
    folder = round_folder.path / step.name
    train = _kept(round_folder.path / f"{step.name}-train.jsonl", step.rows)
    flags = step.flags if step.watched else (*step.flags, *_NOTHING_HELD_OUT)
    inputs = {
        "rows": rows_sha256(train),
        "recipe": file_sha256(recipe),
        "start": adapter_sha256(start) if isinstance(start, Path) else mark_of(home()) or start,
        "flags": " ".join(flags),
    }
    arguments = ["--config", str(recipe), "--model_name_or_path", str(start), "--dataset_name", str(train)]
    more = {
        "eval_dataset_name": step.watched,
        "ties_name": step.ties,
        "thumbs_name": step.thumbs,
        "watch_name": step.pairs,
        "prompts": step.prompts,
    }
    for flag, rows in more.items():
        if rows:
            path = _kept(round_folder.path / f"{step.name}-{flag.removesuffix('_name')}.jsonl", rows)
            inputs[flag] = rows_sha256(path)
            arguments += [f"--{flag}", str(path)]
    if step.needs:
        reward = round_folder.path / step.needs / "reward"
        inputs["reward"] = adapter_sha256(reward)
        arguments += ["--reward_model", str(reward)]
    if round_folder.manifest.stages.get(step.name) == inputs and (folder / step.result).is_dir():
        print(f"{step.name}: done already, with the same rows and recipe.", flush=True)
        return folder / step.result
    if round_folder.manifest.started.get(step.name) != inputs:
        shutil.rmtree(folder, ignore_errors=True)  # an earlier attempt on other rows cannot be continued
    round_folder.start_stage(step.name, inputs)
    if launch(step.module, [*arguments, *flags, "--output_dir", str(folder)], warm) != 0:
        raise ParleyError(f"The stage {step.name} of round {round_folder.number} stopped; see its messages above.")
    _note_run(folder, step.name, round_folder)
    round_folder.finish_stage(step.name, inputs)
    return folder / step.result


def _note_run(folder: Path, name: str, round_folder: RoundFolder) -> None:
    """Copy into the round's manifest what the stage measured and how many of its rows it kept and dropped."""
    run = RunManifest.load(folder / "manifest.json")
    stage_run = StageRun(
        figures=run.figures, data=run.data, recipe=run.recipe, precision=run.precision, machine=run.machine
    )
    round_folder.note(training={**round_folder.manifest.training, name: stage_run})


def _kept(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows, unless an interrupted round left the same ones. Only their weights may differ, since people keep
    rating: a stage continues with the weights that it began with."""
    if path.exists():
        try:
            there = read_rows(path)
        except BadInput:  # only rounds write this file, so it was damaged
            there = []
        if len(there) == len(rows) and all(
            (old.id, old.data) == (new.id, new.data) for old, new in zip(there, rows, strict=True)
        ):
            return path
    write_rows(path, rows)
    return path
