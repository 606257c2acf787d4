"""What a server answered in place of what it was asked for: pure.

Its words may repeat the prompt, so they are never shown or logged.
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_WAIT = re.compile(
    r"(?:try again in|retry after|retry in|retrydelay\W+|wait)\s*"
    r"(?:(\d+)\s?m(?:in\w*)?\s?)?(\d+(?:\.\d+)?)\s?(ms|s\b|sec|m\b|min)?"
)
# A server's word for an error: `rate_limit_exceeded`, `InvalidParameter`. Other words may be of a prompt, or a key.
_CODE = re.compile(r"[A-Za-z]{2,20}(?:_[A-Za-z]{1,20}){1,6}|(?:[A-Z][a-z]{1,20}){2,6}")
_LONGEST_WAIT = 7 * 24 * 3600.0
_TELLING = 8  # characters of a key


@dataclass(frozen=True)
class Refused:
    """An answer that is an error. `text` is its whole body in lower case, `seconds` how long it asks to wait."""

    status: int
    text: str = field(default="", repr=False)
    code: str = ""
    parameters: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def shown(self) -> str:
        """The status and the code, for a sentence."""
        return f"HTTP {self.status}{', ' + self.code if self.code and self.code != str(self.status) else ''}"


def refused(status: int, body: Any, headers: Mapping[str, str] | None = None, *, key: str = "") -> Refused:
    """Reads an error's status, body and headers. A body may be JSON or text, and its `error` an object or text.

    `key` is what was sent to the server: some repeat it, and a code that holds a part of it is not kept.
    """
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)
    text = text[:20_000].lower()
    error = body.get("error", body) if isinstance(body, dict) else body
    error = error if isinstance(error, dict) else {}
    codes = [str(error.get(key)) for key in ("code", "type", "error_type", "status") if _plain(error.get(key))]
    numbers = [int(code) for code in codes if code.isdecimal() and 400 <= int(code) <= 599]
    if status < 400:  # an error inside a 200
        status = numbers[0] if numbers else _status_of(codes, text)
    words = [code for code in codes if _CODE.fullmatch(code) and not _shares(code.lower(), key.lower())]
    return Refused(status, text, words[0] if words else "", _parameters(error), _seconds(headers or {}, text))


def _shares(code: str, key: str) -> bool:
    """Whether a code and a key have a part in common that is long enough to tell something of the key."""
    size = min(_TELLING, len(key))
    return bool(key) and any(key[at : at + size] in code for at in range(len(key) - size + 1))


def _plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(value)


def _status_of(codes: list[str], text: str) -> int:
    """The status that an error inside a 200 should have had."""
    said = " ".join(codes).lower()
    if "rate_limit" in said or "overloaded" in text or "too many requests" in text:
        return 429
    if "invalid_request" in said or "badrequest" in said or "validation" in said:
        return 400
    return 500


def _parameters(error: dict[str, Any]) -> tuple[str, ...]:
    """The fields that an error names outside of its sentence (`param`, and `loc` as pydantic has it)."""
    named = [str(error["param"])] if isinstance(error.get("param"), str) else []
    details = error.get("detail") or error.get("details") or error.get("errors")
    for detail in details if isinstance(details, list) else []:
        place = detail.get("loc") if isinstance(detail, dict) else None
        named += [str(part) for part in place] if isinstance(place, list) else []
    return tuple(named)


def _seconds(headers: Mapping[str, str], text: str) -> float | None:
    """How long to wait: the header Retry-After in seconds or as a date, else what the sentence says."""
    found: float | None = None
    if given := headers.get("retry-after-ms"):
        found = _number(given, 1000)
    if found is None and (given := headers.get("retry-after")):
        found = _number(given)
        if found is None and (at := email.utils.parsedate_tz(given)):
            found = email.utils.mktime_tz(at) - time.time()
    if found is None and (said := _WAIT.search(text)):
        unit = (said[3] or "s").strip()
        found = float(said[2]) * {"ms": 0.001, "m": 60.0, "min": 60.0}.get(unit, 1.0) + 60.0 * float(said[1] or 0)
    if found is None or not math.isfinite(found) or found > _LONGEST_WAIT:
        return None
    return max(0.0, found)


def _number(text: str, divided: float = 1.0) -> float | None:
    try:
        return float(text) / divided
    except ValueError:
        return None
