"""The key of an engine that was started by hand, and the secrets that no engine's environment may hold."""

import json
from pathlib import Path
from typing import Any

SECRETS = (
    "DISCORD_TOKEN",
    "PARLEY_ENGINE_API_KEY",
    "PARLEY_JUDGE_API_KEY",
    "PARLEY_MODERATION_API_KEY",
    "PARLEY_BACKUP_PASSPHRASE",
    "AWS_SECRET_ACCESS_KEY",
    "HF_TOKEN",
    "OPENAI_API_KEY",
    "A_SECRET_NOBODY_THOUGHT_OF",
)


def key_of(line: dict[str, Any]) -> str:
    """The key that requests to this engine must carry."""
    entries = json.loads(Path(line["key_file"]).read_text(encoding="utf-8"))
    key: str = entries[line["key_entry"]]["api_key"]
    return key
