"""`python -m alignment.export`: makes an adapter servable, as a LoRA GGUF or merged into a plain model directory.

What comes out is compared with PEFT's own arithmetic before it gets its name, so a refused export, like a killed
one, leaves nothing behind that could be served.
"""

from __future__ import annotations

import argparse
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.serving.agreement import Agreement, NotServable, check_served
from alignment.serving.gguf_lora import read_adapter, write_gguf
from data.errors import BadInput, NothingToDo, run
from data.home import home, sync_dir
from data.releases import Releases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Agreement", "NotServable", "check_merged", "check_served", "merge", "to_gguf"]

# Mean difference in nats between a merged model and PEFT's by stored precision; SmolLM2-135M had 6e-6, 0.027, 0.003.
_MERGED_LIMIT = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}


def to_gguf(adapter: Path, base: str, out: Path, *, check: Callable[[Path], object] | None = None) -> Path:
    """Write a PEFT adapter as the LoRA GGUF that llama.cpp's servers load; returns `out`.

    `check` gets the finished file under its temporary name and may refuse it by raising. Raises `BadInput` when
    `out` exists, for anything but LoRA on linear layers, and for architectures that llama.cpp's format lacks here.
    """
    _refuse_copy(adapter)
    with staged(out) as temporary:
        write_gguf(adapter, _config(base), temporary)
        if check:
            check(temporary)
    return out


def merge(adapter: Path, base: str, out: Path, *, check: Callable[[Path], object] | None = None) -> Path:
    """Write the base with the adapter merged into it as a directory that transformers loads; returns `out`.

    The sum is made in float32 and stored in the base's own precision, with the tokenizer and the chat template as
    an engine can parse it. `check` and errors as in `to_gguf`.
    """
    import torch

    from alignment.models import load_model, load_tokenizer
    from data.chat import engine_template

    _refuse_copy(adapter)
    read_adapter(adapter)  # its refusals: what PEFT would merge without a word is not always what was trained
    with staged(out) as temporary:
        model = load_model(base, adapter, dtype=torch.float32).merge_and_unload(safe_merge=True)
        model.to(getattr(torch, _stored_dtype(base))).save_pretrained(temporary)
        tokenizer = load_tokenizer(base)
        tokenizer.chat_template = engine_template(tokenizer.chat_template)
        tokenizer.save_pretrained(temporary)
        if check:
            check(temporary)
    return out


def check_merged(adapter: Path, base: str, merged: Path) -> float:
    """Compare a merged directory, loaded afresh, with PEFT's; returns the mean difference in nats.

    Raises `NotServable` when it is larger than rounding explains.
    """
    import numpy as np
    import torch

    from alignment.models import load_model, load_tokenizer
    from alignment.serving.agreement import TOKENS, log_probs, real_passages

    passages = real_passages(load_tokenizer(base))
    if [p.ids for p in real_passages(load_tokenizer(str(merged)))] != [p.ids for p in passages]:
        raise NotServable(f"The tokenizer saved in {merged} makes other tokens than the base's; nothing was kept.")
    wanted = log_probs(load_model(base, adapter, dtype=torch.float32), passages)
    found = log_probs(load_model(str(merged), dtype=torch.float32), passages)
    top = np.argsort(-wanted, axis=1)[:, :TOKENS]
    mean = float(np.abs(np.take_along_axis(found, top, 1) - np.take_along_axis(wanted, top, 1)).mean())
    limit = _MERGED_LIMIT[_stored_dtype(base)]
    if not mean <= limit:
        raise NotServable(
            f"The merged model is {mean:.4f} nats off PEFT's on average (limit {limit}); nothing was kept."
        )
    return mean


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary name beside `out` to write a file or a folder under; it becomes `out` when the block is done.

    After an error nothing is left; what a killed process left is removed by the next one. Raises `BadInput` when
    `out` exists or its folder does not.
    """
    _refuse_existing(out)
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent} to write {out.name} in.")
    for leftover in out.parent.glob(f".{out.name}.*.partial"):
        if not _alive(leftover.name.split(".")[-2]):
            _remove(leftover)
    temporary = out.parent / f".{out.name}.{os.getpid()}.partial"
    _remove(temporary)
    try:
        yield temporary
        for path in [temporary, *temporary.rglob("*")]:
            sync_dir(path)  # fsync takes a file's descriptor as well as a folder's
        _refuse_existing(out)  # somebody else was faster
        temporary.rename(out)
        sync_dir(out.parent)
    finally:
        _remove(temporary)


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise BadInput(f"{out} exists already and is left as it is. Give another name, or remove it first.")


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _refuse_copy(adapter: Path) -> None:
    if adapter.name == "ref" and (adapter.parent / "adapter_config.json").is_file():
        raise BadInput(
            f"{adapter} is the frozen copy that a DPO stage compared itself with, not what it trained. "
            f"Export {adapter.parent} instead."
        )


def _config(base: str) -> dict[str, Any]:
    from transformers import AutoConfig

    from alignment.models import locate

    settings: dict[str, Any] = AutoConfig.from_pretrained(locate(base).path).to_dict()
    return settings


def _stored_dtype(base: str) -> str:
    dtype = str(_config(base).get("dtype") or "float32").removeprefix("torch.")
    return dtype if dtype in _MERGED_LIMIT else "float32"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alignment.export",
        description="Make an adapter servable: as a LoRA GGUF for the embedded engine (or any llama.cpp server), or "
        "merged into a plain model directory that transformers and vLLM load. The result is compared with PEFT's "
        "log-probabilities before it gets its name.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--release", type=int, metavar="N", help="export the adapter of this release")
    source.add_argument("--adapter", type=Path, metavar="DIR", help="export an adapter as PEFT saved it")
    parser.add_argument("--base", metavar="B", help="the adapter's base model (default: the one that it names)")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--gguf", type=Path, metavar="OUT", help="write a LoRA GGUF (default for a release: its own)")
    target.add_argument("--merge", type=Path, metavar="OUT", help="write a merged model directory")
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="compare the result with PEFT's arithmetic (on by default); alone with --release: check what is there",
    )
    return parser


def main() -> int:
    """Read the command line, export, check."""
    parser = _parser()
    args = parser.parse_args()
    if args.adapter and not (args.gguf or args.merge):
        parser.error("--adapter needs --gguf OUT or --merge OUT")
    if args.release is not None and args.base:
        parser.error("--base goes with --adapter; a release names its own base")
    if args.release is not None:
        release = Releases(home()).get(args.release)
        if release.manifest.get("kind", "adapter") != "adapter":
            raise BadInput(
                f"Release {args.release} is a whole model already: {release.path}. There is no adapter to export."
            )
        adapter, base, own = release.adapter, release.base, release.adapter_gguf
        if not args.gguf and not args.merge and own.exists():
            if not args.check:
                raise NothingToDo(
                    f"Release {args.release} has its {own.name} already; --check compares it with PEFT's."
                )
            print(f"Checking {own} ...", flush=True)
            print(f"It computes what was trained: {check_served(adapter, base, own)}.")
            return 0
        out = args.merge or args.gguf or own
    else:
        adapter, base, out = args.adapter, args.base or _own_base(args.adapter), args.merge or args.gguf
    _export(adapter, base, out, merged=bool(args.merge), check=args.check is not False)
    return 0


def _export(adapter: Path, base: str, out: Path, *, merged: bool, check: bool) -> None:
    _refuse_existing(out)
    read_adapter(adapter)  # refuses in a moment what would be refused after loading a model
    from alignment.quiet import quiet

    quiet()

    def checked(temporary: Path) -> None:
        print("Comparing it with PEFT's log-probabilities on real prompts ...", flush=True)
        if merged:
            print(
                f"It computes what was trained: {check_merged(adapter, base, temporary):.2g} nats apart on average."
            )
        else:
            print(f"It computes what was trained: {check_served(adapter, base, temporary)}.")

    what = "Merging" if merged else "Converting"
    print(f"{what} {adapter} (base: {base}) ...", flush=True)
    (merge if merged else to_gguf)(adapter, base, out, check=checked if check else None)
    print(f"Wrote {out}." if check else f"Wrote {out}; it was not checked.")


def _own_base(adapter: Path) -> str:
    settings, _ = read_adapter(adapter)
    name = settings.get("base_model_name_or_path")
    if not name:
        raise BadInput(f"{adapter} does not name its base model; give it with --base.")
    return str(name)


if __name__ == "__main__":
    run(main)
