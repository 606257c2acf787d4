"""Real preferences as rows: Open-Assistant's ranked answers, LLaMA-Factory's English and Chinese demonstration pairs.

    python -m tests.bench.real_data FOLDER --out out/real

`FOLDER` holds `open-assistant-100` and `llamafactory-demo` as their projects publish them; missing sets are skipped
with a message. Parley ships none of this data.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from data.errors import BadInput, run
from data.home import private_dir
from data.rows import Row, parse_row, write_rows

OPEN_ASSISTANT = "open-assistant-100/model/model_eval/manual/data/en_100_tree.jsonl"
LLAMAFACTORY = "llamafactory-demo/data/dpo_{language}_demo.json"
SETS = ("oasst", "dpo_en", "dpo_zh")
_ROLES = {"prompter": "user", "assistant": "assistant", "human": "user", "gpt": "assistant", "system": "system"}


def real_rows(folder: Path, name: str) -> list[Row] | None:
    """The preferences of one set of `SETS`, or None if it is not in the folder."""
    if name == "oasst":
        path = folder / OPEN_ASSISTANT
        found = open_assistant(path) if path.is_file() else None
    else:
        path = folder / LLAMAFACTORY.format(language=name.removeprefix("dpo_"))
        found = llamafactory(path) if path.is_file() else None
    return None if found is None else [row for row in map(_checked, found) if row is not None]


def open_assistant(path: Path) -> Iterator[dict[str, Any]]:
    """Every pair of answers to one message that people ranked differently; the lower rank is better."""
    for line in path.read_text(encoding="utf-8").splitlines():
        tree = json.loads(line)
        yield from _ranked(tree["prompt"], [], tree["message_tree_id"])


def _ranked(message: dict[str, Any], before: list[dict[str, str]], tree: str) -> Iterator[dict[str, Any]]:
    so_far = [*before, {"role": _ROLES[message["role"]], "content": message["text"]}]
    answers = [reply for reply in message["replies"] if reply["role"] == "assistant" and not reply.get("deleted")]
    ranked = sorted((a for a in answers if a.get("rank") is not None), key=lambda a: int(a["rank"]))
    for better, worse in combinations(ranked, 2):
        if better["rank"] < worse["rank"]:
            yield {
                "prompt": so_far,
                "chosen": [{"role": "assistant", "content": better["text"]}],
                "rejected": [{"role": "assistant", "content": worse["text"]}],
                "id": f"{better['message_id']}>{worse['message_id']}",
                "source": f"open-assistant-100/{tree}",
            }
    for reply in message["replies"]:
        yield from _ranked(reply, so_far, tree)


def llamafactory(path: Path) -> Iterator[dict[str, Any]]:
    """Pairs in ShareGPT's format: a conversation up to its last question, and two answers."""
    for number, entry in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        yield {
            "prompt": [_turn(turn) for turn in entry["conversations"]],
            "chosen": [_turn(entry["chosen"])],
            "rejected": [_turn(entry["rejected"])],
            "id": f"{path.stem}-{number}",
        }


def _turn(turn: dict[str, str]) -> dict[str, str]:
    return {"role": _ROLES[turn["from"]], "content": turn["value"]}


def _checked(entry: dict[str, Any]) -> Row | None:
    try:
        return parse_row(entry, "preference")
    except BadInput:  # an empty answer or two equal ones are not a preference
        return None


def main() -> int:
    """Write a file of rows for each set."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.real_data", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for name in SETS:
        rows = real_rows(options.folder, name)
        if rows is None:
            print(f"{name}: not in {options.folder}, skipped", file=sys.stderr)
            continue
        path = private_dir(options.out) / f"{name}.jsonl"
        write_rows(path, rows)
        print(f"{path}: {len(rows)} preferences of {len({json.dumps(row.data['prompt']) for row in rows})} prompts")
    return 0


if __name__ == "__main__":
    run(main)
