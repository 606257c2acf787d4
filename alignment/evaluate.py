"""`python -m alignment.evaluate`: compare two models on rows that neither was trained on.

Three looks: how well each fits people's demonstrations (loss), how far each prefers the answers that people preferred
(margins, from which the gate decides), and what each really answers, served as the bot serves it.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.chat import Message
from data.errors import BadInput, run
from data.rows import Row


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to look at: a base model, with an adapter on it or not. `name` is what tables call it.

    `gguf` is the adapter as the embedded engine loads it; without one it is made when answers are asked for.
    """

    name: str
    base: str
    adapter: Path | None = None
    gguf: Path | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model makes of the held-out rows.

    `margins` holds, a preference each, log p(chosen) - log p(rejected) in nats; `accuracy` is the share above zero
    and `accuracy_per_token` the same with each log-probability divided by its tokens, which takes out the advantage
    of short answers. `loss` is the mean negative log-probability of a demonstration's answer tokens, in nats.
    """

    margins: tuple[float, ...]
    accuracy: float | None
    accuracy_per_token: float | None
    loss: float | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A held-out question with the answers of both models."""

    question: str
    before: str
    after: str
    row: str


def score(subject: Subject, preferences: Sequence[Row], demonstrations: Sequence[Row]) -> Scores:
    """Load a model and measure it on held-out rows."""
    from alignment.models import load_model, load_tokenizer
    from alignment.scoring import completion_logprobs

    tokenizer = load_tokenizer(subject.base)
    model = load_model(subject.base, subject.adapter)
    prompts: list[list[Message]] = [row.messages for row in preferences for _ in range(2)]
    answers: list[str] = [row.data[part][0]["content"] for row in preferences for part in ("chosen", "rejected")]
    pairs = len(answers)
    prompts += [row.messages[:-1] for row in demonstrations]
    answers += [row.messages[-1]["content"] for row in demonstrations]
    scored = completion_logprobs(model, tokenizer, prompts, answers)
    chosen, rejected, shown = scored[0:pairs:2], scored[1:pairs:2], scored[pairs:]
    margins = tuple(good[0] - bad[0] for good, bad in zip(chosen, rejected, strict=True))
    per_token = [good[0] / good[1] - bad[0] / bad[1] for good, bad in zip(chosen, rejected, strict=True)]
    tokens = sum(count for _, count in shown)
    return Scores(
        margins=margins,
        accuracy=_share_above_zero(margins),
        accuracy_per_token=_share_above_zero(per_token),
        loss=-sum(total for total, _ in shown) / tokens if tokens else None,
        tokens=tokens,
    )


def gains(candidate: Scores, champion: Scores) -> list[float]:
    """A preference each: by how many nats more the candidate prefers the chosen answer than the champion does."""
    return [after - before for after, before in zip(candidate.margins, champion.margins, strict=True)]


def pick_questions(rows: Sequence[Row], count: int) -> list[Row]:
    """Short single-turn rows, taking turns among personas and languages, in an order that only the rows decide."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        if sum(message["role"] == "user" for message in row.messages) == 1:
            group = (str(row.extra.get("language", "")), str(row.extra.get("persona", "")))
            groups.setdefault(group, []).append(row)
    for members in groups.values():
        members.sort(key=lambda row: (len(_question(row)), row.id))
    picked: list[Row] = []
    while len(picked) < count and any(groups.values()):
        for name in sorted(groups):
            if groups[name] and len(picked) < count:
                picked.append(groups[name].pop(0))
    return picked


def answers(subject: Subject, rows: Sequence[Row], *, seed: int = 0) -> list[str]:
    """What a model answers to the rows' prompts, through the embedded engine and with serving's sampling."""
    from alignment.export import to_gguf
    from alignment.served import serve

    with tempfile.TemporaryDirectory() as scratch:
        gguf = subject.gguf
        if gguf is None and subject.adapter is not None:
            gguf = to_gguf(subject.adapter, subject.base, Path(scratch) / "adapter.gguf")
        with serve(subject.base, gguf) as engine:
            prompts = [[m for m in row.messages if m["role"] != "assistant"] for row in rows]
            with ThreadPoolExecutor(max_workers=4) as pool:  # the engine answers as many at once
                return list(pool.map(lambda prompt: engine.answer(prompt, seed=seed), prompts))


def _question(row: Row) -> str:
    return next(message["content"] for message in row.messages if message["role"] == "user")


def _share_above_zero(values: Sequence[float]) -> float | None:
    return sum(value > 0 for value in values) / len(values) if values else None


def subject(name: str, base: str, home: Path) -> Subject:
    """The model that a command line means: a release's number (0: the base model) or an adapter's folder."""
    from data.releases import BASE_RELEASE, Releases

    if name.isdecimal():
        number = int(name)
        if number == BASE_RELEASE:
            return Subject("base model", base)
        release = Releases(home).get(number)
        return Subject(f"release {number}", release.base, release.adapter, release.adapter_gguf)
    if not (Path(name) / "adapter_config.json").is_file():
        raise BadInput(f"{name} is neither a release's number nor the folder of an adapter.")
    return Subject(name, base, Path(name))


def table(champion: Scores, candidate: Scores, names: tuple[str, str]) -> Any:
    """The figures of both models side by side, as a rich table."""
    from rich.table import Table

    lines: list[tuple[str, Callable[[Scores], float | None], str]] = [
        ("loss on demonstrations (nats a token, lower is better)", lambda s: s.loss, ".3f"),
        ("preferred answer more likely (share of pairs)", lambda s: s.accuracy, ".1%"),
        ("the same, a token (takes out length)", lambda s: s.accuracy_per_token, ".1%"),
        ("mean margin (nats a pair)", lambda s: sum(s.margins) / len(s.margins) if s.margins else None, "+.2f"),
    ]
    shown = Table("held-out rows", *names, title="Measured on rows that were never trained on")
    for title, figure, form in lines:
        cells = [figure(scores) for scores in (champion, candidate)]
        shown.add_row(title, *(f"{cell:{form}}" if cell is not None else "-" for cell in cells))
    share = _share_above_zero(gains(candidate, champion))
    against = f"leans more to the preferred answer than {names[0]} (share of pairs)"
    shown.add_row(against, "", f"{share:.1%}" if share is not None else "-")
    return shown


def sample_table(samples: Sequence[Sample], names: tuple[str, str]) -> Any:
    """Questions with the answers before and after, as a rich table."""
    from rich.table import Table
    from rich.text import Text

    shown = Table("question", *names, title="Held-out questions, answered as served", show_lines=True, expand=True)
    for sample in samples:
        shown.add_row(*(Text(cell) for cell in (sample.question, sample.before, sample.after)))
    return shown


def main() -> int:
    """Read the command line, score both models, print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m alignment.evaluate", description="Compare a candidate with the champion on held-out rows."
    )
    parser.add_argument(
        "--candidate", required=True, metavar="N|DIR", help="a release's number or an adapter's folder"
    )
    parser.add_argument("--champion", metavar="N|DIR", help="the same; default: the release that serves now")
    parser.add_argument("--base", default="smollm2-135m", help="the base of release 0 and of bare adapters")
    parser.add_argument(
        "--preferences", type=Path, metavar="ROWS.jsonl", help="default: the gate's fold of the store"
    )
    parser.add_argument("--demonstrations", type=Path, metavar="ROWS.jsonl", help="default: the same")
    parser.add_argument(
        "--questions", type=int, default=0, metavar="N", help="also show N questions answered by both"
    )
    parser.add_argument("--out", type=Path, metavar="FIGURES.json", help="also write the figures as JSON")
    options = parser.parse_args()
    from rich.console import Console

    from alignment.gate import decide
    from alignment.quiet import quiet
    from data.home import home, write_atomic
    from data.releases import Releases

    quiet()
    preferences, demonstrations = _rows(options.preferences, options.demonstrations)
    champion = subject(options.champion or str(Releases(home()).champion()), options.base, home())
    candidate = subject(options.candidate, options.base, home())
    if champion.base != candidate.base:
        raise BadInput(
            f"{champion.name} belongs to the base model {champion.base}, {candidate.name} to {candidate.base}; their "
            "log-probabilities cannot be compared."
        )
    before = score(champion, preferences, demonstrations)
    after = score(candidate, preferences, demonstrations)
    console = Console()
    names = (champion.name, candidate.name)
    console.print(table(before, after, names))
    if options.questions:
        console.print(
            sample_table(samples(champion, candidate, [*preferences, *demonstrations], options.questions), names)
        )
    verdict = decide(gains(after, before))
    for reason in verdict.reasons:
        console.print(reason)
    if options.out:
        figures = {"champion": asdict(before), "candidate": asdict(after), "verdict": asdict(verdict)}
        write_atomic(options.out, json.dumps(figures, indent=2) + "\n")
    return 0 if verdict.promote else 1


def samples(champion: Subject, candidate: Subject, rows: Sequence[Row], count: int) -> list[Sample]:
    """A few held-out questions, answered by both models with the same seed."""
    picked = pick_questions(rows, count)
    before, after = answers(champion, picked), answers(candidate, picked)
    return [Sample(_question(row), b, a, row.id) for row, b, a in zip(picked, before, after, strict=True)]


def _rows(preferences: Path | None, demonstrations: Path | None) -> tuple[list[Row], list[Row]]:
    from data.rows import read_rows

    if preferences is None or demonstrations is None:
        import asyncio

        stored = asyncio.run(_stored())
    good = read_rows(preferences, "preference") if preferences else stored[0]
    shown = read_rows(demonstrations, "demonstration") if demonstrations else stored[1]
    return good, shown


async def _stored() -> tuple[list[Row], list[Row]]:
    from data.home import discord_permission, home
    from data.imports import collect_rows
    from data.store import Store

    store = await Store.open(home())
    try:
        collected = await collect_rows(store, discord_permission=discord_permission())
    finally:
        await store.close()
    return collected.of("preference", "gate"), collected.of("demonstration", "gate")


if __name__ == "__main__":
    run(main)
