"""What vLLM's own routes say, read without a connection: its base, its refusals, and its view of our folders.

The bot asks vLLM for releases and a round for candidates, each with a connection of its own.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.bases import BaseInfo, base_dir
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Entry = Mapping[str, Any]

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
START = "Start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1."
LOADED = "already been loaded"  # in its refusal to load a name that it has
_SHOWN = 300  # characters of vLLM's own words


def base_entry(models: Sequence[Entry]) -> Entry | None:
    """The base in vLLM's list of models; None if the list is not vLLM's. Only adapters have a parent."""
    return next((each for each in models if each.get("owned_by") == "vllm" and not each.get("parent")), None)


def base_problem(entry: Entry, base: BaseInfo) -> str | None:
    """Why vLLM's base, `entry` in its list of models, is not this one; None if it is.

    It is this one if the folder that vLLM loaded is the base's own, or looks like it (`.../NAME/hf`, on another
    machine or in a container), or if it is the model id that the base was taken from.
    """
    root, own = str(entry.get("root") or entry.get("id")), base_dir(base.alias) / "hf"
    try:
        if Path(root).exists():
            same = Path(root).samefile(own)
        else:
            same = Path(root).parts[-2:] == own.parts[-2:] or (bool(base.source) and root == base.source)
    except OSError:
        same = False
    if same:
        return None
    return f"It serves {root}, and the base model of this home is {base.alias}. Let it serve {own}."


def seen_from(adapter: Path, releases: Path, adapters: str | None) -> str:
    """The path of an adapter as vLLM sees it.

    The adapter lies in `releases`, the home's folder of the releases. `adapters` (PARLEY_ENGINE_ADAPTERS) is that
    folder's path there; None if it is the same.
    """
    if not adapters:
        return str(adapter.resolve())
    return f"{adapters.rstrip('/')}/{adapter.relative_to(releases).as_posix()}"


def load_refused(shown: str, status: int, text: str, what: str, path: str) -> BadInput:
    """Why vLLM at `shown` did not load the adapter of `what` from `path`, by the status and body of its answer."""
    at = f"vLLM at {shown}"
    said = message(text)
    if status == HTTPStatus.NOT_FOUND and said is None:
        return BadInput(
            f"{at} takes no adapters, so it cannot serve {what}. {START} If vLLM has no LoRA for this architecture "
            "(GPT-2), serve the base with the embedded engine or llama-server."
        )
    if status == HTTPStatus.NOT_FOUND:
        return BadInput(
            f"{at} does not find the adapter of {what} at {path}. It must be able to read the folder of the "
            "releases; if that has another path there, set PARLEY_ENGINE_ADAPTERS to it."
        )
    return BadInput(f"{at} does not load {what} from {path}. It says: {(said or str(status))[:_SHOWN]}")


def message(text: str) -> str | None:
    """vLLM's own words in its answer about an adapter; None for a path that it does not know."""
    try:
        found = json.loads(text)
    except ValueError:
        return text or None
    error = found.get("error", found) if isinstance(found, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return said if isinstance(said, str) else None
