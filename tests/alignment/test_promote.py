"""The two commands that move the pointer by hand."""

import sys
from pathlib import Path

import pytest

from alignment import promote, rollback
from data.bases import DEFAULT_BASE
from data.release_manifest import ReleaseManifest
from data.releases import Releases


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a release."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    Releases(tmp_path).create(lambda _: ReleaseManifest(base=DEFAULT_BASE))
    return tmp_path


@pytest.mark.parametrize("fixed", [None, "gpt-x"])
def test_release_is_promoted_tried_and_rolled_back(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fixed: str | None
) -> None:
    if fixed:
        monkeypatch.setenv("PARLEY_ENGINE_MODEL", fixed)
    releases = Releases(home)

    def said(command: object, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["it", *words])
        assert command.main() == 0  # type: ignore[attr-defined]  # a module is passed as an object
        shown = capsys.readouterr().out
        # A model that always answers is named each time, since nothing of this reaches it.
        assert ("PARLEY_ENGINE_MODEL says that gpt-x always answers" in shown) is bool(fixed)
        return shown

    assert "Release 1 is on trial, and release 0 goes on serving" in said(promote, "1", "--trial")
    assert releases.candidate() == 1
    assert "The champion is release 1 now; before it was release 0" in said(promote, "1")
    assert (releases.champion(), releases.candidate()) == (1, None)
    assert "The champion is release 0 again" in said(rollback)
    assert releases.champion() == 0
