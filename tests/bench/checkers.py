"""Compares our checkers of IFEval's instructions with lm-eval's.

    pip install --no-deps lm-eval immutabledict langdetect six       # e.g. in a separate virtual environment
    python -m tests.bench.checkers --data ../shared/data --lm_eval that/venv/lib/python3.11/site-packages

lm-eval is not among Parley's packages: importing its task downloads a tokenizer and needs a dozen more packages, it
refuses to check sentences and words in capitals offline, and it does not support Chinese. So its checkers are loaded
alone, and applied to people's real answers (Open-Assistant's), each in several variants, so that every instruction is
sometimes followed. Both check every instruction of the public prompts on every text.
"""

import argparse
import json
import random
import sys
import types
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from alignment.evaluation.suites.checkers import followed, known, plain
from alignment.evaluation.suites.instructions import load
from data.errors import BadInput, run
from tests.bench.real_data import real_rows

# These are the instructions that lm-eval checks with a tokenizer that it would have to download.
ONLINE = {"length_constraints:number_sentences", "change_case:capital_word_frequency"}


def theirs(folder: Path) -> dict[str, Any]:
    """lm-eval's checkers by instruction, without the package around them."""
    if not (folder / "lm_eval" / "tasks" / "ifeval").is_dir():
        raise BadInput(f"There is no lm-eval in {folder}; the first lines of this file say how to get it.")
    sys.path.append(str(folder))
    import nltk

    nltk.download = lambda *_, **__: False
    parts = ["lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval"]
    for name in parts:
        package = types.ModuleType(name)
        package.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = package
    from langdetect import DetectorFactory
    from lm_eval.tasks.ifeval import instructions_registry

    DetectorFactory.seed = 0
    return dict(instructions_registry.INSTRUCTION_DICT)


def dressed(text: str, draw: random.Random) -> list[str]:
    """A text as it is, and in variants that follow some instruction."""
    words = text.split()
    lines = [line for line in text.split("\n") if line.strip()]
    return [
        text,
        text.lower(),
        text.upper(),
        f'"{text}"',
        text.replace(",", ""),
        "\n".join(f"* {line}" for line in lines),
        "\n\n".join(lines[: draw.randint(1, 5)]),
        "\n***\n".join(lines[: draw.randint(1, 5)]),
        " ".join(words[: draw.randint(5, 400)]),
        f"<<Title>>\n\n{text}\n\nP.S. One more thing.",
        f"SECTION 1\n{text}\nSECTION 2\n*{words[0]}* and *{words[-1]}* and **more** [name] [address] [date]",
        f"{text}\n******\n{text} Or not.",
        json.dumps({"answer": text}),
        f"My answer is yes. {text} Is there anything else I can help with?",
    ]


def by_lm_eval(checkers: dict[str, Any], name: str, arguments: dict[str, Any], prompt: str, text: str) -> bool:
    """lm-eval's verdict, as in its own strict evaluation."""
    random.seed(0)  # it draws arguments that a prompt does not set
    instruction = checkers[name](name)
    instruction.build_description(**{key: value for key, value in arguments.items() if value})
    if "prompt" in (instruction.get_instruction_args() or {}):
        instruction.build_description(prompt=prompt)
    return bool(text.strip() and instruction.check_following(text))


def main() -> int:
    """Compare, and print a line for each instruction."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.checkers", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the folder of the public data sets")
    parser.add_argument("--lm_eval", type=Path, required=True, metavar="DIR", help="the folder that holds lm_eval")
    parser.add_argument(
        "--texts", type=int, default=60, help="people's answers to make variants of (default: %(default)s)"
    )
    options = parser.parse_args()
    checkers = theirs(options.lm_eval)
    rows = real_rows(options.data, "oasst")
    if rows is None:
        raise BadInput(f"There is no open-assistant-100 in {options.data}.")
    draw = random.Random(0)
    people = draw.sample(sorted({row.data["chosen"][0]["content"] for row in rows}), options.texts)
    texts = [form for text in people for form in dressed(text, draw)]
    agreed: dict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)
    for item in load(options.data / "m-ifeval").items:
        for name, arguments in zip(item.instructions, item.arguments, strict=True):
            name = plain(name)
            if name in ONLINE or name not in checkers or not known(name, arguments):
                continue
            for text in draw.sample(texts, 40):
                ours = followed(text, name, arguments)
                agreed[name][ours, by_lm_eval(checkers, name, dict(arguments), item.prompt, text)] += 1
    table = Table("instruction", "checked", "followed, ours", "agreed", "only ours", "only lm-eval's")
    total: Counter[tuple[bool, bool]] = Counter()
    for name, found in sorted(agreed.items()):
        table.add_row(name, *_figures(found))
        total += found
    table.add_section()
    table.add_row("all", *_figures(total))
    Console(width=130).print(table)
    return 0


def _figures(found: Counter[tuple[bool, bool]]) -> list[str]:
    count = found.total()
    same = found[True, True] + found[False, False]
    only = [str(found[True, False]), str(found[False, True])]
    return [str(count), f"{(found[True, True] + found[True, False]) / count:.0%}", f"{same / count:.1%}", *only]


if __name__ == "__main__":
    run(main)
