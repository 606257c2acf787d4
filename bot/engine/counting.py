"""How many tokens a conversation takes: asked from the server where it can tell, else estimated from above."""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineAway, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engine.wire import Wire
    from data.chat import Message

log = logging.getLogger(__name__)

_A_TURN = 16  # tokens that a template may put around a message, from above
_PROBE: list[Message] = [{"role": "user", "content": "?"}]


class Counting(enum.Enum):
    """What a server offers."""

    LLAMA = "llama"  # /apply-template renders, /tokenize counts (llama-server)
    VLLM = "vllm"  # /tokenize takes messages
    ESTIMATE = "estimate"


async def probe(wire: Wire) -> Counting:
    """Finds out what the server offers; says once in the log when it has to be an estimate. Raises EngineAway."""
    for way in (Counting.LLAMA, Counting.VLLM):
        try:
            await count(wire, way, _PROBE)
        except EngineAway:
            raise
        except EngineError:
            continue
        return way
    log.warning(
        "The engine at %s cannot count tokens, so lengths are estimated from above and conversations are cut "
        "earlier than they need be.",
        wire.url,
    )
    return Counting.ESTIMATE


async def count(wire: Wire, way: Counting, messages: Sequence[Message]) -> int:
    """The length of the rendered prompt in tokens, the start of the answer included. Raises EngineError."""
    if way is Counting.ESTIMATE:
        return estimate(messages)
    if way is Counting.LLAMA:
        return len(await token_ids(wire, messages))
    body: dict[str, Any] = {"model": wire.model, "messages": list(messages), "add_generation_prompt": True}
    found = (await wire.post("/tokenize", body)).get("count")
    if not isinstance(found, int):
        raise EngineError(f"The engine at {wire.url} gave no count of tokens.")
    return found


async def token_ids(wire: Wire, messages: Sequence[Message]) -> list[int]:
    """The prompt's token ids as llama-server makes them for an answer. Raises EngineError."""
    prompt = (await wire.post("/apply-template", {"messages": list(messages)})).get("prompt")
    # add_special as in an answer: the server took a leading BOS out of the rendered text and adds it again here.
    body = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = (await wire.post("/tokenize", body)).get("tokens")
    if not isinstance(prompt, str) or not isinstance(tokens, list):
        raise EngineError(f"The engine at {wire.url} gave no tokens.")
    return tokens


def estimate(messages: Sequence[Message]) -> int:
    """More tokens than any byte-level tokenizer in use makes of ordinary text.

    Letters and blanks count as half a token, every other ASCII character as one, anything else by its UTF-8 bytes.
    """
    total = 0.0
    for message in messages:
        for character in message["content"]:
            if not character.isascii():
                total += len(character.encode(errors="replace"))
            else:
                total += 0.5 if character.isalpha() or character == " " else 1.0
    return int(total) + 1 + _A_TURN * (len(messages) + 1)
