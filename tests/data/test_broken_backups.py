"""A backup that is not whole, was changed, or is none is refused, encrypted or not."""

import io
import tarfile
from pathlib import Path

import pytest

from data import backup, restore
from data.backup import write_backup
from data.backup_file import BackupWriter
from data.errors import BadInput
from data.restore import verify
from data.sealing import CHUNK, Opener, Sealer
from tests.data.backed_up import PASSPHRASE, texts

pytestmark = pytest.mark.usefixtures("no_bases", "cheap_sealing")


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("where", [0, 0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_backup_that_breaks_off_is_refused(
    lived: Path, tmp_path: Path, passphrase: str | None, where: float
) -> None:
    out = tmp_path / "b.tar"
    write_backup(lived, out, passphrase)
    raw = out.read_bytes()
    end = len(raw.rstrip(b"\0")) if passphrase is None else len(raw)  # a tar's padding carries nothing
    out.write_bytes(raw[: int(end * where)])
    with pytest.raises(BadInput):
        restore.restore(tmp_path / "other", out, passphrase)
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("where", [0.01, 0.1, 0.4, 0.7, 0.9])
def test_a_changed_byte_is_noticed(lived: Path, tmp_path: Path, passphrase: str | None, where: float) -> None:
    out = tmp_path / "b.tar"
    write_backup(lived, out, passphrase)
    raw = bytearray(out.read_bytes())
    at = int(len(raw.rstrip(b"\0")) * where)
    raw[at] ^= 1
    out.write_bytes(raw)
    try:
        verify(out, passphrase)
    except BadInput:
        return
    # A tar has padding between its members, whose bytes say nothing.
    assert passphrase is None
    restore.restore(tmp_path / "other", out, None)
    assert texts(tmp_path / "other") == texts(lived)


def sealed(plain: bytes) -> bytearray:
    out = io.BytesIO()
    sealer = Sealer(out, PASSPHRASE)
    for start in range(0, len(plain), 300_000):
        sealer.write(plain[start : start + 300_000])
    sealer.close()
    return bytearray(out.getvalue())


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_is_sealed_opens_again(size: int) -> None:
    plain = bytes(range(256)) * (size // 256 + 1)
    plain = plain[:size]
    opener = Opener(io.BytesIO(sealed(plain)), PASSPHRASE, "b")
    found = b""
    while piece := opener.read(70_000):
        found += piece
    assert found == plain
    assert plain[:1000] not in sealed(plain) or size < 2


HEAD = 23 + 3 + 16 + 7


@pytest.mark.parametrize("fault", ["swap", "drop", "repeat", "cut", "end", "header", "longer"])
def test_chunks_in_another_order_or_missing_are_noticed(fault: str) -> None:
    raw = sealed(b"a" * CHUNK + b"b" * CHUNK + b"c" * CHUNK + b"end")
    step = CHUNK + 16
    head, parts = raw[:HEAD], [raw[HEAD + i * step : HEAD + (i + 1) * step] for i in range(4)]
    match fault:
        case "swap":
            parts[0], parts[1] = parts[1], parts[0]
        case "drop":
            del parts[1]
        case "repeat":
            parts.insert(1, parts[0])
        case "cut":
            del parts[3]
        case "end":
            parts[3] = parts[3][:-1]
        case "header":
            head[-1] ^= 1
        case "longer":
            parts.append(bytearray(b"more"))
    opener = Opener(io.BytesIO(head + b"".join(parts)), PASSPHRASE, "the backup")
    with pytest.raises(BadInput, match="the backup"):
        opener.read()


def test_another_passphrase_opens_nothing(lived: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.tar"
    write_backup(lived, out, PASSPHRASE)
    for wrong in ("", "correct  horse", "Correct horse"):
        with pytest.raises(BadInput, match="the passphrase is another one"):
            verify(out, wrong)
    with pytest.raises(BadInput, match="is encrypted: set PARLEY_BACKUP_PASSPHRASE"):
        verify(out, None)


def odd_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for member, raw in members:
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "member",
    [
        entry("../outside"),
        entry("/tmp/outside"),
        entry("releases/../../outside"),
        entry("./key"),
        entry("key", tarfile.SYMTYPE, "/etc/passwd"),
        entry("key", tarfile.LNKTYPE, "parley.db"),
        entry("pipe", tarfile.FIFOTYPE),
        entry("device", tarfile.CHRTYPE),
        entry("folder", tarfile.DIRTYPE),
    ],
    ids=lambda member: f"{member.name} {member.type!r}",
)
def test_a_member_that_no_backup_has_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    path = odd_tar(tmp_path / "b.tar", (member, b""))
    with pytest.raises(BadInput, match="which no backup has"):
        verify(path, None, tmp_path / "new")
    assert [each.name for each in tmp_path.iterdir()] == ["b.tar"]


@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 20480, b"SQLite format 3\0" + b"x" * 5000, b"{}"])
def test_a_file_that_is_no_backup_gives_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(BadInput, match=r"b\.tar"):
        verify(tmp_path / "b.tar", None)


@pytest.mark.parametrize(
    "manifest", [b"[]", b"null", b"{", b"{}", b'{"files": 3, "created_at": "", "schema": ""}', b"\xff"]
)
def test_a_damaged_manifest_gives_a_sentence(tmp_path: Path, manifest: bytes) -> None:
    path = odd_tar(tmp_path / "b.tar", (entry("key"), b"k"), (entry("manifest.json"), manifest))
    with pytest.raises(BadInput, match=r"b\.tar has a damaged manifest"):
        verify(path, None)


def test_a_backup_with_other_files_than_its_manifest_says_is_refused(lived: Path, tmp_path: Path) -> None:
    class Forged(BackupWriter):
        def finish(self, manifest: object) -> None:
            manifest.files["releases/0009/adapter.gguf"] = "0" * 64  # type: ignore[attr-defined]  # a manifest
            super().finish(manifest)  # type: ignore[arg-type]  # a manifest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup, "BackupWriter", Forged)
        write_backup(lived, tmp_path / "b.tar", None)
    with pytest.raises(BadInput, match=r"it misses releases/0009/adapter\.gguf"):
        verify(tmp_path / "b.tar", None)
