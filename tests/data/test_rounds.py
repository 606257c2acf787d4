"""Rounds as others see them: whether any may begin, and how they ended."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.rounds import DecidedRound, decided, pause, pause_path, paused_since, resume


def test_rounds_are_paused_until_they_are_resumed(house: Path) -> None:
    assert paused_since(house) is None
    assert not resume(house)
    assert pause(house)
    since = paused_since(house)
    assert since is not None
    assert abs(datetime.now(UTC) - since) < timedelta(hours=1)
    assert stat.S_IMODE(pause_path(house).stat().st_mode) == 0o600
    assert not pause(house)
    assert paused_since(house) == since
    assert resume(house)
    assert paused_since(house) is None


def test_a_folder_without_a_valid_manifest_is_not_a_round(tmp_path: Path) -> None:
    for name, text in (
        ("0001", '{"number": 1, "status": "refused"}'),
        ("0002", "{"),
        ("0003", '{"status": "running"}'),
        ("0004", "[]"),
        ("0005", "null"),
        ("0006", '{"number": "six", "status": "refused"}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text)
    assert decided(tmp_path) == [DecidedRound(number=1, status="refused")]
    assert decided(tmp_path, besides=1) == []
