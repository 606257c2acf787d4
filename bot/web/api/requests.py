"""The bodies of requests, as OpenAI's documentation has them, and which of their fields are taken here.

What the engine takes passes within bounds. What would change the answer and cannot be done is refused by a sentence,
unless its value asks for nothing. What does not change the answer has no effect. Anything else is unknown.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

MOST_MESSAGES = 200
LONGEST_USER = 256  # characters
_EMPTY: tuple[Any, ...] = (None, [], {}, "")  # values that ask for nothing


def _whole(text: str) -> str:
    """Refuse halves of characters, which JSON can hold and nothing else can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a character") from None
    return text


String = Annotated[str, AfterValidator(_whole)]
User = Annotated[
    String, Field(min_length=1, max_length=LONGEST_USER, description="Your own id of the person who asks.")
]
Consent = Annotated[
    bool, Field(description="Whether this user agrees that Parley learns from them; only with a key that may say so.")
]
ByteSeed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

# Fields that would change the answer and cannot be done here, with the values that ask for nothing.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((None, 1), "one answer is given to each request. Ask once more with the same messages for another one"),
    "best_of": ((None, 1), "one answer is given to each request"),
    "tools": (_EMPTY, "the model calls no functions"),
    "functions": (_EMPTY, "the model calls no functions"),
    "tool_choice": ((None, "none", "auto"), "the model calls no functions"),
    "function_call": ((None, "none", "auto"), "the model calls no functions"),
    "response_format": ((None, {"type": "text"}), "answers are plain text"),
    "logprobs": ((None, False, 0), "log-probabilities are not given"),
    "top_logprobs": ((None, 0), "log-probabilities are not given"),
    "logit_bias": (_EMPTY, "tokens cannot be biased"),
    "presence_penalty": ((None, 0), "the engine takes no presence penalty. Use frequency_penalty"),
    "modalities": ((None, [], ["text"]), "answers are text"),
    "audio": (_EMPTY, "answers are text"),
    "prediction": (_EMPTY, "predicted outputs are not taken"),
    "web_search_options": (_EMPTY, "the model searches nothing"),
    "suffix": (_EMPTY, "text is not inserted before a suffix"),
    "echo": ((None, False), "the prompt is not repeated"),
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StreamOptions(BaseModel):
    """What a stream holds beside the answer."""

    model_config = ConfigDict(extra="ignore", strict=True)
    include_usage: bool | None = None


class _Sampled(_Body):
    """What chat and text completions have in common."""

    model: Annotated[str, Field(min_length=1, max_length=200, description="One of /v1/models.")]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, description="At most as many as the operator allows.")] | None = None
    stop: String | Annotated[list[String], Field(max_length=4)] | None = None
    seed: ByteSeed | None = None
    user: User | None = None
    consent: Consent | None = None
    n: Annotated[Any, Field(description="Only 1.")] = None
    logprobs: Annotated[Any, Field(description="Not given.")] = None
    logit_bias: Annotated[Any, Field(description="Not taken.")] = None
    presence_penalty: Annotated[Any, Field(description="Only 0.")] = None

    @field_validator("stop")
    @classmethod
    def _no_empty_stop(cls, value: str | list[str] | None) -> str | list[str] | None:
        if value is not None and "" in ([value] if isinstance(value, str) else value):
            raise ValueError("a stop text is empty")
        return value


class Part(BaseModel):
    """A part of a message's content."""

    model_config = ConfigDict(extra="ignore", strict=True)
    type: str
    text: String | None = None


class ChatMessage(BaseModel):
    """One message of the history."""

    model_config = ConfigDict(extra="ignore", strict=True)
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: String | list[Part] | None = None
    tool_calls: Annotated[Any, Field(description="Not taken.")] = None


class ChatBody(_Sampled):
    """The body of POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    safety_identifier: User | None = None
    tools: Annotated[Any, Field(description="Not taken.")] = None
    functions: Annotated[Any, Field(description="Not taken.")] = None
    tool_choice: Annotated[Any, Field(description="Not taken.")] = None
    function_call: Annotated[Any, Field(description="Not taken.")] = None
    response_format: Annotated[Any, Field(description="Only text.")] = None
    top_logprobs: Annotated[Any, Field(description="Not given.")] = None
    modalities: Annotated[Any, Field(description="Only text.")] = None
    audio: Annotated[Any, Field(description="Not given.")] = None
    prediction: Annotated[Any, Field(description="Not taken.")] = None
    web_search_options: Annotated[Any, Field(description="Not taken.")] = None
    # Without effect on the answer.
    parallel_tool_calls: Any = None
    reasoning_effort: Any = None
    verbosity: Any = None
    store: Any = None
    metadata: Any = None
    service_tier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None


class TextBody(_Sampled):
    """The body of POST /v1/completions."""

    prompt: String | Annotated[list[String], Field(min_length=1, max_length=1)]
    best_of: Annotated[Any, Field(description="Only 1.")] = None
    suffix: Annotated[Any, Field(description="Not taken.")] = None
    echo: Annotated[Any, Field(description="Not taken.")] = None


def cannot_be_done(body: TextBody | ChatBody) -> tuple[str, str] | None:
    """A field that asks for what cannot be done here, and why not; None without one."""
    for name, (nothing, why) in _REFUSED.items():
        value = getattr(body, name, None)
        # 1 equals True in Python, and not in JSON.
        if not any(value == each and isinstance(value, bool) is isinstance(each, bool) for each in nothing):
            return name, why
    return None
