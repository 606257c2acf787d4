"""Chooses the model to talk to from a server's list, when the operator did not: pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Names of models that do not talk: embeddings, rerankers, speech, pictures, moderation.
_OTHERS = re.compile(
    r"embed|rerank|whisper|\btts\b|text-to-speech|speech|transcri|moderation|guard|dall-e|stable-diffusion|\bsdxl?\b|"
    r"\bflux\b|imagen|gpt-image|\bclip\b|\bveo\b|\bsora\b|(?:^|[/_-])(?:bge|gte|e5|minilm|colbert|nomic|jina)(?:[-_:]|$)",
    re.IGNORECASE,
)
_OTHER_TYPES = re.compile(r"embed|rerank|speech|audio|image|transcri|moderation|classif", re.IGNORECASE)


def chosen(models: Sequence[Mapping[str, Any]], shown: str) -> str:
    """The id of the first model that talks. Raises EngineError where there is none."""
    named = [model for model in models if isinstance(model.get("id") or model.get("name"), str)]
    if not named:
        raise EngineError(f"The engine at {shown} serves no model. Set PARLEY_ENGINE_MODEL.")
    for model in named:
        name = str(model.get("id") or model.get("name"))
        if not _OTHERS.search(name) and not any(
            _OTHER_TYPES.search(str(model.get(key) or "")) for key in ("type", "task", "model_type", "pipeline_tag")
        ):
            return name
    raise EngineError(
        f"The engine at {shown} lists no model that talks, only others (embeddings, speech, pictures). Set "
        "PARLEY_ENGINE_MODEL to one that answers chats."
    )
