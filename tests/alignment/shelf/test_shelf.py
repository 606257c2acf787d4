"""What stands on the shelf: listed, checked, removed."""

import json
import shutil

import pytest

from alignment import bases as command
from alignment.shelf import checking, listing, removing
from data.bases import DEFAULT_BASE
from data.errors import BadInput
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.alignment.shelf import made


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A home with two bases, of which one has no GGUF."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("PARLEY_BASE", raising=False)
    made.base(tmp_path / "bases", "fern", thinks=True, languages=("en", "zh"), source="moss/fern")
    made.base(tmp_path / "bases", "moss", gguf=False, licence="unknown")
    return tmp_path / "bases"


def release(home, base):
    """A release of a base."""
    return Releases(home).create(lambda _: ReleaseManifest(kind="adapter", base=base))


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def line(found, name):
    (one,) = (each for each in found if f" {name} " in each)
    return one


def test_the_table_says_what_each_base_is(shelf, capsys, tmp_path):
    release(tmp_path / "home", "moss")
    assert command.main(["list"]) == 0
    found = lines(capsys)
    fern, moss, bundled = (line(found, name) for name in ("fern", "moss", DEFAULT_BASE))
    for word in ("llama", "4,096", "en, zh", "embedded (q8_0), others", "apache-2.0", "switched off", "nothing here"):
        assert word in fern
    for word in ("unknown", "others", "no", "release 1"):
        assert word in moss
    assert "embedded" not in moss
    assert "not here: `make setup`" in bundled


def test_the_table_says_what_cannot_be_used(shelf, capsys):
    (shelf / "fern" / "base.json").write_text("{")
    (shelf / "lichen").mkdir()
    listing.show()
    found = "\n".join(lines(capsys))
    assert "fern/base.json is damaged" in found
    assert f"{shelf / 'lichen'} is not a base" in found
    assert line(found.splitlines(), "moss")


def test_a_base_json_of_an_earlier_version_is_listed_and_checked(shelf, capsys, monkeypatch):
    folder = shelf / DEFAULT_BASE
    folder.mkdir()
    six = {"alias": DEFAULT_BASE, "gguf_sha256": "a", "control": [], "template_name": "chatml"}
    (folder / "base.json").write_text(json.dumps({**six, "context_length": 8192, "eos_token": "<|im_end|>"}))
    (folder / "model.gguf").write_bytes(b"another file")
    assert command.main(["list"]) == 0
    found = line(lines(capsys), DEFAULT_BASE)
    for word in ("llama", "8,192", "en", "embedded (q4_1), others", "Apache-2.0"):
        assert word in found
    assert command.main(["check", DEFAULT_BASE]) == 1
    assert "model.gguf was changed or is damaged" in capsys.readouterr().out


def test_check_compares_every_file_and_says_what_to_do(shelf, capsys):
    assert command.main(["check"]) == 0
    assert lines(capsys) == ["fern: 3 files, as they were added.", "moss: 2 files, as they were added."]
    (shelf / "fern" / "hf" / "model.safetensors").write_bytes(b"something else")
    (shelf / "moss" / "base.json").write_text("[]")
    said = []
    assert not checking.check(None, said.append)
    assert said[0] == f"fern: {shelf / 'fern' / 'hf' / 'model.safetensors'} was changed or is damaged."
    assert said[1].startswith(f"fern is not used until that is mended. Remove {shelf / 'fern'} and fetch")
    assert said[2].startswith(f"moss: {shelf / 'moss' / 'base.json'} is damaged (it should be an object)")
    assert command.main(["check", "moss"]) == 1


def test_nothing_on_the_shelf_is_said(shelf, capsys):
    shutil.rmtree(shelf)
    assert command.main(["check"]) == 0
    assert lines(capsys) == [f"There are no bases in {shelf} yet. `make setup` fetches the bundled one."]


def test_an_unknown_base_gets_the_nearest_name(shelf):
    for run in (["check", "ferm"], ["remove", "ferm"]):
        with pytest.raises(BadInput, match=r"There is no base model 'ferm'.*Did you mean 'fern'"):
            command.main(run)


def test_a_base_is_removed_whole(shelf, capsys):
    assert command.main(["remove", "fern"]) == 0
    assert lines(capsys)[0].startswith("fern was removed.")
    assert sorted(path.name for path in shelf.iterdir()) == [".fern.lock", "moss"]
    with pytest.raises(BadInput, match="There is no base model 'fern'"):
        removing.remove("fern")


def test_a_base_that_this_home_needs_stays_unless_forced(shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("PARLEY_BASE", "fern")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "parley.db").touch()
    release(tmp_path / "home", "fern")
    release(tmp_path / "home", "fern")
    with pytest.raises(BadInput, match=r"fern is needed by this home and releases 1, 2 .*--force"):
        removing.remove("fern")
    assert (shelf / "fern" / "base.json").is_file()
    removing.remove("fern", force=True, say=lambda _: None)
    assert not (shelf / "fern").exists()
    removing.remove("moss", say=lambda _: None)


def test_a_damaged_release_may_be_one_of_this_base(shelf, tmp_path):
    release(tmp_path / "home", "moss")
    (tmp_path / "home" / "releases" / "0001" / "manifest.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        removing.remove("moss")
