"""A real vLLM as a process. VLLM names the program, from an environment of its own (`tests/vllm/install.sh`)."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = os.environ.get("VLLM", "")
needs_vllm = pytest.mark.skipif(not Path(PROGRAM).is_file(), reason="VLLM names no vLLM: run `make test-vllm`")
START = 900  # seconds
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(folder: Path, port: int, log: Path, *more: str) -> Iterator[None]:
    """VLLM serves the base in a folder, with `more` flags, and takes adapters; it ends with the block."""
    told = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    told |= {"VLLM_SERVER_DEV_MODE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    command = [PROGRAM, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--max-model-len", "2048", "--enable-lora", "--max-loras", "2", "--max-lora-rank", "16"]
    command += ["--max-num-seqs", "8", "--enforce-eager", *more]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | told
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        until = time.monotonic() + START
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, "vLLM did not start"
            try:
                OPENER.open(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
