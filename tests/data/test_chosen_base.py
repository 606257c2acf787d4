"""Which base a home has, and that nothing takes another one for it."""

from pathlib import Path

import pytest

from data.bases import BUNDLED, DEFAULT_BASE
from data.chosen_base import base_before, home_base
from data.errors import BadInput
from data.home_base import HomeBase, base_path, mark_of, read_home_base
from data.releases import OtherBase, Releases
from tests.data.two_bases import FERN, MOSS, add_base, add_release


@pytest.fixture
def bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the bases fern and moss; nothing chooses between them."""
    folder = tmp_path / "bases"
    monkeypatch.setenv("PARLEY_BASES", str(folder))
    monkeypatch.delenv("PARLEY_BASE", raising=False)
    monkeypatch.chdir(tmp_path)  # no .env
    add_base(folder, "fern", FERN)
    add_base(folder, "moss", MOSS)
    return folder


def test_a_new_home_takes_the_bundled_base_and_nothing_is_written_until_it_is_used(bases: Path, house: Path) -> None:
    assert home_base(house) == DEFAULT_BASE
    assert not house.exists()
    assert home_base(house, pin=True) == DEFAULT_BASE
    assert read_home_base(house) == HomeBase(name=DEFAULT_BASE, sha256=BUNDLED[DEFAULT_BASE].sha256)
    assert base_path(house).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("how", ["the setting", "the setting in .env", "the command line"])
def test_a_setting_or_a_flag_chooses_for_a_new_home(
    bases: Path, house: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    wanted = None
    if how == "the setting":
        monkeypatch.setenv("PARLEY_BASE", "fern")
    elif how == "the setting in .env":
        Path(".env").write_text("PARLEY_BASE=fern\n")
    else:
        wanted = "fern"
    assert home_base(house, wanted, pin=True) == "fern"
    found = read_home_base(house)
    assert found is not None
    assert (found.sha256, found.mark, mark_of(house)) == (FERN, "fern@ffffffffffff", "fern@ffffffffffff")


def test_another_base_than_the_homes_is_refused_with_what_to_do(
    bases: Path, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home_base(house, "fern", pin=True)
    with pytest.raises(BadInput, match=r"--base names the base model moss.*has fern.*bases switch moss"):
        home_base(house, "moss")
    monkeypatch.setenv("PARLEY_BASE", "moss")
    with pytest.raises(BadInput, match=r"PARLEY_BASE names .*moss.*Unset PARLEY_BASE to go on with fern"):
        home_base(house)
    with pytest.raises(BadInput, match="PARLEY_BASE names"):  # a flag that agrees with the home is not enough
        home_base(house, "fern")
    monkeypatch.setenv("PARLEY_BASE", "fern")
    assert home_base(house, "fern") == "fern"


def test_two_ways_to_choose_that_differ_are_refused_in_a_new_home(
    bases: Path, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_BASE", "fern")
    with pytest.raises(BadInput, match="PARLEY_BASE names the base model fern"):
        home_base(house, "moss", pin=True)
    assert read_home_base(house) is None


def test_a_base_that_is_not_here_is_named(bases: Path, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_BASE", "ferm")
    with pytest.raises(BadInput, match=r"There is no base model 'ferm'.*Did you mean 'fern'"):
        home_base(house, pin=True)


def test_other_weights_under_the_pinned_name_are_refused(bases: Path, house: Path) -> None:
    home_base(house, "fern", pin=True)
    add_base(bases, "fern", "0" * 64)
    with pytest.raises(
        BadInput, match=r"fern .*is not the one .*000000000000, and ffffffffffff is pinned.*switch fern"
    ):
        home_base(house)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"name": 1, "sha256": ""}', '{"name": "fern", "sha256": "f", "version": 9}']
)
def test_a_damaged_file_is_a_sentence(bases: Path, house: Path, content: str) -> None:
    home_base(house, "fern", pin=True)
    base_path(house).write_text(content)
    for read in (lambda: home_base(house), Releases(house).champion, Releases(house).candidate):
        with pytest.raises(BadInput, match=r"base\.json should say which base model"):
            read()


class TestOlderHomes:
    """Homes from before bases were pinned."""

    def test_it_has_the_base_of_its_releases(self, bases: Path, house: Path) -> None:
        add_release(house, "fern")
        add_release(house, "fern", FERN)
        assert home_base(house, pin=True) == "fern"
        assert base_before(house).sha256 == FERN

    def test_the_setting_cannot_choose_another(
        self, bases: Path, house: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_release(house, "fern", FERN)
        monkeypatch.setenv("PARLEY_BASE", "moss")
        with pytest.raises(BadInput, match=r"this home .* has fern"):
            home_base(house)

    def test_of_several_it_has_the_champions(self, bases: Path, house: Path) -> None:
        add_release(house, "fern", FERN)
        add_release(house, "moss", MOSS)
        Releases(house).promote(1)
        assert home_base(house, pin=True) == "fern"

    def test_of_several_the_setting_decides_while_the_base_serves(
        self, bases: Path, house: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_release(house, "fern", FERN)
        add_release(house, "moss", MOSS)
        assert home_base(house) == DEFAULT_BASE
        monkeypatch.setenv("PARLEY_BASE", "moss")
        assert home_base(house, pin=True) == "moss"

    def test_weights_that_are_not_the_releases_own_are_refused(self, bases: Path, house: Path) -> None:
        add_release(house, "fern", "0" * 64)
        with pytest.raises(BadInput, match="not the one that this home"):
            home_base(house, pin=True)
        assert read_home_base(house) is None


class TestReleasesOfAnotherBase:
    def test_they_cannot_serve_or_be_tried(self, bases: Path, house: Path) -> None:
        home_base(house, "fern", pin=True)
        add_release(house, "moss", MOSS)
        releases = Releases(house)
        for attempt in (releases.promote, releases.put_on_trial):
            with pytest.raises(OtherBase, match=r"Release 1 belongs to .*moss.*bases switch moss"):
                attempt(1)
        assert (releases.champion(), releases.candidate()) == (0, None)

    def test_other_weights_of_the_same_base_neither(self, bases: Path, house: Path) -> None:
        home_base(house, "fern", pin=True)
        add_release(house, "fern", "0" * 64)
        with pytest.raises(OtherBase, match="other weights of the base model fern"):
            Releases(house).promote(1)

    def test_what_the_manifest_does_not_pin_is_known_by_its_name(self, bases: Path, house: Path) -> None:
        home_base(house, "fern", pin=True)
        add_release(house, "fern")
        Releases(house).promote(1)
        assert Releases(house).champion() == 1
