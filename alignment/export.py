"""`python -m alignment.export`: makes an adapter servable: as a LoRA GGUF, or merged, as a folder or a whole GGUF.

The result is compared with PEFT's own arithmetic before it gets its name (`alignment.serving`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from alignment.conversion.gguf import QUANTISATIONS
from alignment.conversion.merged import merge_to_gguf
from alignment.models import locate, own_base, result_of
from alignment.quiet import quiet
from alignment.serving.agreement import check_served
from alignment.serving.artefact import check_merged, merge, refuse_existing, to_gguf
from alignment.serving.gguf_lora import read_adapter
from alignment.serving.same_base import check_base
from data.errors import BadInput, NothingToDo, run
from data.home import home
from data.releases import Releases

_WHOLE = Path()  # what a --gguf without a name stands for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alignment.export",
        description="Make an adapter servable: as a LoRA GGUF for the embedded engine (or any llama.cpp server), or "
        "merged into a plain model directory that transformers and vLLM load, or with --merge OUT --gguf into one "
        "GGUF of the whole model. The result is compared with PEFT's "
        "log-probabilities before it gets its name.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--release", type=int, metavar="N", help="export the adapter of this release")
    source.add_argument(
        "--adapter",
        type=Path,
        metavar="DIR",
        help="export an adapter as PEFT saved it, or the result of a run's folder",
    )
    parser.add_argument(
        "--base", metavar="B", help="where the adapter's base model is now (default: the one that it names)"
    )
    parser.add_argument(
        "--gguf",
        type=Path,
        nargs="?",
        const=_WHOLE,
        metavar="OUT",
        help="write a LoRA GGUF (default for a release: its own); without OUT, beside --merge: a whole GGUF",
    )
    parser.add_argument(
        "--merge", type=Path, metavar="OUT", help="write a merged model directory, or with --gguf a GGUF"
    )
    parser.add_argument(
        "--quantise",
        choices=QUANTISATIONS,
        default="q8_0",
        metavar="KIND",
        help=f"of a whole GGUF: {', '.join(QUANTISATIONS)}; 4 bits ruin what was merged (default: %(default)s)",
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="compare the result with PEFT's arithmetic (on by default); with --release alone: check its file",
    )
    return parser


def main() -> int:
    """Read the command line, export, check."""
    parser = _parser()
    args = parser.parse_args()
    whole = args.gguf is _WHOLE
    if args.gguf and whole != bool(args.merge):
        parser.error("--gguf OUT writes a LoRA GGUF; for a whole one, give --merge OUT and --gguf without a name")
    if args.adapter and not (args.gguf or args.merge):
        parser.error("--adapter needs --gguf OUT or --merge OUT")
    if args.release is not None and args.base:
        parser.error("--base goes with --adapter; a release names its own base")
    if args.release is not None:
        release = Releases(home()).get(args.release)
        if release.manifest.kind != "adapter":
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
        adapter = result_of(args.adapter)
        read_adapter(adapter)  # a bad adapter fails here, not after a model was loaded
        base, out = args.base or own_base(adapter), args.merge or args.gguf
    if whole:
        _export_whole(adapter, base, out, args.quantise, check=args.check is not False)
    else:
        _export(adapter, base, out, merged=bool(args.merge), check=args.check is not False)
    return 0


def _export_whole(adapter: Path, base: str, out: Path, quantise: str, *, check: bool) -> None:
    if sentence := check_base(adapter, locate(base)):
        print(sentence, flush=True)
    read_adapter(adapter)
    quiet()
    print(f"Merging {adapter} (base: {base}) and converting it ...", flush=True)
    found = merge_to_gguf(adapter, base, out, quantise, check=check)
    print(f"Wrote {out}. It computes what was trained: {found}." if found else f"Wrote {out}; it was not checked.")


def _export(adapter: Path, base: str, out: Path, *, merged: bool, check: bool) -> None:
    refuse_existing(out)
    if sentence := check_base(adapter, locate(base)):
        print(sentence, flush=True)
    read_adapter(adapter)  # a bad adapter fails here, not after a model was loaded
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


if __name__ == "__main__":
    run(main)
