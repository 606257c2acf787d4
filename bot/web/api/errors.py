"""What goes wrong at the API, in the form of OpenAI's errors, which clients know how to read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from bot.ratings import RatingResult, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.answers import Failed
    from bot.texts import Texts

INVALID, SERVER, LIMIT = "invalid_request_error", "server_error", "requests"


class ErrorDetail(BaseModel):
    """What went wrong: `message` is for people, `code` for programs, `param` names the field."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of each response that is not a success."""

    error: ErrorDetail


class ApiError(Exception):
    """A request that is not answered as it was asked. `seconds`: when to try again, if that is known."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        *,
        kind: str = INVALID,
        param: str | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.kind, self.param, self.seconds = status, code, kind, param, seconds

    @property
    def body(self) -> dict[str, Any]:
        """The body of the response."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response: when to ask again. OpenAI's clients ask again by themselves unless told."""
        if self.seconds is None:
            return {}
        again = "true" if self.seconds <= _SOON else "false"
        return {"Retry-After": str(math.ceil(self.seconds)), "X-Should-Retry": again}


_SOON = 30  # seconds after which asking again by itself is still of use

NO_KEY = ApiError(
    401,
    "No API key was sent. Send it as `Authorization: Bearer KEY`; the operator makes one with "
    "`python -m data keys add NAME`.",
    "invalid_api_key",
)
WRONG_KEY = ApiError(401, "This API key is unknown here or was revoked.", "invalid_api_key")
UNKNOWN_FEEDBACK = ApiError(404, "There is no such feedback of this user to take back.", "feedback_not_found")
UNKNOWN_COMPLETION = ApiError(
    404, "There is no such answer on this platform, or it was erased.", "completion_not_found", param="completion_id"
)

# By the kind of a failure: the status, OpenAI's type, and the code.
_FAILED: dict[str, tuple[int, str, str]] = {
    "hourly_key": (429, LIMIT, "rate_limit_exceeded"),
    "hourly_person": (429, LIMIT, "rate_limit_exceeded"),
    "queue_full": (429, LIMIT, "rate_limit_exceeded"),
    "queue_full_person": (429, LIMIT, "rate_limit_exceeded"),
    "engine_busy": (503, SERVER, "engine_overloaded"),
    "engine_away": (503, SERVER, "engine_unavailable"),
    "engine_error": (503, SERVER, "engine_unavailable"),
    "engine_spent": (503, SERVER, "engine_unavailable"),
    "stopped": (503, SERVER, "stopped"),
    "engine_filtered": (400, INVALID, "content_policy_violation"),
    "moderated": (400, INVALID, "content_policy_violation"),
    "too_long": (400, INVALID, "context_length_exceeded"),
    "unanswerable": (400, INVALID, "context_length_exceeded"),
}


def failed(end: Failed) -> ApiError:
    """Why there is no answer."""
    status, kind, code = _FAILED.get(end.kind, (500, SERVER, "internal_error"))
    param = "messages" if status == 400 else None
    return ApiError(status, end.sentence, code, kind=kind, param=param, seconds=end.seconds)


def broke_off(sentence: str | None) -> ApiError:
    """An answer that broke off after it had begun."""
    return ApiError(503, sentence or "The answer broke off.", "engine_unavailable", kind=SERVER)


_CONSENT = (
    "This user has not agreed that Parley may learn from them, so nothing of theirs is kept to learn from. Ask them "
    "with the text of /v1/consent, and send `consent: true` with a key that may say so (`python -m data keys add "
    "NAME --consent`)."
)
# By what became of a rating that is not kept: the status, and the code.
_REFUSED: dict[RatingResult, tuple[int, str]] = {
    RatingResult.CONSENT_MISSING: (403, "consent_missing"),
    RatingResult.GONE: (404, "completion_not_found"),
    RatingResult.NOTHING: (404, "feedback_not_found"),
    RatingResult.FILTERED: (400, "filtered"),
    RatingResult.SAME: (400, "same_text"),
    RatingResult.EMPTY: (400, "empty_text"),
    RatingResult.FLAGGED: (400, "content_policy_violation"),
    RatingResult.UNCHECKED: (503, "moderation_unavailable"),
}


def refused(outcome: RatingResult, kind: str, texts: Texts) -> ApiError | None:
    """Why a rating of this kind is not kept; None for one that is."""
    found = _REFUSED.get(outcome)
    if found is None:
        return None
    status, code = found
    said = _CONSENT if outcome is RatingResult.CONSENT_MISSING else sentence(texts, outcome, kind)
    return ApiError(status, said, code, kind=SERVER if status == 503 else INVALID)


_CODES = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
_JSON = "json_invalid"


def invalid(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """The first thing that is wrong with a body, as OpenAI says it. `errors` are pydantic's."""
    detail = errors[0]
    if detail["type"] == _JSON:
        return ApiError(400, "The body is not valid JSON.", "invalid_json")
    param = _param(detail["loc"])
    code = _CODES.get(detail["type"]) or ("invalid_type" if detail["type"].endswith("_type") else "invalid_value")
    if code == "unknown_parameter":
        said = f"Unknown parameter: '{param}'."
    elif code == "missing_required_parameter":
        said = f"Missing required parameter: '{param or 'body'}'."
    else:
        what = detail["msg"].removeprefix("Value error, ").rstrip(".")
        said = f"Invalid value for '{param or 'body'}': {what[:1].lower()}{what[1:]}."
    return ApiError(400, said, code, param=param or None)


def _param(place: Sequence[str | int]) -> str:
    """The field's name as OpenAI writes it: `messages[0].content`. The names of a union's members are left out."""
    name = ""
    for part in place:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part.isidentifier() and part not in ("body", "query", "path", "header", "str"):
            name += f".{part}" if name else part
    return name
