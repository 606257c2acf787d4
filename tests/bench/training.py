"""How much faster Parley is than TRL: the same rows, seed and machine, one epoch, the reference pass included.

    python -m tests.bench.training                              # everything; hours on two cores
    python -m tests.bench.training --stages dpo --rows multi    # one stage on one kind of row
    python -m tests.bench.training --stages sft reward --rows short long --repeats 3 --out out/training

Three ways: `trl`, TRL's trainer with its defaults; `best`, TRL with its fastest settings (no activation
checkpointing, the base held in bf16, the reference computed once, rows of similar length in a batch if it can, long
ones alone); and `parley`, the stage's command. All in bf16 if the machine multiplies it, else in float32. A PPO step
(sampling, rewards, training on each answer once) is compared with TRL's RLOO, which has no critic to train: two
answers of at most 64 tokens to each of the same prompts, and the same reward model. The runs are interleaved, each in
a separate process; the table holds medians, and the ratio is TRL's to Parley's. Seconds are those of `train()` and of
the reference pass, if that comes before it; loading the model and reading the rows are not counted. Tokens are the
positions that went into a model in that time, padding and repeated prompts included: of the policy, the reference,
the reward model and of sampling. The last loss is that of the last rows, and the ways differ in their order.

Kinds of rows, made from the seed rows: `multi` (several turns, the prompt about four times as long as the answers),
`short` (one question) and `long` (histories of about 2,000 tokens).
"""

import argparse
import json
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import run
from tests.bench.ran_on import ran_on

ROOT = Path(__file__).parents[2]
STAGES = ("sft", "reward", "dpo", "kto", "ppo")
WAYS = ("trl", "best", "parley")
# Tokens of the prompt, and how many rows, of each kind.
KINDS = {"multi": (200, 24), "short": (0, 48), "long": (2000, 8)}
BATCH = 8  # rows a step, or answers
WORDS = 10_000  # an embedding of this many belongs to a vocabulary, not to positions
ANSWER = 64  # tokens that an answer of a PPO step may have
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}
RATE = 1e-4
# How Parley splits the rows of a step into what is computed together; all shapes give the same numbers. (KTO compares
# the rows that are computed together with each other.)
_CUT = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": BATCH // 2}
SHAPES = {
    "sft": _CUT,
    "reward": _CUT,
    "dpo": _CUT,
    "kto": {"per_device_train_batch_size": BATCH, "gradient_accumulation_steps": 1},
    "ppo": {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": BATCH // 2,
        "num_iterations": 1,
        "num_generations": 2,  # as in RLOO, which needs at least two
        "max_completion_length": ANSWER,
    },
}


def preferences(kind: str, tokenizer: Any, limit: int | None = None) -> list[dict[str, Any]]:
    """The seed pairs, each after exchanges of the seed demonstrations, as many as fit the kind of rows."""
    long, wanted = KINDS[kind]
    wanted = min(wanted, limit or wanted)
    pairs = _seed("preferences")
    exchanges = [row["messages"] for row in _seed("demonstrations") if row["messages"][0]["role"] == "user"]
    found = []
    for number in range(wanted):
        pair = pairs[number % len(pairs)]
        history: list[dict[str, str]] = []
        at = number * 7
        while long and len(tokenizer.apply_chat_template(history + pair["prompt"])["input_ids"]) < long:
            history += exchanges[at % len(exchanges)]
            at += 1
        found.append({"prompt": history + pair["prompt"], "chosen": pair["chosen"], "rejected": pair["rejected"]})
    return found


def _seed(name: str) -> list[dict[str, Any]]:
    paths = sorted((ROOT / "data" / "seed").glob(f"*/{name}.en.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def rows_for(stage: str, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs as the rows of a stage."""
    if stage == "sft":
        return [{"messages": pair["prompt"] + pair["chosen"]} for pair in pairs]
    if stage == "kto":
        sides = ((True, "chosen"), (False, "rejected"))
        return [
            {"prompt": pair["prompt"], "completion": pair[side], "label": label}
            for pair in pairs
            for label, side in sides
        ]
    if stage == "ppo":  # two answers to each of half the prompts
        return [{"prompt": pair["prompt"]} for pair in pairs[: len(pairs) // 2]]
    return pairs


def answers(prompts: list[dict[str, Any]]) -> int:
    """How many answers a rollout of PPO has: those of two steps if there are prompts for them, else of one."""
    return max(BATCH, min(2 * BATCH, 2 * len(prompts) // BATCH * BATCH))


def measure(stage: str, way: str, kind: str, base: str, limit: int | None, flags: list[str]) -> dict[str, Any]:
    """Train in this process; returns seconds, CPU seconds, tokens, peak memory and the last loss."""
    import torch
    from transformers import Trainer
    from trl import DPOTrainer

    spent: list[float] = []
    worked: list[float] = []
    tokens: list[int] = []
    trainers: list[Any] = []
    looked_up = torch.nn.Embedding.forward

    def counted(self: Any, ids: Any) -> Any:
        tokens.append(ids.numel() if self.num_embeddings >= WORDS else 0)
        return looked_up(self, ids)

    def watched(usual: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            trainers.append(self)
            torch.nn.Embedding.forward = counted  # type: ignore[method-assign]  # watched here
            began, cpu = time.monotonic(), time.process_time()
            try:
                return usual(self, *args, **kwargs)
            finally:
                spent.append(time.monotonic() - began)
                worked.append(time.process_time() - cpu)
                torch.nn.Embedding.forward = looked_up  # type: ignore[method-assign]  # put back

        return call

    Trainer.train = watched(Trainer.train)
    DPOTrainer._precompute_ref_logps = watched(DPOTrainer._precompute_ref_logps)  # with the trainer, before `train()`
    with tempfile.TemporaryDirectory() as folder:
        (_by_parley if way == "parley" else _by_trl)(stage, kind, base, Path(folder), way, limit, flags)
    losses = [entry["loss"] for entry in trainers[0].state.log_history if "loss" in entry]
    return {
        "seconds": sum(spent),
        "cpu": sum(worked),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss": losses[-1] if losses else None,
        "tokens": sum(tokens),
    }


def _by_parley(
    stage: str, kind: str, base: str, folder: Path, _way: str, limit: int | None, flags: list[str]
) -> None:
    import importlib

    from alignment import models

    tokenizer = models.load_tokenizer(models.locate(base))
    path = folder / "rows.jsonl"
    rows = rows_for(stage, preferences(kind, tokenizer, limit))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ["--model_name_or_path", base, "--dataset_name", str(path), "--output_dir", str(folder / "out")]
    words += ["--eval_fraction", "0", "--max_length", "4096", "--num_train_epochs", "1", "--learning_rate", str(RATE)]
    words += ["--save_strategy", "no", "--lr_scheduler_type", "linear", "--warmup_steps", "0"]  # as TRL's defaults
    words += [word for name, value in SHAPES[stage].items() for word in (f"--{name}", str(value))]
    if stage == "ppo":
        words += ["--steps_per_generation", str(answers(rows) // SHAPES["ppo"]["per_device_train_batch_size"])]
    more = {"reward": _reward(base, shared=True)} if stage == "ppo" else {}
    importlib.import_module(f"alignment.{stage}").main([*words, *flags], **more)


def _reward(base: str, *, shared: bool) -> Any:
    """An untrained reward model on the base: its scores are random, its cost is real."""
    from alignment import models
    from alignment.fast.install import share_prefixes
    from alignment.rewards.model import RewardModel, load_scorer
    from alignment.rl.scoring import ModelScore
    from alignment.training.machine import this_machine

    where = models.locate(base)
    scorer = load_scorer(where).requires_grad_(False).eval()
    if shared:  # as Parley's stage loads it
        share_prefixes(scorer)
    return ModelScore(RewardModel(base, scorer, models.load_tokenizer(where), {}), bf16=this_machine().bf16)


def _by_trl(stage: str, kind: str, base: str, folder: Path, way: str, limit: int | None, _flags: list[str]) -> None:
    import torch
    import trl
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    from alignment import models
    from alignment.training.machine import this_machine

    best, bf16 = way == "best", this_machine().bf16
    where = models.locate(base)
    tokenizer = models.load_tokenizer(where)
    rows = rows_for(stage, preferences(kind, tokenizer, limit))
    names = {"sft": "SFT", "reward": "Reward", "dpo": "DPO", "kto": "KTO", "ppo": "RLOO"}[stage]
    more = {"reward_funcs": [_reward(base, shared=False)]} if stage == "ppo" else {}
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "max_length": 4096,
        "num_train_epochs": 1,
        "learning_rate": RATE,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": bf16,
    }
    if stage == "sft":  # as in Parley: the assistant's turns only
        settings["assistant_only_loss"] = True
    if best:
        settings["activation_checkpointing"] = False
        at_once = BATCH
        if kind == "long":  # eight such rows' activations do not fit into 24 GiB
            at_once = 2 if stage == "kto" else 1  # (KTO compares rows with each other)
            settings |= {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": BATCH // at_once}
        if stage == "sft":  # other rows have no single length that it knows
            settings["train_sampling_strategy"] = "group_by_length"
        if stage == "dpo":
            settings["precompute_ref_log_probs"] = True
        if stage == "ppo":
            settings["steps_per_generation"] = answers(rows) // at_once
    if stage == "ppo":
        settings["max_completion_length"] = ANSWER
        settings.pop("max_length")
    kind_of = AutoModelForSequenceClassification if stage == "reward" else AutoModelForCausalLM
    labels = {"num_labels": 1} if stage == "reward" else {}
    model = kind_of.from_pretrained(where.path, dtype=torch.bfloat16 if best and bf16 else torch.float32, **labels)
    task = {"task_type": "SEQ_CLS", "modules_to_save": ["score"]} if stage == "reward" else {"task_type": "CAUSAL_LM"}
    trainer = getattr(trl, f"{names}Trainer")(
        model=model,
        args=getattr(trl, f"{names}Config")(**settings),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=LoraConfig(**LORA, **task),
        **more,
    )
    trainer.train()


def compare(
    stage: str, kind: str, ways: list[str], repeats: int, base: str, limit: int | None, flags: list[str]
) -> dict[str, Any]:
    """Each way `repeats` times, in turn, each run in a separate process; returns medians, none if one was killed."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            words = [sys.executable, "-m", "tests.bench.training", "--one", stage, way, kind, "--base", base]
            words += ["--limit", str(limit)] if limit else []
            done = subprocess.run(
                [*words, *(flags if way == "parley" else [])], cwd=ROOT, capture_output=True, text=True, check=False
            )
            if done.returncode == -signal.SIGKILL:  # the system does so when memory is short
                found[way].append({})
                continue
            if done.returncode:
                raise SystemExit(
                    f"{stage} by {way} on {kind} rows stopped:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
                )
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        way: {name: statistics.median(one[name] for one in runs) for name in runs[0]} if all(runs) else {}
        for way, runs in found.items()
    }


def show(console: Console, lines: list[tuple[str, str, dict[str, Any]]], ways: list[str]) -> None:
    """The medians as a table, and how many times faster Parley is."""
    table = Table(title=f"One epoch: seconds, tokens, peak memory, last loss. On {ran_on()}.")
    for column in ("stage", "rows", *ways, *(f"{way} / parley" for way in ways if way != "parley")):
        table.add_column(column)
    for stage, kind, medians in lines:
        cells = [
            f"{m['seconds']:.1f} s  {m['tokens']:,.0f}  {m['memory'] / 2**30:.1f} GiB  {m['loss']:.4f}"
            if m
            else "killed: too little memory"
            for m in medians.values()
        ]
        ratios = [_ratio(medians, way) for way in ways if way != "parley"]
        table.add_row(stage, kind, *cells, *ratios)
    console.print(table)


def _ratio(medians: dict[str, Any], way: str) -> str:
    one, parley = medians[way], medians.get("parley")
    return f"{one['seconds'] / parley['seconds']:.2f}x" if one and parley else ""


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--rows", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, help="rows of each kind (default: 24 multi, 48 short, 8 long)")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--out", type=Path, help="a folder for the figures")
    parser.add_argument("--one", nargs=3, metavar=("STAGE", "WAY", "ROWS"), help="one run in this process")
    options, flags = parser.parse_known_args()
    if options.one:
        from alignment.quiet import quiet

        quiet()
        stage, way, kind = options.one
        print(json.dumps(measure(stage, way, kind, options.base, options.limit, flags)))
        return 0
    console = Console(width=160)
    lines = []
    for stage in options.stages:
        for kind in options.rows:
            lines.append(
                (stage, kind, compare(stage, kind, options.ways, options.repeats, options.base, options.limit, flags))
            )
            show(console, lines, options.ways)
            if options.out:
                options.out.mkdir(parents=True, exist_ok=True)
                (options.out / "training.json").write_text(
                    json.dumps({"machine": ran_on(), "lines": lines}, indent=2), "utf-8"
                )
    return 0


if __name__ == "__main__":
    run(main)
