"""`python -m bot.engine`: serve one release as an OpenAI-compatible server on loopback, and print its address."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bot.engine.artefact import find
from bot.engine.room import WHOLE
from bot.engine.server import ServeOptions, serve
from data.engine_environment import engine_environment
from data.errors import BadInput, run
from data.home import home
from data.merged_files import FORMS


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m bot.engine",
        description="Serves one release with llama.cpp as an OpenAI-compatible server. When it is ready, it prints "
        'one JSON line: {"url": ..., "pid": ..., "release": ..., "key_file": ..., ...}. Every request needs a key, a '
        "new one for each process, as the header `Authorization: Bearer KEY`; the file that the line names holds it, "
        "and only you can read that file. The bot starts its engines by itself.",
    )
    flags.add_argument("--release", type=int, metavar="N", help="the release; 0 is the base (default: the champion)")
    flags.add_argument("--base", metavar="ALIAS", help="the base model (default: the release's; the home's)")
    flags.add_argument("--adapter", type=Path, metavar="FILE.gguf", help="a LoRA file that no release has yet")
    flags.add_argument(
        "--served",
        choices=FORMS,
        help="insist on the adapter on top of the base, or on the merged file (default: as the base is served)",
    )
    flags.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    flags.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    flags.add_argument(
        "--parallel", type=int, default=WHOLE, metavar="N", help="parallel answers (default: %(default)s)"
    )
    flags.add_argument(
        "--unified",
        action="store_true",
        help=f"they share the memory of {WHOLE} whole conversations; when it is full, all running answers fail",
    )
    flags.add_argument("--context", type=int, metavar="N", help="tokens in one conversation (default: 4096)")
    flags.add_argument("--with-parent", action="store_true", help="exit when the parent process ends")
    flags.add_argument("--leased", action="store_true", help="share it by engine.json; exit with its last client")
    flags.add_argument(
        "--key-on-stdin",
        action="store_true",
        help="take the first line of standard input as the key, and write it nowhere",
    )
    flags.add_argument("--lock", type=int, help=argparse.SUPPRESS)
    return flags


def main() -> None:
    """Reads the flags, finds the files and serves them."""
    _leave_secrets()
    flags = parser()
    args = flags.parse_args()
    if args.parallel < 1 or (args.context is not None and args.context < 64):
        flags.error("--parallel must be at least 1 and --context at least 64")
    if args.leased and args.adapter:
        flags.error("--leased shares a release; a loose --adapter cannot be shared")
    if args.leased and args.key_on_stdin:
        flags.error("--leased shares its key by engine.json; it cannot take one")
    if args.lock is not None and args.served is None:  # the bot of an earlier version, after an update of the files
        raise BadInput("The bot that asks for this engine runs an earlier version of Parley: restart it.")
    options = ServeOptions(
        host=args.host,
        port=args.port,
        parallel=args.parallel,
        unified=args.unified,
        context=args.context,
        leased=args.leased,
        lock=args.lock,
        with_parent=args.with_parent,
        api_key=_given_key() if args.key_on_stdin else None,
    )
    serve(find(home(), args.release, args.base, args.adapter, args.served), home(), options)


def _leave_secrets() -> None:
    """Starts this process again, in place, without the variables that an engine does not need.

    `/proc` shows what a process was started with, so removing them from `os.environ` would not help.
    """
    kept = engine_environment(os.environ)
    if any(name not in kept and not name.startswith("__") for name in os.environ):  # macOS adds some with `__`
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)  # noqa: S606 - our own command line


def _given_key() -> str:
    key = sys.stdin.readline().strip()
    if len(key) < 16 or not key.isascii() or not key.isprintable() or " " in key:
        raise BadInput("--key-on-stdin takes a line of at least 16 printable ASCII characters without a space.")
    return key


if __name__ == "__main__":
    run(main, tell_unknown=False)
