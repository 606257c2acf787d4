"""Imports refuse absurd weights, and platforms that only look different from Discord."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.errors import BadInput
from data.imports import collect_rows, import_rows
from data.platforms import platform_name
from data.reading import records
from data.row_checks import parse_row
from data.rows import read_rows
from data.store import Store

ROW = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}


NO_NUMBERS = ("NaN", "Infinity", "-Infinity", "-1", "1e308", "101", "1" + "0" * 400, '"1"', '"nan"', "true", "[1]")


@pytest.mark.parametrize("weight", NO_NUMBERS)
@pytest.mark.parametrize("key", ["weight", "margin"])
def test_a_weight_that_is_no_sane_number_is_refused_by_its_line(tmp_path: Path, key: str, weight: str) -> None:
    if key == "margin" and weight == "101":  # a margin is a difference of scores
        return
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(ROW)[:-1]}, {json.dumps(key)}: {weight}}}\n")
    with pytest.raises(BadInput, match=rf"rows\.jsonl, line 1, field '{key}': expected a number from 0 to 100"):
        list(read_rows(path))


@pytest.mark.parametrize("weight", [0, 0.0, 1, 0.25, 3, 100])
def test_sane_weights_stay(weight: float) -> None:
    assert parse_row({**ROW, "weight": weight}).extra["weight"] == weight


@pytest.mark.parametrize("cell", ["nan", "inf", "-1", "1e308", "heavy", "True"])
def test_weights_in_csv_are_checked_too(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"prompt,completion,weight\nq,a,{cell}\n")
    with pytest.raises(BadInput, match="field 'weight'"):
        [parse_row(record.value) for record in records(path)]


LIKE_DISCORD = {
    "plain": "discord",
    "capitals": "DISCORD",
    "full width": "ＤＩＳＣＯＲＤ",
    "a space of no width": "dis\u200bcord",
    "a soft hyphen": "dis\u00adcord",
    "a joiner of letters": "dis\u034fcord",
    "an address": "https://discord.com/api",
    "a sentence": "my Discord bot",
    "spaces": "dis cord",
    "dashes": "d-i-s-c-o-r-d",
    "a Cyrillic o": "disc\u043erd",
    "a Ukrainian i": "d\u0456scord",
    "all Cyrillic": "\u0501\u0456\u0455\u0441\u043e\u0433\u0501",
    "a Greek o": "disc\u03bfrd",
    "an i without a dot": "d\u0131scord",
    "a capital i with a dot": "D\u0130SCORD",
    "marks over it": "d\u00eds\u0308c\u0301or\u0323d",
    "strokes through it": "\u0111\u0268sc\u00f8r\u0111",
    "a long s": "di\u017fcord",
    "small capitals": "\u1d05\u026as\u1d04\u1d0f\u0280\u1d05",
    "letters in bold": "\U0001d589\U0001d58e\U0001d598\U0001d588\U0001d594\U0001d597\U0001d589",
    "letters in circles": "\u24d3\u24d8\u24e2\u24d2\u24de\u24e1\u24d3",
    "letters in squares": "\U0001f173\U0001f178\U0001f182\U0001f172\U0001f17e\U0001f181\U0001f173",
    "flags": "\U0001f1e9\U0001f1ee\U0001f1f8\U0001f1e8\U0001f1f4\U0001f1f7\U0001f1e9",
    "Lisu": "\ua4d3\ua4f2\ua4e2\ua4da\ua4f3\ua4e3\ua4d3",
    "Cherokee": "\u13a0\u13a5scord",
    "a zero": "disc0rd",
    "an l": "dlscord",
    "written backwards": "\u202edrocsid",
}


@pytest.mark.parametrize("name", LIKE_DISCORD.values(), ids=LIKE_DISCORD.keys())
def test_what_reads_as_discord_is_discord(name: str) -> None:
    assert platform_name(name) == "discord"


async def test_what_reads_as_discord_leaves_only_with_discords_permission(store: Store) -> None:
    rows = [parse_row({**ROW, "id": kind, "platform": name, "consent": True}) for kind, name in LIKE_DISCORD.items()]
    assert (await import_rows(store, rows)).new.total() == len(rows)
    assert not (await collect_rows(store, discord_permission=None)).rows
    found = (await collect_rows(store, discord_permission="letter")).rows
    assert {row.row.extra["platform"] for row in found} == {"discord"}


@pytest.mark.parametrize(
    "name", ["\u03b4iscord", "\u0422elegram", "\U00010414iscord", "\u15eaIS", " ", "\u200b", "--"]
)
def test_a_name_that_could_pass_for_another_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="field 'platform'"):
        parse_row({**ROW, "platform": name, "consent": True})


OTHERS = {
    "Terminal ": "terminal",
    "web": "web",
    "微信": "微信",
    "カカオ": "カカオ",
    "카카오톡": "카카오톡",
    "matrix (element)": "matrix (element)",
    "irc.example:6667": "irc.example:6667",
    "Café": "café",
}


@pytest.mark.parametrize(("name", "kept"), OTHERS.items())
def test_other_platforms_keep_their_names(name: str, kept: str) -> None:
    assert platform_name(name) == kept


async def test_a_row_made_by_a_program_is_refused_as_well(store: Store) -> None:
    rows: list[Any] = [parse_row({**ROW, "platform": "web", "consent": True})]
    rows[0].extra["platform"] = "\u03b4iscord"
    with pytest.raises(BadInput, match="field 'platform'"):
        await import_rows(store, rows)
