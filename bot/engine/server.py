"""The embedded engine's process: llama.cpp's server on one release, for as long as somebody needs it.

One process serves one adapter only: llama.cpp's prompt cache compares tokens and forgets which adapter computed them,
so a server that switched adapters would reuse the wrong release's memory.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.engine.sharing import Board, Entry, FileLock
from data.chat import engine_template
from data.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.artefact import Artefact

TICK = 0.25  # seconds between two looks at the lease
GRACE = 2.0  # seconds, see `grace`
_ERRORS_ONLY = 1  # llama.cpp's log level; its errors name tasks and sizes, its debug level prints message texts


@dataclass(frozen=True, slots=True)
class Wish:
    """How to serve: `port` 0 takes a free one, `context` None takes the default, both for one conversation."""

    host: str = "127.0.0.1"
    port: int = 0
    parallel: int = 4
    context: int | None = None
    leased: bool = False
    lock: int | None = None  # the descriptor of the process lock, from the client that started a leased engine
    with_parent: bool = False


def serve(artefact: Artefact, home: Path, wish: Wish) -> None:
    """Serves until a signal, the parent's end (`with_parent`) or the last client's end (`leased`); does not return.

    Prints one JSON line with the address on standard output when requests are answered. Raises BadInput when the
    files cannot be loaded or the port is taken.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()
    board = Board(home)
    process = _hold_process(board, artefact, wish) if wish.leased else None
    nonce = secrets.token_hex(16)
    server = _start(artefact, wish, nonce)
    url = f"{server.listening_address}/v1"
    _check_health(server.listening_address)
    entry = Entry(
        url=url,
        pid=os.getpid(),
        release=artefact.release,
        base=artefact.base.alias,
        context_length=artefact.context(wish.context),
        nonce=nonce,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if process:
        board.put(artefact.key, entry)
    print(json.dumps(asdict(entry)), flush=True)
    if process:
        until_deserted(board, artefact.key, stop)
        board.strike(artefact.key)
    else:
        while not stop.wait(TICK) and not (wish.with_parent and os.getppid() != parent):
            pass
    # llama.cpp's own shutdown waits for running requests; nobody reads their answers any more. The kernel lets go of
    # memory, port and locks at once.
    os._exit(0)


def parameters(artefact: Artefact, wish: Wish, nonce: str) -> Any:
    """llama.cpp's settings for a release, as xllamacpp's `CommonParams`."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(artefact.model)
    if artefact.adapter:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(artefact.adapter), 1.0)]
    params.model_alias = {artefact.name}
    params.model_tags = {nonce}
    params.hostnames = [wish.host]
    params.port = wish.port
    params.n_parallel = wish.parallel
    params.n_ctx = wish.parallel * artefact.context(wish.context)
    # Each streaming answer occupies one of these threads; /health and /tokenize must get through beside them.
    params.n_threads_http = wish.parallel + 32
    # A token of one answer is bound by memory: half of the cores make it as fast as all of them, and threads that
    # wait for each other thousands of times a second starve beside anything else, a second engine above all. On 2
    # cores (`tests.bench.costs --curves adapters`, one run each) one thread made 109 tokens/s alone and two engines
    # 206 together, two threads made 110 and 8. Prompts and several answers are work for all cores.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    params.cpuparams.n_threads = max(1, cores // 2)
    params.cpuparams_batch.n_threads = cores
    params.fit_params = False  # our context is what we say, not what is left of the memory
    # A conversation takes the slot that begins most like it, and with the persona's prompt at the head of all of them
    # that is another's, even while a slot is free. What loses its slot is kept here and comes back without being
    # computed again: about 11,000 tokens with the bundled base.
    params.cache_ram_mib = 256
    params.cache_idle_slots = False
    # The text is rendered and returned exactly as our template and the model have it.
    params.chat_template = engine_template(artefact.template)
    params.use_jinja = True
    params.prefill_assistant = False
    params.force_pure_content_parser = True
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    # What a request does not name is off, so that a generation's recorded settings are all there is.
    params.sampling.top_k = 0
    params.sampling.min_p = 0.0
    # Nothing that shows prompts, changes settings or lets a web page call from a browser.
    params.endpoint_slots = False
    params.endpoint_props = False
    params.endpoint_metrics = False
    params.ui = False
    params.cors_origins = "http://localhost"
    params.verbosity = _ERRORS_ONLY
    params.warmup = False
    return params


def _start(artefact: Artefact, wish: Wish, nonce: str) -> Any:
    # Read when llama.cpp's OpenMP is loaded: how long a thread spins while it waits for others. Always spinning
    # starves them beside a training on the same cores; without it they sleep too often when the machine is idle.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    import xllamacpp

    try:
        return xllamacpp.Server(parameters(artefact, wish, nonce))
    except RuntimeError as error:
        files = " with ".join(str(path) for path in (artefact.model, artefact.adapter) if path)
        raise BadInput(
            f"llama.cpp could not serve {files} on {wish.host}:{wish.port}: the lines above say why. A damaged file "
            "can be fetched or exported again; a taken port can be changed with --port."
        ) from error


def _check_health(address: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/health", timeout=30) as response:
        if response.status != 200:
            raise BadInput(f"The engine at {address} started but says it is not healthy.")


def _hold_process(board: Board, artefact: Artefact, wish: Wish) -> FileLock:
    if wish.lock is not None:
        return FileLock.inherited(wish.lock)
    process = board.process(artefact.key)
    if not process.exclusive():
        entry = board.read().get(artefact.key)
        where = f" at {entry.url} (process {entry.pid})" if entry else ""
        raise BadInput(f"A shared engine for release {artefact.release} is running already{where}.")
    return process


def grace() -> float:
    """Seconds without a client before a leased engine exits, so that the next command finds it running."""
    return float(os.environ.get("PARLEY_ENGINE_GRACE") or GRACE)


def until_deserted(board: Board, key: str, stop: threading.Event) -> FileLock:
    """Waits until no client has held the lease for the grace time, or for a signal.

    Returns the lease, in the first case held alone: a client that comes then waits until this process is gone.
    """
    lease = board.lease(key)
    patience = grace()
    free_since: float | None = None
    while not stop.wait(TICK):
        if not lease.exclusive():
            free_since = None
            continue
        now = time.monotonic()
        free_since = now if free_since is None else free_since
        if now - free_since >= patience:
            return lease
        lease.unlock()
    return lease
