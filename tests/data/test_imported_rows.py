"""What an imported row keeps, and whether it may train."""

from typing import Any

import pytest

from data import datasets
from data.imports import import_rows
from data.personas import persona
from data.rows import parse_row
from data.store import Store
from tests.data.collected import HEAD, data, dropped, model, rows, user
from tests.data.talk import SYSTEM


@pytest.mark.played
async def test_a_row_that_says_no_is_shown_to_no_outside_judge(store: Store) -> None:
    told = [{"prompt": [user(f"{n} " * 9)], **({} if n % 2 else {"outside_judge": False})} for n in range(200)]
    await import_rows(store, [parse_row(row) for row in told])
    found = (await rows(store)).of("prompt", "gate")
    assert {row.extra.get("outside_judge") for row in found} == {True, None}
    shown = [row for row in found if row.extra.get("outside_judge")]
    assert all(int(row.messages[0]["content"].split()[0]) % 2 for row in shown)


@pytest.mark.parametrize(
    "platform",
    ["discord", "Discord", " DISCORD ", "discord.com", "ｄｉｓｃｏｒｄ", "dis\u200bcord", "Discord (export)"],
)
async def test_imported_rows_from_discord_need_the_permission(store: Store, platform: str) -> None:
    row = {"messages": [user("q"), model("a")], "platform": platform, "consent": True}
    await import_rows(store, [parse_row(row)])
    assert dropped(await rows(store)) == {"demonstration": {datasets.NO_PERMISSION: 1}}
    assert len((await rows(store, "yes")).rows) == 1


@pytest.mark.parametrize(
    ("extra", "leaves"),
    [
        ({}, True),
        ({"consent": True}, True),
        ({"consent": False}, False),
        ({"consent": None}, False),
        ({"platform": "terminal", "consent": True}, True),
        ({"platform": "terminal"}, False),  # somebody said it, and nothing says that they agreed
    ],
)
async def test_imported_rows_say_whether_they_may_train(store: Store, extra: dict[str, Any], leaves: bool) -> None:
    await import_rows(store, [parse_row({"messages": [user("q"), model("a")], **extra})])
    found = await rows(store)
    assert len(found.rows) == leaves
    assert dropped(found) == ({} if leaves else {"demonstration": {datasets.NO_CONSENT: 1}})


@pytest.mark.parametrize("language", ["en", "zh", None])
async def test_the_personas_system_prompt_stands_before_an_imported_row(store: Store, language: str | None) -> None:
    extra = {"persona": "writer", **({"language": language} if language else {})}
    first = {"messages": [user("q"), model("a")], **extra}
    own = {"messages": [HEAD, user("q"), model("a")], **extra}
    await import_rows(store, [parse_row(first), parse_row(own), parse_row({**first, "persona": "pirate", "id": "p"})])
    found = {tuple(m["content"] for m in row["messages"]) for row in data(await rows(store), "demonstration")}
    system = persona("writer", language or "en").system_prompt
    assert found == {(system, "q", "a"), (SYSTEM, "q", "a"), ("q", "a")}


async def test_imported_rows_keep_their_extra_keys(store: Store) -> None:
    row = {"prompt": [user("q")], "completion": [model("a")], "label": False, "id": "mine", "persona": "pirate"}
    more = {"language": "en", "source": "somewhere", "weight": 0.5, "platform": "terminal", "consent": True}
    await import_rows(store, [parse_row({**row, **more})])
    (found,) = (await rows(store)).of("labelled")
    assert {**found.data, **found.extra} == {**row, **more}


async def test_rows_of_two_kinds_may_have_the_same_id(store: Store) -> None:
    both = [{"messages": [user("q"), model("a")], "id": "1"}, {"prompt": [user("q")], "id": "1"}]
    result = await import_rows(store, [parse_row(row) for row in both])
    assert (result.new.total(), result.known) == (2, 0)
    assert [row.row.id for row in (await rows(store)).rows] == ["1", "1"]
    again = await import_rows(store, [parse_row(row) for row in both])
    assert (again.new.total(), again.known) == (0, 2)
