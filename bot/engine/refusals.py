"""Turns what a server answered into an `EngineError` with a sentence: what it is, and what to do. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.engine.api import (
    ContextTooLong,
    EngineBusy,
    EngineError,
    EngineFailed,
    EngineFiltered,
    EngineLoading,
    EngineSpent,
)
from bot.engine.context import limit_in, too_long

if TYPE_CHECKING:
    from bot.engine.refused import Refused

_SPENT = re.compile(
    r"insufficient[_ ]?(?:quota|balance|credit|funds)|billing|payment|exceeded your current quota|current_quota|"
    r"(?:out of|not enough|no|add|more) credits|credit balance|prepaid|arrears|overdue|"
    r"quota (?:limit )?(?:exceeded|exhausted|reached)|free tier[^.]{0,40}exhausted|monthly (?:\w+ )?limit|"
    r"(?:key|spending|total) limit exceeded|余额不足|欠费|额度(?:不足|已用)"
)
# What some servers answer with another status than one for money: the words have to say more then.
_SURELY_SPENT = re.compile(
    r"credit balance is too low|insufficient[_ ](?:balance|funds|credits?)|account is in good standing|余额不足|欠费"
)
_LOADING = re.compile(
    r"loading (?:the )?model|model (?:\S+ )?is (?:currently |still )?(?:loading|initiali[sz]ing)|model is not ready|"
    r"still loading|warming up|starting up|model (?:is )?not (?:yet )?loaded"
)
_FILTERED = re.compile(
    r"content[_ ]filter|content[_ ]policy|content management policy|responsibleai|data_inspection_failed|"
    r"flagged|moderation|safety system|sensitive (?:content|words)|content exists risk|inappropriate content|"
    r"unsafe content|prompt was blocked|blocked by|guardrail|violates? [^.]{0,30}polic|敏感|违规"
)
_FULL = re.compile(
    r"overloaded|too many requests|rate limit|at capacity|no capacity|queue is full|server_busy|"
    r"server is (?:too )?busy"
)
_NO_MODEL = re.compile(
    r"model\b.{0,80}(?:not found|does not exist|not exist|no such|unknown|not available)|no such model|"
    r"(?:invalid|unknown|unsupported) model|not a valid model|no model named|model \S+ is not supported",
    re.DOTALL,
)


def error_of(refused: Refused, shown: str, model: str) -> EngineError:
    """The error for what the engine at the address `shown` answered about this model."""
    status, text = refused.status, refused.text
    at = f"The engine at {shown}"
    if status in (401, 403, 407) and not _SPENT.search(text) and not _FILTERED.search(text):
        return EngineError(f"{at} refuses the key. Set PARLEY_ENGINE_API_KEY to a valid one.", refused)
    if status == 402 or (status in (401, 403, 429) and _is_spent(refused)) or _says_spent(refused):
        return EngineSpent(
            f"{at} says that the account has no credit or quota left ({refused.shown}). Add credit there, or choose "
            "another model or server: asking again does not help.",
            refused,
        )
    if status in (400, 403, 451, 500) and _FILTERED.search(text) and not too_long(refused):
        return EngineFiltered(f"{at} has a filter that refused a question ({refused.shown}).", refused)
    if _LOADING.search(text) and status in (409, 425, 429, 500, 502, 503):
        return EngineLoading(f"{at} is still loading its model.", refused)
    if too_long(refused):
        return ContextTooLong(
            f"{at} refused a conversation as longer than its context ({refused.shown}). If this returns, set "
            "PARLEY_ENGINE_CONTEXT to what it holds, in tokens.",
            refused,
            limit_in(text),
        )
    if status in (408, 429, 503, 529) or _FULL.search(text):
        wait = "" if refused.seconds is None else f" It asks to wait for {refused.seconds:.0f} seconds."
        return EngineBusy(f"{at} accepts no more requests for now ({refused.shown}).{wait}", refused, refused.seconds)
    if status in (404, 400, 422) and model and (status == 404 or _NO_MODEL.search(text)):
        return EngineError(
            f"{at} has no model {model!r}, or its address lacks /v1. Set PARLEY_ENGINE_MODEL to one that it serves, "
            "or correct PARLEY_ENGINE_URL.",
            refused,
        )
    if status >= 500:
        return EngineFailed(f"{at} failed ({refused.shown}). Its own log says more.", refused)
    return EngineError(
        f"{at} refused the request ({refused.shown}). If it does not know one of its fields, leave that field out "
        "with PARLEY_ENGINE_EXTRA; see docs/servers.md.",
        refused,
    )


def _says_spent(refused: Refused) -> bool:
    return refused.status in (400, 500) and _SURELY_SPENT.search(refused.text) is not None


def _is_spent(refused: Refused) -> bool:
    if "insufficient_quota" in refused.text:
        return True
    return refused.seconds is None and _SPENT.search(refused.text) is not None
