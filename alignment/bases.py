"""`python -m alignment.bases add | list | check | remove | served | switch`: the base models on this machine."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alignment.quiet import quiet
from alignment.shelf.adding import Wanted, add, refuse_name
from alignment.shelf.checking import check
from alignment.shelf.form import choose
from alignment.shelf.removing import remove
from data.errors import run
from data.merged_files import FORMS

_DEFAULT = "q8_0"


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and run the command. Exit code 1: `check` found damage."""
    options = _parser().parse_args(argv)
    match options.command:
        case "add":
            return _add(options)
        case "list":
            from alignment.shelf.listing import show  # loads rich

            show()
        case "check":
            return 0 if check(options.name) else 1
        case "remove":
            remove(options.name, force=options.force)
        case "served":
            quiet()
            choose(options.name, options.form)
        case "switch":
            from data.base_switch import switch  # loads SQLAlchemy

            switch(options.name)
    return 0


def _add(options: argparse.Namespace) -> int:
    refuse_name(options.name)
    quiet()
    quantise = None if options.gguf or options.no_gguf else options.quantise or _DEFAULT
    add(Wanted(options.name, options.model, options.gguf, quantise, options.allow_download, options.served))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alignment.bases",
        description="The base models on this machine, each in a folder of PARLEY_BASES (docs/bases.md).",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_adding(commands)
    commands.add_parser("list", help="show the bases: size, context, licence, what serves and what uses them")
    checking = commands.add_parser("check", help="compare the files of a base with what was added")
    checking.add_argument("name", nargs="?", metavar="NAME", help="default: all of them")
    removing = commands.add_parser("remove", help="remove a base that this home does not need")
    removing.add_argument("name", metavar="NAME")
    removing.add_argument("--force", action="store_true", help="remove it even if this home needs it")
    served = commands.add_parser(
        "served", help="serve releases of a base with their adapters (lora) or merged, or measure what is faster here"
    )
    served.add_argument("name", metavar="NAME")
    served.add_argument("form", nargs="?", choices=FORMS, metavar="lora|merged", help="default: measure")
    switch = commands.add_parser(
        "switch", help="begin this home anew from another base: release 0 is that one, and all feedback is kept"
    )
    switch.add_argument("name", metavar="NAME")
    return parser


def _add_adding(commands: Any) -> None:
    adding = commands.add_parser(
        "add",
        help="add a base: its weights, and the GGUF that the embedded engine serves",
        description="Copy a model, make its GGUF with llama.cpp's converter, and admit it if llama.cpp computes what "
        "transformers does: the same token ids on 2,000 texts, and the same log-probabilities up to the rounding of "
        "the quantisation. What can be refused at once is refused first.",
    )
    adding.add_argument("name", metavar="NAME", help="what the base is called here")
    adding.add_argument(
        "--model",
        required=True,
        metavar="DIR|HUB_ID",
        help="a folder in Hugging Face's format (safetensors, config.json, a fast tokenizer), or an id of the hub",
    )
    made = adding.add_mutually_exclusive_group()
    made.add_argument(
        "--quantise",
        "--quantize",
        metavar="KIND",
        help="q8_0, f16, bf16, f32, q5_1, q5_0, q4_1, q4_0, or none to keep the stored precision (default: "
        f"{_DEFAULT})",
    )
    made.add_argument("--gguf", type=Path, metavar="FILE", help="take this GGUF of the model instead of making one")
    made.add_argument(
        "--no_gguf", action="store_true", help="add the base without a GGUF, for vLLM and other engines to serve"
    )
    adding.add_argument(
        "--served",
        choices=FORMS,
        metavar="lora|merged",
        help="serve releases with their adapters, or merged (default: measure here, and decide)",
    )
    adding.add_argument("--allow_download", action="store_true", help="fetch the model from the hub by its id")


if __name__ == "__main__":
    run(main)
