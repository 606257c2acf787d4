"""Loads an empty model in llama.cpp under one pre-tokenizer's name after another, in a process of its own.

`python -m alignment.conversion.candidates FILE` reads `names`, `texts` and `ids` as JSON from standard input. It
prints one JSON line with each name that it begins to try, and one with what was found if llama.cpp could load it,
until a name gives the ids. It runs alone because llama.cpp may end the process that holds it, or never return.
"""

import json
import signal
import struct
import sys
import urllib.request
from pathlib import Path
from typing import Any

from alignment.training.parent import end_with_parent

LIMIT = 120  # seconds for one name; the slowest one seen took 3, with a vocabulary of 152,000
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """Try the names of standard input on the file of the first argument."""
    end_with_parent()
    path, order = Path(sys.argv[1]), json.load(sys.stdin)
    for name in order["names"]:
        signal.alarm(LIMIT)  # ends this process: no Python code can run until llama.cpp returns
        print(json.dumps({"tries": name}), flush=True)
        rename(path, name)
        try:
            server = _start(path)
        except RuntimeError:  # this llama.cpp does not know the name
            continue
        differs = first_difference(server.listening_address, order["texts"], order["ids"])
        print(json.dumps({"name": name, "differs": differs}), flush=True)
        _wait_for_loop(server.listening_address)
        del server
        if differs is None:
            break
    return 0


def first_difference(address: str, texts: list[str], ids: list[list[int]]) -> int | None:
    """The number of the first text of which a server makes other token ids; None if there is none."""
    for number, (text, wanted) in enumerate(zip(texts, ids, strict=True)):
        body = json.dumps({"content": text, "add_special": False, "parse_special": True}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{address}/tokenize", body, {"Content-Type": "application/json"}
        )
        with _OPENER.open(request, timeout=60) as response:
            if json.load(response)["tokens"] != wanted:
                return number
    return None


def rename(path: Path, name: str | None) -> str:
    """Give the empty model's file another pre-tokenizer, if a name is given; returns the one that it had.

    Name and padding keep their length together (`alignment.conversion.driver`).
    """
    key, padding = b"tokenizer.ggml.pre", b"parley.padding"
    whole = path.read_bytes()
    start = whole.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4  # after the value's type
    old = struct.unpack_from("<Q", whole, start)[0]
    rest = start + 8 + old + 8 + len(padding) + 4
    free = old + struct.unpack_from("<Q", whole, rest)[0]
    before = whole[start + 8 : start + 8 + old].decode()
    if name is None:
        return before
    made = name.encode()
    value = struct.pack("<Q", len(made)) + made
    value += struct.pack("<Q", len(padding)) + padding + struct.pack("<I", 8)
    value += struct.pack("<Q", free - len(made)) + b"-" * (free - len(made))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(value)
    return before


def _start(path: Path) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.n_batch = 64, 1, 64
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_threads_http = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.fit_params = False
    params.warmup = False
    params.ui = False
    params.verbosity = 0
    params.use_jinja = False
    params.endpoint_metrics = True
    return xllamacpp.Server(params)


def _wait_for_loop(address: str) -> None:
    """Waits until the server's loop runs.

    A server that is destroyed before that never ends: its loop starts after the order to stop, and the end waits for
    the loop. The server makes tokens without the loop, but answers this request inside it.
    """
    with _OPENER.open(f"{address}/metrics", timeout=60) as response:
        response.read()


if __name__ == "__main__":
    sys.exit(main())
