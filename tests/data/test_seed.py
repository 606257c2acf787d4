"""The rows that this project wrote: enough of them, well formed, no two alike."""

import json

import pytest

from data.anchors import normalised
from data.errors import BadInput
from data.personas import LANGUAGES, PERSONAS, SEED, persona
from data.rows import Row, parse_row, read_rows

KINDS = {"demonstrations": "demonstration", "preferences": "preference"}
FILES = [(name, language, kind) for name in PERSONAS for language in LANGUAGES for kind in KINDS]
READ = {
    (name, language, kind): read_rows(SEED / name / f"{kind}.{language}.jsonl", KINDS[kind])
    for name, language, kind in FILES
}
ROWS = [row for rows in READ.values() for row in rows]


def test_there_are_no_other_files() -> None:
    found = {path.relative_to(SEED).as_posix() for path in SEED.rglob("*.json*")}
    rows = {f"{name}/{kind}.{language}.jsonl" for name, language, kind in FILES}
    assert found == rows | {f"{name}/persona.json" for name in PERSONAS}


@pytest.mark.parametrize(("name", "language", "kind"), FILES)
def test_every_persona_has_enough_rows_that_say_where_they_belong(name: str, language: str, kind: str) -> None:
    rows = READ[name, language, kind]
    assert len(rows) >= {"demonstrations": 30, "preferences": 20}[kind]
    for row in rows:
        assert (row.extra["persona"], row.extra["language"], row.extra["source"]) == (name, language, "seed")
    if kind == "demonstrations":
        assert sum(len(row.messages) > 2 for row in rows) >= 3, "several turns"
        lengths = sorted(len(row.messages[-1]["content"]) for row in rows)
        assert lengths[-1] > 3 * lengths[0], "varied length"


def test_there_are_as_many_as_promised() -> None:
    assert sum(row.kind == "demonstration" for row in ROWS) >= 240
    assert sum(row.kind == "preference" for row in ROWS) >= 160


def test_ids_and_contents_are_unique() -> None:
    assert all(row.extra.get("id") for row in ROWS)
    assert len({row.id for row in ROWS}) == len(ROWS)
    assert len({parse_row(row.data).id for row in ROWS}) == len(ROWS)


def test_turns_alternate() -> None:
    for row in ROWS:
        roles = [message["role"] for message in row.messages if message["role"] != "system"]
        ends = "assistant" if row.kind == "demonstration" else "user"
        assert roles == (["user", "assistant"] * len(roles))[: len(roles)], row.id
        assert roles[-1] == ends, row.id


def shingles(text: str) -> set[str]:
    plain = normalised(text)
    return {plain[start : start + 4] for start in range(max(1, len(plain) - 3))}


def opening(row: Row) -> str:
    return next(message["content"] for message in row.messages if message["role"] == "user")


def answer(row: Row) -> str:
    return (row.data.get("chosen") or row.messages)[-1]["content"]


@pytest.mark.played
@pytest.mark.parametrize(("part", "limit"), [(opening, 0.7), (answer, 0.5)])
def test_no_two_rows_are_near_duplicates(part, limit: float) -> None:
    found = [(row.id, shingles(part(row))) for row in ROWS]
    for index, (name, mine) in enumerate(found):
        for other, theirs in found[:index]:
            if min(len(mine), len(theirs)) < limit * max(len(mine), len(theirs)):
                continue  # too different in length to be alike
            both = len(mine & theirs)
            assert both < limit * (len(mine) + len(theirs) - both), (name, other)


@pytest.mark.parametrize("name", PERSONAS)
def test_personas_speak_both_languages(name: str) -> None:
    entries = json.loads((SEED / name / "persona.json").read_text(encoding="utf-8"))
    assert set(entries) == set(LANGUAGES)
    for language in LANGUAGES:
        found = persona(name, language)
        assert found.system_prompt.strip()
        assert found.greeting.strip()
        chinese = any("\u4e00" <= char <= "\u9fff" for char in found.system_prompt + found.greeting)
        assert chinese is (language == "zh")


def test_an_unknown_persona_gets_the_nearest_name() -> None:
    with pytest.raises(BadInput, match="Did you mean 'tutor'"):
        persona("tuter")
    with pytest.raises(BadInput, match="en and zh, not 'fr'"):
        persona("tutor", "fr")
