"""`python -m data raters`: who weighs how much and why, whom an operator vouches for, and whose ratings are out."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from data.candidates import OVER_QUOTA, VOIDED
from data.datasets import Collected
from data.imports import collect_rows, import_rows
from data.people import pseudonyms
from data.rows import parse_row
from data.store import Store
from tests.data.talk import Talk
from tests.data.test_main import data

ASK, YES = {"role": "user", "content": "q"}, {"role": "assistant", "content": "yes"}


async def rows(store: Store) -> Collected:
    return await collect_rows(store, discord_permission=None)


async def evening(store: Store) -> None:
    """Ada corrects thirty answers, bob and eve one each. All of it is in one fold, whatever folds there are."""
    talk = await Talk.begin(store)
    people = [await talk.person(name) for name in ("ada", "bob", "eve")]
    for at in range(32):
        person = people[max(0, at - 29)]
        (answer,) = await talk.ask(person, f"question {at} {at * 7919}", f"answer {at}")
        await talk.rate(person, "correction", answer, text=f"better {at}")


@pytest.fixture(scope="module")
def evening_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation after one evening, to copy."""
    house = tmp_path_factory.mktemp("evening") / "home"

    async def prepare() -> None:
        store = await Store.open(house)
        await evening(store)
        await store.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data.folds.SHARES", {"train": 1.0})
        asyncio.run(prepare())
    return house


@pytest.fixture
def lived_in(evening_once: Path, house: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation after one evening."""
    monkeypatch.setattr("data.folds.SHARES", {"train": 1.0})
    shutil.copytree(evening_once, house)
    return house


def report(house: Path) -> dict[str, dict[str, object]]:
    """The report by whether somebody corrected much (`ada`) or little, with the pseudonym as `rater`."""
    found = json.loads(data(house, "raters", "--json")[1])["raters"]
    return {"ada" if line["ratings"]["correction"] > 1 else f"other {at}": line for at, line in enumerate(found)}


def test_the_report_says_who_holds_how_much_and_what_an_operator_can_do(lived_in: Path) -> None:
    code, out, _ = data(lived_in, "raters")
    assert code == 0
    assert out.count("33.3%") == 9  # of demonstrations, preferences and questions
    assert out.count("one head") == 3
    assert "Nobody is borne out by others yet, so everybody holds the same share" in out
    assert data(lived_in / "empty", "raters")[1] == "Nobody has rated anything yet.\n"


@pytest.mark.played
def test_an_operator_vouches_for_somebody_and_takes_it_back(lived_in: Path) -> None:
    ada = str(report(lived_in)["ada"]["rater"])
    assert data(lived_in, "raters", "vouch", ada)[:2] == (0, f"You now vouch for {ada}.\n")
    code, _, errors = data(lived_in, "raters", "vouch", ada)
    assert (code, errors) == (1, f"parley: You vouch for {ada} already.\n")
    line = report(lived_in)["ada"]
    assert (line["standing"], line["why"]) == ("vouched for", "an operator vouches for them")
    assert data(lived_in, "raters", "unvouch", "terminal:ada")[0] == 0
    assert report(lived_in)["ada"]["standing"] == "one head"
    code, _, errors = data(lived_in, "raters", "vouch", "terminal:nobody")
    assert code == 2
    assert errors.startswith("parley: There is nobody called 'terminal:nobody' here. `")
    assert errors.endswith(" -m data raters` lists the people who rated.\n")

    async def deeds() -> list[tuple[str, object]]:
        store = await Store.open(lived_in)
        found = await store.deeds(None, 10)
        await store.close()
        return [(entry.deed, entry.what["rater"]) for entry in found]

    assert asyncio.run(deeds()) == [("unvouch", ada), ("vouch", ada)]


@pytest.mark.played
def test_what_an_operator_takes_out_is_not_trained_until_they_undo_it(lived_in: Path) -> None:
    ada = str(report(lived_in)["ada"]["rater"])
    assert data(lived_in, "raters", "void", ada)[0] == 0
    line = report(lived_in)["ada"]
    assert (line["standing"], line["weight"], line["shares"]) == ("taken out", 0.0, {})
    _, out, _ = data(lived_in, "stats")
    assert VOIDED in out
    assert data(lived_in, "raters", "void", ada, "--undo")[0] == 0
    assert report(lived_in)["ada"]["shares"]
    assert data(lived_in, "raters", "void", ada, "--undo")[0] == 1


async def test_imported_rows_that_name_their_rater_count_as_that_persons(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.folds.SHARES", {"train": 1.0})

    def row(rater: str | None, at: int) -> dict[str, object]:
        named = {} if rater is None else {"rater": rater}
        return {"messages": [{"role": "user", "content": f"{rater} {at} {at * 7919}"}, YES], **named}

    given = [row("ada", at) for at in range(20)] + [row("bob", 0)] + [row(None, at) for at in range(5)]
    await import_rows(store, [parse_row(one) for one in given])
    found = await rows(store)
    assert list(found.shares["demonstration", "train"].values()) == [pytest.approx(0.5), pytest.approx(0.5)]
    weights = {row.row.extra["weight"] for row in found.rows if not row.raters}
    assert weights == {1.0}  # the operator's own rows are as they were
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "7")
    found = await rows(store)
    assert found.dropped["demonstration"] == {OVER_QUOTA: 13}
    assert len(found.of("demonstration")) == 13


@pytest.mark.played
def test_a_rater_whom_only_imported_rows_name_is_listed_and_can_be_vouched_for_taken_out_and_forgotten(
    house: Path, tmp_path: Path
) -> None:
    given = [
        {"messages": [{"role": "user", "content": f"question {at} {at * 7919}"}, YES], **named}
        for at, named in enumerate(({"rater": "alice"}, {"rater": "discord:1234"}, {"rater": "alice"}, {}))
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, given)))
    assert data(house, "import", str(tmp_path / "rows.jsonl"))[0] == 0
    listed = json.loads(data(house, "raters", "--json")[1])["raters"]
    assert sorted((line["platform"], line["ratings"]["import"]) for line in listed) == [("discord", 1), ("import", 2)]
    assert all(line["rater"] in data(house, "raters")[1] for line in listed)
    assert data(house, "raters", "vouch", "alice")[0] == 0
    assert data(house, "raters", "void", "discord:1234")[0] == 0
    assert VOIDED in " ".join(data(house, "stats")[1].split())
    assert data(house, "forget", "alice")[1].startswith("Forgot alice: 4 texts erased")
    assert data(house, "forget", "alice")[0] == 2
    assert b"alice" not in b"".join(path.read_bytes() for path in house.glob("parley.db*"))


async def test_whoever_is_forgotten_takes_the_imported_rows_in_their_name_along(talk: Talk) -> None:
    ada = await talk.person("ada")
    async with talk.store.database.read() as session:
        name = (await pseudonyms(session))[ada]
    own = {"messages": [ASK, YES]}
    await import_rows(talk.store, [parse_row({**own, "rater": name}), parse_row({"messages": [ASK, ASK, YES]})])
    await talk.store.eraser.forget(ada)
    assert len((await rows(talk.store)).of("demonstration")) == 1


async def test_a_person_reads_what_an_operator_decided_about_them(talk: Talk) -> None:
    ada = await talk.person("ada")
    kept = await talk.store.kept_of(ada)
    assert (kept["vouched_for"], kept["ratings_taken_out"]) == (False, False)
