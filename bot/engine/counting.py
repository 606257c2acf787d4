"""How many tokens a conversation takes: counted by the server if it can, else an estimate that is never too low."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineAway, EngineError, EngineFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engine.wire import Wire
    from data.chat import Message

_A_TURN = 16  # tokens that a template puts around a message, at most
_PROBE: list[Message] = [{"role": "user", "content": "?"}]


class Counting(enum.Enum):
    """How a server counts tokens."""

    LLAMA = "llama"  # /apply-template renders, /tokenize counts (llama-server)
    VLLM = "vllm"  # /tokenize takes messages
    ESTIMATE = "estimate"


async def probe(wire: Wire) -> Counting:
    """Finds out how the server counts tokens. Raises EngineAway when it does not answer or still loads its model."""
    for way in (Counting.LLAMA, Counting.VLLM):
        try:
            await count(wire, way, _PROBE)
        except EngineFailed:  # some answer 500 to a path that they do not know
            continue
        except EngineAway:
            raise
        except EngineError:
            continue
        return way
    return Counting.ESTIMATE


async def count(wire: Wire, way: Counting, messages: Sequence[Message], *, thinks: bool = False) -> int:
    """The length of the rendered prompt in tokens, including the start of the answer. Raises EngineError."""
    if way is Counting.ESTIMATE:
        return estimate(messages)
    if way is Counting.LLAMA:
        return len(await prompt_ids(wire, way, messages, thinks=thinks))
    asked = _asked(wire, messages, thinks=thinks) | {"add_generation_prompt": True}
    found = (await wire.post("/tokenize", asked)).get("count")
    if not isinstance(found, int):
        raise EngineError(f"The engine at {wire.shown} gave no count of tokens.")
    return found


async def prompt_ids(wire: Wire, way: Counting, messages: Sequence[Message], *, thinks: bool = False) -> list[int]:
    """The prompt's token ids, as the server builds them for an answer; `way` is not ESTIMATE. Raises EngineError."""
    asked = _asked(wire, messages, thinks=thinks)
    if way is Counting.VLLM:
        tokens = (await wire.post("/tokenize", asked | {"add_generation_prompt": True})).get("tokens")
    else:
        prompt = (await wire.post("/apply-template", asked)).get("prompt")
        if not isinstance(prompt, str):
            raise EngineError(f"The engine at {wire.shown} gave no prompt.")
        # add_special, as for an answer: the server strips a leading BOS from the rendered text and adds it here.
        body = {"model": wire.model, "content": prompt, "add_special": True, "parse_special": True}
        tokens = (await wire.post("/tokenize", body)).get("tokens")
    if not isinstance(tokens, list):
        raise EngineError(f"The engine at {wire.shown} gave no tokens.")
    return tokens


def _asked(wire: Wire, messages: Sequence[Message], *, thinks: bool) -> dict[str, Any]:
    arguments = wire.dialect.template_arguments(thinks=thinks)
    more = {"chat_template_kwargs": arguments} if arguments else {}
    return {"model": wire.model, "messages": list(messages), **more}


def estimate(messages: Sequence[Message]) -> int:
    """An upper bound: no byte-level tokenizer in use makes more tokens of ordinary text.

    A letter or a space counts as half a token, every other ASCII character as one, anything else as its UTF-8 bytes.
    """
    total = 0.0
    for message in messages:
        for character in message["content"]:
            if not character.isascii():
                total += len(character.encode(errors="replace"))
            else:
                total += 0.5 if character.isalpha() or character == " " else 1.0
    return int(total) + 1 + _A_TURN * (len(messages) + 1)
