"""The embedded engine's process: llama.cpp's server for one release, for as long as somebody needs it.

One process serves one adapter only. llama.cpp's prompt cache compares tokens but does not know which adapter computed
them, so a server that switched adapters would reuse the cache of the wrong release.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from bot.engine.intact import check
from bot.engine.room import WHOLE
from bot.engine.sharing import Board, Entry, FileLock, loose
from data.chat import engine_template
from data.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from bot.engine.artefact import Artefact

TICK = 0.25  # seconds between two checks of the lease
GRACE = 2.0  # seconds, see `grace`
_ERRORS_ONLY = 1  # llama.cpp's log level: errors name tasks and sizes; the debug level would print message texts


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve. `port` 0 takes a free port; `context` is in tokens of one conversation, None is the default.

    With `unified` the `parallel` conversations share the memory of `WHOLE` whole ones. Clients must then keep the
    sum of all running conversations below that (`bot.engine.room`): llama.cpp ends every running answer with an error
    when it is full.
    """

    host: str = "127.0.0.1"
    port: int = 0
    parallel: int = WHOLE
    unified: bool = False
    context: int | None = None
    leased: bool = False
    lock: int | None = None  # descriptor of the process lock, from the client that started a leased engine
    with_parent: bool = False
    api_key: str | None = field(default=None, repr=False)  # what requests must carry; None draws one


def serve(artefact: Artefact, home: Path, options: ServeOptions) -> None:
    """Serves until a signal, the parent's end (`with_parent`) or the last client's end (`leased`). Does not return.

    Prints one JSON line with the address on standard output once it answers requests. The key is not printed: it is
    in `engine.json`, unless the caller gave it. Raises BadInput if a file is not the one that its manifest pins, if
    the files cannot be loaded, or if the port is taken.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()
    board = Board(home)
    process = _hold_process(board, artefact, options) if options.leased else None
    check(artefact, home)
    nonce, api_key = secrets.token_hex(16), options.api_key or secrets.token_hex(32)
    server = _start(artefact, options, nonce, api_key)
    url = f"{server.listening_address}/v1"
    _check_health(server.listening_address)
    entry = Entry(
        url=url,
        pid=os.getpid(),
        release=artefact.release,
        base=artefact.base.alias,
        context_length=artefact.context(options.context),
        nonce=nonce,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        api_key=api_key,
    )
    place = artefact.key if process else loose(artefact.key, entry.pid)
    if not options.api_key:
        board.put(place, entry)
    _tell(entry, None if options.api_key else board, place)
    if process:
        until_deserted(board, artefact.key, stop)
    else:
        while not stop.wait(TICK) and not (options.with_parent and os.getppid() != parent):
            pass
    if not options.api_key:
        board.remove(place)
    # llama.cpp's own shutdown waits for running requests, although nobody reads their answers any more. This way the
    # kernel frees memory, port and locks at once.
    os._exit(0)


def llama_cpp() -> ModuleType:
    """The xllamacpp package. It is imported here only: it loads llama.cpp, which `--help` and the bot do without."""
    # OpenMP reads this when it is loaded: how long a thread spins while it waits for others. Endless spinning starves
    # them while a training uses the same cores; without any, they sleep too often on an idle machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    import xllamacpp

    return cast("ModuleType", xllamacpp)


def parameters(artefact: Artefact, options: ServeOptions, nonce: str, api_key: str) -> Any:
    """llama.cpp's settings for a release, as xllamacpp's `CommonParams`."""
    xllamacpp = llama_cpp()
    params = xllamacpp.CommonParams()
    params.model.path = str(artefact.model)
    if artefact.adapter:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(artefact.adapter), 1.0)]
    params.model_alias = {artefact.name}
    params.model_tags = {nonce}
    params.hostnames = [options.host]
    params.port = options.port
    params.n_parallel = options.parallel
    context = artefact.context(options.context)
    params.n_ctx = (WHOLE if options.unified else options.parallel) * context
    params.kv_unified = options.unified
    params.kv_unified_per_slot = context if options.unified else 0
    # Each streaming answer occupies one of these threads; /health and /tokenize must get through as well.
    params.n_threads_http = options.parallel + 32
    # Generating one answer is bound by memory: half of the cores are as fast as all of them. Threads that wait for
    # each other thousands of times a second starve when anything else runs, a second engine above all. On 2 cores
    # (`tests.bench.costs --curves adapters`, one run each), one thread made 109 tokens/s alone and 206 with a second
    # engine; two threads made 110 and 8. Prompts, and several answers at once, use all cores.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    params.cpuparams.n_threads = max(1, cores // 2)
    params.cpuparams_batch.n_threads = cores
    params.fit_params = False  # the context is what we set, not what memory is left for
    # A conversation takes the slot with the most similar beginning. As all of them begin with the persona's prompt,
    # that is often another conversation's slot, even if one is free. This cache keeps what loses its slot, so that it
    # need not be computed again: about 11,000 tokens with the bundled base.
    params.cache_ram_mib = 256
    # llama.cpp looks into that cache only if no slot has this share of the prompt. At its usual 0.1 a persona's
    # prompt was enough in a short context, and a conversation that had lost its slot was computed again.
    params.slot_prompt_similarity = 0.5
    # Where all share one memory, what idle conversations hold moves to that cache as well, and makes room.
    params.cache_idle_slots = options.unified
    # The prompt is rendered exactly by our template, and the answer comes back exactly as the model wrote it.
    params.chat_template = engine_template(artefact.template)
    params.use_jinja = True
    params.prefill_assistant = False
    params.force_pure_content_parser = True
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    # Samplers that a request does not name are off, so that a generation's recorded settings are complete.
    params.sampling.top_k = 0
    params.sampling.min_p = 0.0
    # Everything but /health, which says only that the server runs, asks for the key. Without it any user of this
    # machine could switch the adapter off, by /lora-adapters or by a field of a request, and learn from the count of
    # cached tokens whether somebody asked the same.
    params.api_keys = [api_key]
    # No endpoint that shows prompts or changes settings, and no calls from a web page in a browser.
    params.endpoint_slots = False
    params.endpoint_props = False
    params.endpoint_metrics = False
    params.ui = False
    params.cors_origins = "http://localhost"
    params.verbosity = _ERRORS_ONLY
    params.warmup = False
    return params


def _start(artefact: Artefact, options: ServeOptions, nonce: str, api_key: str) -> Any:
    try:
        return llama_cpp().Server(parameters(artefact, options, nonce, api_key))
    except RuntimeError as error:
        files = " with ".join(str(path) for path in (artefact.model, artefact.adapter) if path)
        raise BadInput(
            f"llama.cpp could not serve {files} on {options.host}:{options.port}; the lines above say why. If a file "
            "is damaged, fetch or export it again; if the port is taken, choose another one with --port."
        ) from error


def _tell(entry: Entry, board: Board | None, place: str) -> None:
    """Prints the engine's address, and where its key is if `board` holds it."""
    line = {
        "url": entry.url,
        "pid": entry.pid,
        "release": entry.release,
        "base": entry.base,
        "context_length": entry.context_length,
        "started": entry.started,
        "key_file": str(board.path) if board else None,
        "key_entry": place if board else None,
    }
    print(json.dumps(line), flush=True)
    if board:
        print(
            f'Requests need a key: the api_key of "{place}" in {board.path}, which only you can read. Send it as the '
            "header `Authorization: Bearer KEY`.",
            file=sys.stderr,
            flush=True,
        )


def _check_health(address: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/health", timeout=30) as response:
        if response.status != 200:
            raise BadInput(f"The engine at {address} started but reports that it is not healthy.")


def _hold_process(board: Board, artefact: Artefact, options: ServeOptions) -> FileLock:
    if options.lock is not None:
        return FileLock.inherited(options.lock)
    process = board.process(artefact.key)
    if not process.exclusive():
        entry = board.read().get(artefact.key)
        where = f" at {entry.url} (process {entry.pid})" if entry else ""
        raise BadInput(f"A shared engine for release {artefact.release} is already running{where}.")
    return process


def grace() -> float:
    """Seconds that a leased engine waits without a client before it exits, so that the next command can use it."""
    return float(os.environ.get("PARLEY_ENGINE_GRACE") or GRACE)


def until_deserted(board: Board, key: str, stop: threading.Event) -> FileLock:
    """Waits until no client has held the lease for the grace time, or until a signal.

    Returns the lease. In the first case it is held alone, so that a new client waits until this process is gone.
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
