"""`python -m tests.screens.loop`: runs the whole loop once on the real small model and draws what came of it.

It uses a home of its own: a question is asked at the terminal, its answer and those to similar questions are
corrected, a round trains, the gate decides, and the release answers again. The texts and figures of that run are kept
in `docs/loop.json`; `docs/loop.svg` is drawn from them, with `--redraw` without a run. Nothing in the picture is made
up: the first answer counts, and when the gate refuses, the picture says so and the release is promoted by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from data import schema
from data.home import bases_dir
from data.imports import collect_rows
from data.personas import SEED
from data.rows import Row, read_rows, write_rows
from data.store import Store
from tests.bench.ran_on import ran_on
from tests.screens.draw import DEEP, EDGE, FAINT, GREEN, LINK, PEOPLE, Sheet
from tests.screens.text import Run, lines

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "alignment" / "recipes"
RECORD, PICTURE = ROOT / "docs" / "loop.json", ROOT / "docs" / "loop.svg"
COMMAND = "python -m tests.screens.loop"
BASE = "smollm2-135m"
# Small, so that it takes minutes on two cores: the shortest rows that ship with Parley, and what people correct here.
DEMONSTRATIONS, PREFERENCES, EPOCHS = 24, 12, 4
ROUND = ["--max_preferences", str(PREFERENCES), "--suites", "forgetting,refusal", "--questions", "0"]
LONGEST_ANSWER = 120  # tokens
CORRECTION = "Game night is every Friday at 8 pm in the Oak room."
# The first is the picture's. A handful of corrections changes nothing that can be seen; a dozen of one kind does.
QUESTIONS = (
    "When is our game night?",
    "What time does game night start?",
    "Where do we meet for game night?",
    "Which day of the week is game night on?",
    "I want to come and play games. When and where is it?",
    "Remind me about the game night, please.",
    "Do you know the time and the place of our game night?",
    "A friend asks on which evening we play games.",
    "When do we play board games together?",
    "Which room is booked for game night?",
    "Tell me about our game night.",
    "Can you tell me when the next game night happens?",
    "At what time should I be there for game night?",
    "Is game night on Thursday or on another day?",
    "Where is game night?",
    "I forgot when we meet to play. When was it?",
)
UNSEEN = "Hi! Which evening do we meet to play games, and in which room?"  # nobody corrects this one


def main() -> None:
    """Read the arguments, run the loop unless it is to be redrawn, draw."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Runs the real loop once and draws it.")
    parser.add_argument("--redraw", action="store_true", help=f"draw from {RECORD.name} without a run")
    parser.add_argument("--out", type=Path, default=PICTURE.parent, help="the folder of both files (docs)")
    arguments = parser.parse_args()
    record = arguments.out / RECORD.name
    if not arguments.redraw:
        with TemporaryDirectory(prefix="parley-loop-") as home:
            found = asyncio.run(loop(Path(home)))
        record.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    drawn = picture(json.loads(record.read_text(encoding="utf-8")))
    (arguments.out / PICTURE.name).write_text(drawn, encoding="utf-8")


async def loop(home: Path) -> dict[str, Any]:
    """Run the loop in a home; returns what the picture needs of it."""
    os.environ.update(PARLEY_BASES=str(bases_dir()), PARLEY_HOME=str(home), PARLEY_MAX_TOKENS=str(LONGEST_ANSWER))
    # The demo's key, which is not a secret: it decides which rows are held out, so everybody trains on the same ones.
    (home / "key").write_bytes(b"parley: the demo has a fixed key")
    write_rows(home / "seed.jsonl", [*_shortest("demonstrations", DEMONSTRATIONS), *_shortest("preferences", 30)])
    run("data", "import", str(home / "seed.jsonl"))
    shipped = (RECIPES / "sft.yaml").read_text(encoding="utf-8")
    recipe = home / "sft.yaml"
    recipe.write_text(re.sub(r"(?m)^num_train_epochs: .*$", f"num_train_epochs: {EPOCHS}", shipped), encoding="utf-8")
    asked = [f"{question}\n/correct {CORRECTION}\n/persona assistant\n" for question in QUESTIONS]
    run("bot", "--platform", "terminal", stdin=f"/consent yes\n{''.join(asked)}/quit\n")
    before = (await answers(home))[0]

    begun, used = time.monotonic(), _processor_seconds()
    verdict = run("alignment.round", *ROUND, "--sft_config", str(recipe), allowed=(0, 1))
    minutes, processor = (time.monotonic() - begun) / 60, (_processor_seconds() - used) / 60
    folds = await _folds_of_corrections(home)
    if verdict:
        run("alignment.promote", "1")
    run("bot", "--platform", "terminal", stdin=f"{QUESTIONS[0]}\n/persona assistant\n{UNSEEN}\n/quit\n")
    after, unseen = (await answers(home))[-2:]

    entries = json.loads((home / "rounds" / "0001" / "manifest.json").read_text(encoding="utf-8"))
    stages = {}
    for name in entries["stages"]:
        kept = json.loads((home / "rounds" / "0001" / name / "manifest.json").read_text(encoding="utf-8"))
        stages[name] = {key: kept["figures"][key] for key in ("steps", "seconds")}
    return {
        "command": COMMAND,
        "machine": ran_on(),
        "base": BASE,
        "round_command": " ".join(["python -m alignment.round", *ROUND]),
        "epochs": EPOCHS,
        "corrections": len(QUESTIONS),
        "corrections_trained": folds.count("train"),
        "used": entries["used"],
        "correction": CORRECTION,
        "before": before,
        "stages": stages,
        "minutes": round(minutes, 1),
        "processor_minutes": round(processor, 1),
        "status": entries["status"],
        "reasons": list(entries["decision"]["reasons"]),
        "after": after,
        "unseen": unseen,
    }


def _shortest(kind: str, count: int) -> list[Row]:
    """The shortest rows of a kind that ship with the persona of the run."""
    rows = read_rows(SEED / "assistant" / f"{kind}.en.jsonl")
    return sorted(rows, key=lambda row: (len(json.dumps(row.data)), row.id))[:count]


def _processor_seconds() -> float:
    """The processor time of all commands that ended so far; unlike elapsed time, it measures the work alone."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def run(module: str, *arguments: str, stdin: str | None = None, allowed: tuple[int, ...] = (0,)) -> int:
    """Run a command of the project as a user does, and show what it prints; returns its exit code."""
    command = [sys.executable, "-m", module, *arguments]
    print("$", *command[1:], flush=True)
    code = subprocess.run(command, input=stdin, text=True, check=False, cwd=ROOT).returncode
    if code not in allowed:
        raise SystemExit(f"{module} ended with the exit code {code}.")
    return code


async def answers(home: Path) -> list[dict[str, Any]]:
    """Every answer that the bot recorded, in order: the question, the answer, and the release that gave it."""
    store = await Store.open(home)
    try:
        async with store.database.read() as session:
            generations = list(await session.scalars(select(schema.Generation).order_by(schema.Generation.id)))
        found = []
        for generation in generations:
            *_, question, answer = await store.path(generation.message_id)
            found.append({"question": question.text, "answer": answer.text, "release": generation.release})
        return found
    finally:
        await store.close()


async def _folds_of_corrections(home: Path) -> list[str]:
    """The fold of each correction: only those in `train` were trained on."""
    store = await Store.open(home)
    try:
        found = await collect_rows(store, discord_permission=None)
        rows = [each for each in found.rows if each.row.kind == "demonstration" and each.platform == "terminal"]
        return [each.fold for each in rows]
    finally:
        await store.close()


# -- the picture

WIDTH = 1040.0
GAP, PAD, TOP = 16.0, 16.0, 48.0
COLUMNS = (370.0, 240.0, 366.0)
_LONGEST = 260  # characters of an answer that are shown


def picture(found: dict[str, Any]) -> str:
    """The three steps side by side, and below them what it was run on."""
    before, after, unseen = found["before"], found["after"], found["unseen"]
    sheet = Sheet(f"{before['question']} Before: {_cut(before['answer'])} After: {_cut(after['answer'])}", wide=WIDTH)
    sheet.text(GAP, 30, "The loop, from one real run", bold=True, size=18)
    heads = ("1  Somebody asks, and corrects", "2  A round trains", "3  The release answers")
    bodies = (
        [
            *_said("ada", before["question"]),
            *_said("Parley, the base model", _cut(before["answer"])),
            *_said("ada", f"/correct {found['correction']}"),
            ("note", f"and {found['corrections'] - 1} similar questions, corrected in the same way"),
        ],
        _round(found),
        [
            *_said("ada", after["question"]),
            *_said(f"Parley, release {after['release']}", _cut(after["answer"])),
            ("note", "a question that nobody corrected:"),
            *_said("ada", unseen["question"]),
            *_said(f"Parley, release {unseen['release']}", _cut(unseen["answer"])),
        ],
    )
    ends, x, place = [], GAP, len(sheet.parts)
    for head, body, wide in zip(heads, bodies, COLUMNS, strict=True):
        sheet.y = TOP + 24
        sheet.text(x + PAD, sheet.y + 4, head, bold=True, fill=LINK)
        sheet.y += 12
        for kind, text in body:
            _paragraph(sheet, x + PAD, 0.95 * (wide - 2 * PAD), kind, text)  # some fonts are wider than estimated
        ends.append(sheet.y)
        x += wide + GAP
    high = max(ends) - TOP + PAD
    texts, x = sheet.parts[place:], GAP
    del sheet.parts[place:]
    for column, wide in enumerate(COLUMNS):
        sheet.box(x, TOP, wide, high, DEEP, edge=EDGE, round_=8)
        if column:
            sheet.text(x - GAP / 2, TOP + high / 2, "›", fill=FAINT, size=22, middle=True)
        x += wide + GAP
    sheet.parts += texts
    sheet.y = TOP + high + 8
    for line in _caption(found):
        sheet.runs(GAP, lines(f"-# {line}", WIDTH - 2 * GAP))
    return sheet.svg()


def _round(found: dict[str, Any]) -> list[tuple[str, str]]:
    used = {kind: count for kind, count in found["used"].items() if count}
    rows = ", ".join(f"{count} {kind}s" for kind, count in used.items())
    body = [("note", f"trained on {rows}; {found['corrections_trained']} corrections are among them")]
    for name, stage in found["stages"].items():
        body.append(("plain", f"{name}: {stage['steps']} steps, {stage['seconds'] / 60:.1f} min"))
    body.append(("plain", f"with its evaluation: {found['minutes']:.0f} min"))
    body.append(("note", f"({found['processor_minutes']:.0f} min of processor time)"))
    promoted = found["status"] == "promoted"
    body.append(("good" if promoted else "bad", f"the gate: {found['status']}"))
    first, *more = found["reasons"][0].split(". ")
    body.append(("note", f"{first}. …" if more else first))
    if not promoted:
        body.append(("plain", "so somebody promoted it by hand: python -m alignment.promote 1"))
    return body


def _caption(found: dict[str, Any]) -> list[str]:
    return [
        f"Real output of one run of `{found['command']}`: each answer is the first that the model gave. "
        f"The model is {found['base']}; the round was `{found['round_command']}`, "
        f"with {found['epochs']} epochs of sft.",
        f"Run on {found['machine']}.",
    ]


def _said(who: str, text: str) -> list[tuple[str, str]]:
    return [("app" if who.startswith("Parley") else "person", who), ("plain", text)]


def _paragraph(sheet: Sheet, x: float, room: float, kind: str, text: str) -> None:
    """A piece of a column, below what is there."""
    if kind in ("app", "person"):
        sheet.y += 26
        sheet.text(x, sheet.y, text, bold=True, fill=LINK if kind == "app" else PEOPLE["ada"], size=13)
    elif kind in ("good", "bad"):
        sheet.y += 12
        sheet.box(
            x, sheet.y, 1.08 * Run(text, bold=True).width + 20, 26, GREEN if kind == "good" else "#9c2f16", round_=6
        )
        sheet.text(x + 10, sheet.y + 18, text, bold=True)
        sheet.y += 28
    else:
        sheet.y += 4 if kind == "note" else 2
        sheet.runs(x, lines(f"-# {text}" if kind == "note" else text, room))


def _cut(text: str) -> str:
    """An answer on one line, cut where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[:_LONGEST].rsplit(" ", 1)[0] + " …"


if __name__ == "__main__":
    main()
