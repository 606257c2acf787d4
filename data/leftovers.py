"""Files of rounds that hold people's words: what an interrupted round left, which goes when somebody is forgotten."""

from pathlib import Path

from filelock import FileLock, Timeout

_PATTERNS = ("*.jsonl", "trained_tokens.txt", "*snapshot.db*")


def remove_leftovers(home: Path) -> bool:
    """Remove them; False while a round runs, which removes its own when it ends.

    The round that goes on makes its copy and its rows anew, without what was forgotten.
    """
    rounds = home / "rounds"
    if not rounds.is_dir():
        return True
    try:
        with FileLock(rounds / ".lock", timeout=0):
            for path in (path for pattern in _PATTERNS for path in rounds.glob(f"**/{pattern}")):
                if path.name != "metrics.jsonl":
                    path.unlink(missing_ok=True)
    except Timeout:
        return False
    return True
