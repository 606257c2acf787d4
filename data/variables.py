"""The names of all settings, so that a misspelt one is noticed: `PARLEY_RETENTON_DAYS` would have no effect."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "PARLEY_"
TOKEN = "DISCORD_TOKEN"  # noqa: S105 - the variable's name, not a token

# The settings of the bot, without the prefix. Some of them are read by `data` and `alignment` too.
_BOT = """
home bases base engine_url engine_model engine_api_key engine_context engine_timeout engine_extra
engine_releases engine_adapters show_thinking
discord_api discord_gateway discord_message_content discord_threads discord_previews shards
discord_training_permission followups operators retention_days hourly_per_person hourly_per_channel hourly_per_server
teaching_servers ratings_per_person ratings_per_server ratings_per_day trial_share compare_share log metrics_port
metrics_host personas persona language temperature top_p frequency_penalty max_tokens history_tokens slots queue
queue_per_person moderation moderation_words moderation_outside moderation_url moderation_model moderation_api_key
moderation_fail embeddings_url embeddings_model embeddings_api_key
web_port web_host web_address web_root_path web_proxies web_guests web_hourly_per_address
discord_client_id discord_client_secret
"""
BOT = tuple(_BOT.split())
_ELSEWHERE = "backup_passphrase engine_grace judge_url judge_model judge_api_key judge_outside other_models parent"
_OTHERS = tuple(_ELSEWHERE.split())
PARENT = "PARLEY_PARENT"  # the process that started this one, which this one ends with
_BENCH = "PARLEY_BENCH_"

NAMES = frozenset([TOKEN, *(PREFIX + name.upper() for name in (*BOT, *_OTHERS))])


def set_here(env_file: Path = Path(".env")) -> list[str]:
    """The names of all variables that are set, in the environment and in the file."""
    try:
        return [*os.environ, *dotenv_values(env_file)]
    except (OSError, UnicodeDecodeError):
        return list(os.environ)  # whoever needs the file's values says what is wrong with it


def unknown(names: Iterable[str]) -> list[str]:
    """A sentence for each variable that looks like a setting but is not one, with the nearest name."""
    said = []
    for name in sorted(set(names) - NAMES):
        ours = name.startswith(PREFIX) and not name.startswith(_BENCH)
        near = _nearest(name)
        if ours or (near and name.startswith("DISCORD_")):
            hint = f" Did you mean {near}?" if near else " docs/settings.md lists them."
            said.append(f"{name} is not a setting and has no effect.{hint}")
    return said


def _nearest(name: str) -> str | None:
    if not name.startswith(PREFIX):
        return next(iter(difflib.get_close_matches(name, [TOKEN], n=1, cutoff=0.85)), None)
    bare = {known.removeprefix(PREFIX): known for known in sorted(NAMES)}  # all names share the prefix
    near = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.5)
    return bare[near[0]] if near else None
