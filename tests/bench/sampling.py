"""How fast PPO's answers are sampled on a CPU: transformers' loop, Parley's, and Parley's with a packed head.

    python -m tests.bench.sampling                            # 8, 16 and 32 answers; some minutes on two idle cores
    python -m tests.bench.sampling --rows 16 --tokens 16 --repeats 3

All ways sample as many tokens for the same prompts of the seed rows, two answers to each, from the base in float32,
in turn in one process. The first table has milliseconds a step (one token of each answer), the reading of the prompts
included, then CPU milliseconds; the second the head alone, as torch multiplies it and as oneDNN does. Both show the
best of the repeats.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import run
from tests.bench import training
from tests.bench.ran_on import ran_on

WAYS = ("transformers", "parley", "packed")


def best(work: dict[str, Callable[[], Any]], repeats: int) -> dict[str, tuple[float, float]]:
    """The fewest milliseconds, and CPU milliseconds, of each, in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, call in work.items():
            began, cpu = time.perf_counter(), time.process_time()
            call()
            found[name].append((1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - cpu)))
    return {name: (min(one for one, _ in runs), min(cpu for _, cpu in runs)) for name, runs in found.items()}


def sampling(rows: int, tokens: int, repeats: int, base: str) -> dict[str, tuple[float, float]]:
    """Milliseconds a step of each way."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, GenerationConfig

    from alignment import models
    from alignment.fast.packed import Packed
    from alignment.rl.sampling import PlainCopy

    where = models.locate(base)
    tokenizer = models.load_tokenizer(where)
    asked = [pair["prompt"] for pair in training.preferences("short", tokenizer, rows // 2)]
    prompts = [
        tokenizer.apply_chat_template(each, add_generation_prompt=True)["input_ids"] for each in asked for _ in (0, 1)
    ]
    model = AutoModelForCausalLM.from_pretrained(where.path, dtype=torch.float32)
    copy = PlainCopy(
        get_peft_model(model, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM")), torch.float32
    )
    heads = {"parley": model.get_output_embeddings()}
    heads |= {"packed": Packed(heads["parley"]), "transformers": heads["parley"]}
    end = len(tokenizer) + 1  # no answer ends before the others
    config = GenerationConfig(
        max_new_tokens=tokens, do_sample=True, top_k=0, pad_token_id=tokenizer.pad_token_id, eos_token_id=[end]
    )
    # A setting that changes nothing, and that Parley's loop leaves to transformers.
    usual = GenerationConfig(**config.to_dict() | {"renormalize_logits": True})

    def work(way: str) -> Callable[[], Any]:
        def call() -> Any:
            copy.model.set_output_embeddings(heads[way])
            return copy.sample(prompts, usual if way == "transformers" else config, tokenizer.pad_token_id, [end])

        return call

    found = best({way: work(way) for way in WAYS}, repeats)
    return {way: (wall / tokens, cpu / tokens) for way, (wall, cpu) in found.items()}


def head(rows: int, repeats: int, base: str) -> dict[str, tuple[float, float]]:
    """Milliseconds of one product with the head."""
    import torch
    from transformers import AutoModelForCausalLM

    from alignment import models
    from alignment.fast.packed import Packed

    layer = AutoModelForCausalLM.from_pretrained(
        models.locate(base).path, dtype=torch.float32
    ).get_output_embeddings()
    packed, x = Packed(layer), torch.randn(rows, layer.in_features)
    with torch.no_grad():
        return best({"torch": lambda: layer(x), "packed": lambda: packed(x)}, 5 * repeats)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[8, 16, 32], help="answers at once")
    parser.add_argument("--tokens", type=int, default=training.ANSWER, help="tokens of each answer")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--base", default="smollm2-135m")
    options = parser.parse_args()
    from alignment.quiet import quiet

    quiet()
    console = Console(width=110)
    steps = Table(title=f"Milliseconds a step (CPU milliseconds). On {ran_on()}.")
    products = Table(title="The head alone")
    for table, names in ((steps, WAYS), (products, ("torch", "packed"))):
        for column in ("answers", *names, f"{names[0]} / packed (CPU)"):
            table.add_column(column)
    for rows in options.rows:
        for table, found in (
            (products, head(rows, options.repeats, options.base)),
            (steps, sampling(rows, options.tokens, options.repeats, options.base)),
        ):
            (first, first_cpu), (last, last_cpu) = next(iter(found.values())), found["packed"]
            cells = [f"{wall:.1f} ({cpu:.1f})" for wall, cpu in found.values()]
            table.add_row(str(rows), *cells, f"{first / last:.2f} ({first_cpu / last_cpu:.2f})")
    console.print(products)
    console.print(steps)
    return 0


if __name__ == "__main__":
    run(main)
