"""A home begins anew from another base: what ends, what is kept, and what a kill leaves."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from data import comparisons, home_base
from data import releases as releases_module
from data.base_switch import switch
from data.chosen_base import home_base as base_of
from data.errors import BadInput, NothingToDo
from data.home_base import mark_of, read_home_base
from data.live import Pair
from data.releases import NoEarlier, OtherBase, Releases
from data.store import Store
from tests.data.talk import Talk
from tests.data.two_bases import FERN, MOSS, add_base, add_release


@pytest.fixture
def home(tmp_path: Path, house: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on fern with three releases of it: 2 serves after 1, and 3 is on trial."""
    monkeypatch.setenv("PARLEY_HOME", str(house))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.delenv("PARLEY_BASE", raising=False)
    monkeypatch.chdir(tmp_path)
    add_base(tmp_path / "bases", "fern", FERN)
    add_base(tmp_path / "bases", "moss", MOSS)
    base_of(house, "fern", pin=True)
    releases = Releases(house)
    for _ in range(3):
        add_release(house, "fern", FERN)
    releases.promote(1)
    releases.promote(2)
    releases.put_on_trial(3)
    return house


def state(home: Path) -> tuple[str, int, int | None]:
    """The base, the champion, and the release on trial."""
    serving = Releases(home).serving()
    assert serving.base is not None
    return serving.base.name, serving.number, Releases(home).candidate()


def test_the_new_base_serves_and_the_history_starts_over(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    switch("moss")
    assert state(home) == ("moss", 0, None)
    with pytest.raises(BadInput, match="no earlier champion"):
        Releases(home).rollback()
    said = capsys.readouterr().out
    assert "begins anew from the base model moss" in said
    assert "Releases 1, 2, 3 of fern stay on disk" in said
    assert [release.number for release in Releases(home).all()] == [1, 2, 3]


def test_old_releases_cannot_serve_until_the_home_has_their_base_again(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    switch("moss")
    with pytest.raises(OtherBase, match="Release 2 belongs to the base model fern"):
        Releases(home).promote(2)
    assert add_release(home, "moss", MOSS).number == 4  # numbers go on
    Releases(home).promote(4)
    capsys.readouterr()
    switch("fern")
    assert state(home) == ("fern", 0, None)
    assert "Releases 1, 2, 3 of fern can serve again" in capsys.readouterr().out
    Releases(home).promote(2)
    assert state(home) == ("fern", 2, None)
    assert Releases(home).rollback() == 0


def test_a_switch_to_the_same_base_changes_nothing(home: Path) -> None:
    with pytest.raises(NothingToDo, match="has the base model fern already"):
        switch("fern")
    assert state(home) == ("fern", 2, 3)


def test_other_weights_under_the_same_name_are_another_base(home: Path, tmp_path: Path) -> None:
    add_base(tmp_path / "bases", "fern", "0" * 64)
    switch("fern", say=lambda _: None)
    assert state(home) == ("fern", 0, None)
    with pytest.raises(OtherBase, match="other weights"):
        Releases(home).promote(2)


def test_what_cannot_be_is_refused_and_nothing_changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"There is no base model 'mos'.*Did you mean 'moss'"):
        switch("mos")
    (home / "rounds").mkdir()
    with FileLock(home / "rounds" / ".lock"), pytest.raises(BadInput, match="A round is running"):
        switch("moss")
    monkeypatch.setenv("PARLEY_BASE", "fern")
    with pytest.raises(BadInput, match=r"PARLEY_BASE names .*fern.*Set it to moss or unset it"):
        switch("moss")
    assert state(home) == ("fern", 2, 3)
    monkeypatch.setenv("PARLEY_BASE", "moss")  # as everything else advises
    switch("moss", say=lambda _: None)
    assert state(home) == ("moss", 0, None)


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Switch to moss in a process that is killed after so many changes to files; False if it was done before."""

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal steps
            if steps == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            steps -= 1
            return real(*arguments, **more)

        return call

    child = os.fork()
    if child == 0:
        for module, name in ((releases_module, "write_home_base"), (releases_module, "sync_dir"), (Path, "unlink")):
            monkeypatch.setattr(module, name, dying(getattr(module, name)))
        switch("moss", say=lambda _: None)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.played
def test_a_switch_killed_anywhere_leaves_the_old_base_or_the_new_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for steps in range(20):
        more = killed_after(steps, monkeypatch)
        assert state(home) in (("fern", 2, 3), ("moss", 0, None))
        seen.append(state(home)[0])
        if not more:
            break
        if seen[-1] == "moss":  # whoever writes next goes on from there; then back to how it was
            releases = Releases(home)
            with pytest.raises(NoEarlier):
                releases.rollback()
            assert not (home / "releases" / "champion").exists()
            switch("fern", say=lambda _: None)
            releases.promote(1)
            releases.promote(2)
            releases.put_on_trial(3)
    assert (seen[0], seen[-1]) == ("fern", "moss")
    assert seen.count("moss") > 3


def test_a_switch_to_and_fro_does_not_bring_the_old_champion_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # as if killed after the write that decides
        patch.setattr(Releases, "_remove_pointers", lambda _: None)
        switch("moss", say=lambda _: None)
    found = read_home_base(home)
    assert found is not None
    assert found.begins_anew
    assert (home / "releases" / "champion").read_text() == "2\n"
    assert state(home) == ("moss", 0, None)
    switch("fern", say=lambda _: None)
    assert state(home) == ("fern", 0, None)


def test_the_file_of_the_home_names_what_a_reader_needs(home: Path) -> None:
    switch("moss", say=lambda _: None)
    assert home_base.base_path(home).read_text() == (
        '{\n  "version": 1,\n  "name": "moss",\n  "sha256": "' + MOSS + '",\n  "begins_anew": false\n}\n'
    )


async def compared(store: Store, home: Path, candidate: int) -> int:
    """How many comparisons of a release with release 0 count."""
    pair = Pair(0, candidate, mark_of(home))
    found = await asyncio.to_thread(comparisons.trial, store.database.path, pair, discord_permission=None)
    return len(found.comparisons)


async def rate(talk: Talk, question: str, candidate: int, base: str | None) -> None:
    """Somebody prefers release 0's answer to the candidate's."""
    ada = await talk.person()
    said = await talk.say(ada, question)
    old = await talk.answer(said, "from the base", release=0, model=base)
    new = await talk.answer(said, "from the candidate", release=candidate)
    await talk.rate(ada, "comparison", old, other=new, value="a")


@pytest.mark.played
def test_comparisons_with_release_0_count_for_the_base_that_it_was(home: Path) -> None:
    async def before() -> None:
        store = await Store.open(home)
        talk = await Talk.begin(store)
        await rate(talk, "one", 3, None)  # from before answers said which base they came from
        await rate(talk, "two", 3, mark_of(home))
        assert await compared(store, home, 3) == 2
        await store.close()

    async def after() -> None:
        store = await Store.open(home)
        assert await compared(store, home, 3) == 0
        talk = await Talk.begin(store)
        await rate(talk, "one", 4, mark_of(home))
        assert await compared(store, home, 4) == 1
        await store.close()

    async def again() -> None:
        store = await Store.open(home)
        assert (await compared(store, home, 3), await compared(store, home, 4)) == (2, 0)
        await store.close()

    asyncio.run(before())
    switch("moss", say=lambda _: None)
    asyncio.run(after())
    switch("fern", say=lambda _: None)
    asyncio.run(again())
