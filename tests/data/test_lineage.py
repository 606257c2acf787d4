"""Which rounds and releases learnt from whom, also after people left."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from data.commands import lineage
from data.erasure import FORGOTTEN, erased_rows
from data.home import installation_key
from data.imports import collect_rows
from data.lineage import releases_with
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.row_ids import rows_of
from data.store import Store
from tests.data.talk import Talk


async def ids_of(store: Store, person: int) -> set[str]:
    async with store.database.read() as session:
        return await rows_of(session, installation_key(store.database.path.parent), person)


async def gone(store: Store) -> set[str]:
    async with store.database.read() as session:
        return await erased_rows(session, FORGOTTEN)


async def pseudonym(store: Store, person: int) -> str:
    found: str = (await store.kept_of(person))["person"]["pseudonym"]
    return found


async def everything(talk: Talk, ada: int, bob: int) -> None:
    """Ada asks and rates, Bob corrects her and asks a question that she answers below and rates."""
    one, two = await talk.ask(ada, "ada asks", "one", "two")
    await talk.rate(bob, "correction", one, text="bob corrects")
    await talk.rate(ada, "vote", two, value="up")
    (his,) = await talk.ask(bob, "bob asks", "his")
    his_other = await talk.answer(await talk.say(bob, "bob asks on", parent=his.message), "more")
    await talk.rate(ada, "vote", his, value="down")
    below = await talk.answer(await talk.say(ada, "ada below", parent=his_other.message), "below")
    await talk.rate(bob, "vote", below, value="up")


def wrote_round(house: Path, number: int, rows: dict[str, list[str]], start: int = 0, **more: object) -> None:
    """A round's manifest, and its release, which continues `start`."""
    folder = house / "rounds" / f"{number:04d}"
    folder.mkdir(parents=True)
    release = Releases(house).create(
        lambda _: ReleaseManifest(base="smollm2-135m", round=number, parents={"start": start})
    )
    found = {"number": number, "status": "refused", "rows": rows, "decision": {"release": release.number}, **more}
    (folder / "manifest.json").write_text(json.dumps(found))


async def printed(person: str | None = None) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        await lineage(person)
    return " ".join(out.getvalue().split())


async def test_a_persons_rows_are_those_with_their_words_or_ratings(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await everything(talk, ada, bob)
    found = await collect_rows(talk.store, discord_permission=None)
    theirs = await ids_of(talk.store, ada)
    said = {each.row.id: str(each.row.data) for each in found.rows}
    assert {said[number] for number in said.keys() - theirs} == {
        text for text in said.values() if "ada" not in text and "label" not in text
    }
    assert all("ada" in text or "his" in text for text in (said[number] for number in said.keys() & theirs))


async def test_an_older_text_of_an_edited_message_is_still_theirs(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, "old words", platform_id="q")
    await talk.answer(said, "an answer")
    (before,) = (await collect_rows(talk.store, discord_permission=None)).rows
    await talk.store.edit_message("terminal", "q", "new words")
    assert before.row.id in await ids_of(talk.store, ada)


@pytest.mark.played
async def test_rounds_name_whom_they_learnt_from_until_and_after_they_leave(
    talk: Talk, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(house))
    monkeypatch.setenv("COLUMNS", "200")
    store, ada, bob = talk.store, await talk.person("ada"), await talk.person("bob")
    await everything(talk, ada, bob)
    found = await collect_rows(store, discord_permission=None)
    adas = await ids_of(store, ada)
    mine = [each.row.id for each in found.rows if each.row.kind == "labelled" and each.row.id in adas]
    others = [each.row.id for each in found.rows if each.row.id not in adas]
    assert mine
    assert others
    name = await pseudonym(store, ada)
    wrote_round(house, 1, {"prompt": others}, used={"prompt": 1})
    wrote_round(house, 2, {"labelled": mine}, used={"labelled": 1}, raters=[name])
    wrote_round(house, 3, {"prompt": others}, used={"prompt": 1}, start=2)  # --from champion
    wrote_round(house, 4, {"preference, judge_train": mine}, used={"prompt": 1})
    wrote_round(house, 5, {"labelled": mine}, used={"prompt": 1})  # listed, and no stage read them
    told = await printed(name)
    assert f"│ 2 │ 2 │ {len(mine)} │ 0 │ among its raters │" in told
    assert "│ 3 │ 3 │ 0 │ 0 │ continues release 2 │" in told
    assert f"│ 4 │ 4 │ 0 │ {len(mine)} │ │" in told
    assert "│ 1 │ 1 │" not in told
    assert "│ 5 │ 5 │" not in told
    assert "No round has learnt from somebody who left." in await printed()
    assert releases_with(house, await gone(store)) == []

    await store.eraser.forget(ada)
    assert releases_with(house, await gone(store)) == [2, 3]
    told = await printed()
    assert "│ 2 │ 2 │" in told
    assert "continues release 2" in told
    assert "From whom they learnt is not kept." in told
    assert name not in told
    told = await printed(name)  # whom a manifest names as a rater is a pseudonym that leads to nobody
    assert "│ 2 │ 2 │ 0 │ 0 │ among its raters │" in told
    assert "The store holds no row of" in told


async def test_a_deleted_message_is_not_somebody_who_left(talk: Talk, house: Path) -> None:
    ada = await talk.person()
    said = await talk.say(ada, "words", platform_id="q")
    await talk.answer(said, "an answer")
    ids = [each.row.id for each in (await collect_rows(talk.store, discord_permission=None)).rows]
    wrote_round(house, 1, {"prompt": ids}, used={"prompt": 1})
    await talk.store.eraser.erase_message("terminal", "q")
    assert releases_with(house, await gone(talk.store)) == []
