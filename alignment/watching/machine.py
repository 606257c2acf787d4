"""Whether the machine is needed for something else: its battery, its load, its GPU, an engine that answers people.

Each check reads a few small files of the system, or asks a server for its figures; none of them sees a text.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from data.address import address
from data.home import setting

_SUPPLIES = Path("/sys/class/power_supply")
_PATIENCE = 3.0  # seconds for a server's figures, and for a command
_USED = 10  # percent of a GPU that somebody uses; drawing a desktop takes less
# What servers of ours and of others call the questions that they answer now, and those that wait.
_ASKED = re.compile(
    r"^(?:parley_answers_running|parley_questions_waiting|vllm:num_requests_(?:running|waiting)"
    r"|llamacpp:requests_(?:processing|deferred))(?:\{[^}\n]*\})? ([0-9.e+-]+)",
    re.MULTILINE,
)
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Need:
    """What the machine is needed for. `kind` stays while only figures in the sentence change."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, with the home whose engines it may run; `load` is how many busy processes a core may have."""

    home: Path
    load: float

    def needed(self) -> Need | None:
        """What it is needed for now, so that no round may begin; None when it is free."""
        return on_battery() or self._loaded() or gpu_used() or self._answers()

    def must_stop(self) -> Need | None:
        """What a running round must end for. Its low priority already yields processor and disk to everybody."""
        return on_battery()

    def _loaded(self) -> Need | None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        try:
            load = os.getloadavg()[0]
        except OSError:  # no /proc, as in some containers
            return None
        if load <= self.load * cores:
            return None
        return Need("load", f"the machine is busy (load {load:.1f}; at most {self.load * cores:g} on {cores} cores)")

    def _answers(self) -> Need | None:
        if embedded_answers(self.home):
            return Need("engine", "the embedded engine is answering somebody")
        for name, url, headers in _figures():
            if asked(url, headers):
                return Need("server", f"{name} is answering somebody")
        return None


def on_battery(supplies: Path = _SUPPLIES, platform: str = sys.platform) -> Need | None:
    """Whether this machine, rather than its mouse, runs on a battery."""
    if platform == "darwin":
        found = "Battery Power" in _printed("pmset", "-g", "batt").partition("\n")[0]
    else:
        # An uninterruptible supply and a laptop's battery both say that they discharge; a mouse has a device's scope.
        found = any(
            _said(supply / "status") == "Discharging"
            and _said(supply / "type") in ("Battery", "UPS")
            and _said(supply / "scope") != "Device"
            for supply in supplies.glob("*")
        )
    return Need("battery", "the machine runs on its battery") if found else None


def gpu_used() -> Need | None:
    """Whether somebody uses an NVIDIA GPU of this machine, as its driver tells; None without one."""
    printed = _printed("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
    used = max((int(line) for line in printed.split() if line.isdigit()), default=0)
    return Need("gpu", f"the GPU is in use ({used} %)") if used > _USED else None


def embedded_answers(home: Path) -> bool:
    """Whether an embedded engine of a home answers anybody.

    Whoever asks one holds locks on files of its room (`bot.engine.room`) until the answer is complete.
    """
    for path in sorted((home / "engines").glob("*.room/*")):
        with suppress(OSError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back as the file is closed
            except BlockingIOError:
                return True
    return False


def asked(url: str, headers: Mapping[str, str]) -> bool:
    """Whether a server's figures, in Prometheus' format, say that it answers somebody, or is about to.

    False if nothing answers, or if the server's figures are missing or are not numbers.
    """
    try:
        with _OPENER.open(urllib.request.Request(url, headers=dict(headers)), timeout=_PATIENCE) as response:  # noqa: S310 - the operator's own addresses
            text = response.read(1 << 20).decode(errors="replace")
        return any(float(count) > 0 for count in _ASKED.findall(text))
    except (OSError, HTTPException, ValueError):
        return False


def _figures() -> list[tuple[str, str, dict[str, str]]]:
    """The name, address and headers of each server whose figures say whether it answers somebody."""
    found: list[tuple[str, str, dict[str, str]]] = []
    if (port := setting("PARLEY_METRICS_PORT")) not in (None, "0"):
        host = setting("PARLEY_METRICS_HOST") or "127.0.0.1"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - bound there, asked here
        host = f"[{host}]" if ":" in host else host
        found.append(("the bot", f"http://{host}:{port}/metrics", {}))
    if url := setting("PARLEY_ENGINE_URL"):
        place = address(url)
        key = place.authorization or f"Bearer {setting('PARLEY_ENGINE_API_KEY') or ''}"
        metrics = place.url.removesuffix("/v1") + "/metrics"
        found.append((f"the engine at {place.shown}", metrics, {"Authorization": key}))
    return found


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _printed(*command: str) -> str:
    """What a command prints; empty where there is none, or where it fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout if found.returncode == 0 else ""
