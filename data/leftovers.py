"""Files of rounds that hold people's words: what an interrupted round left, which goes when somebody is forgotten."""

from pathlib import Path

_PATTERNS = ("*.jsonl", "trained_tokens.txt", "*snapshot.db*")


def remove_leftovers(home: Path) -> None:
    """Remove them. The round that goes on makes its copy and its rows anew, without what was forgotten."""
    for path in (path for pattern in _PATTERNS for path in home.glob(f"rounds/**/{pattern}")):
        if path.name != "metrics.jsonl":
            path.unlink(missing_ok=True)
