"""What a request asks, as plain values: pure decisions without store, engine or connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.answers import Wishes
from bot.web.api.errors import ApiError
from bot.web.api.requests import LONGEST_USER, ChatBody, TextBody, cannot_be_done
from data.histories import Said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.web.api.requests import ChatMessage

# Where a program says who asks, if it cannot say so in the body. Open WebUI sends the second by itself.
_USER_HEADERS = ("x-parley-user", "x-openwebui-user-id")
_CONSENT_HEADER = "x-parley-consent"
_YES_OR_NO = {"true": True, "false": False}
_SEEDS = 2**31  # what every engine takes


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, by the program's own id; None for the program's owner. `consent` is None where nothing is said."""

    user: str | None = None
    consent: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request for an answer."""

    said: tuple[Said, ...]
    asker: Asker
    model: str
    wishes: Wishes
    stream: bool = False
    usage: bool = False  # whether a stream ends with the numbers of tokens

    @property
    def system(self) -> bool:
        """Whether the program says who the model is."""
        return self.said[0].role == "system"


def asked_in_chat(body: ChatBody, headers: Mapping[str, str]) -> Question:
    """The question of a chat completion. Raises `ApiError` for what cannot be done."""
    said = _history(body.messages)
    return _question(body, said, headers, body.max_completion_tokens or body.max_tokens)


def asked_in_text(body: TextBody, headers: Mapping[str, str]) -> Question:
    """The question of a text completion: its prompt is asked as one question."""
    prompt = body.prompt if isinstance(body.prompt, str) else body.prompt[0]
    if not prompt.strip():
        raise ApiError(400, "The prompt is empty.", "invalid_value", param="prompt")
    return _question(body, (Said("user", prompt),), headers, body.max_tokens)


def asker(user: str | None, consent: bool | None, headers: Mapping[str, str]) -> Asker:
    """Who asks: the body says so, or else a header."""
    named = next((value for name in _USER_HEADERS if (value := _unicode(headers.get(name, "")).strip())), None)
    word = headers.get(_CONSENT_HEADER, "").strip().lower()
    if word and word not in _YES_OR_NO:
        raise ApiError(400, "The header X-Parley-Consent is neither true nor false.", "invalid_value")
    if named is not None and len(named) > LONGEST_USER:
        raise ApiError(400, f"The user's id has more than {LONGEST_USER} characters.", "invalid_value", param="user")
    found = user if user is not None else named
    given = consent if consent is not None else _YES_OR_NO.get(word)
    return Asker(found, given)


def _unicode(header: str) -> str:
    """A header's text. Programs send UTF-8, and the server reads every header as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _question(
    body: ChatBody | TextBody, said: tuple[Said, ...], headers: Mapping[str, str], most: int | None
) -> Question:
    if refused := cannot_be_done(body):
        name, why = refused
        raise ApiError(400, f"'{name}' asks for what cannot be done here: {why}.", "unsupported_value", param=name)
    user = body.user if body.user is not None else getattr(body, "safety_identifier", None)
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    wishes = Wishes(
        temperature=body.temperature,
        top_p=body.top_p,
        frequency_penalty=body.frequency_penalty,
        max_tokens=most,
        seed=None if body.seed is None else body.seed % _SEEDS,
        stop=stop,
    )
    return Question(
        said=said,
        asker=asker(user, body.consent, headers),
        model=body.model,
        wishes=wishes,
        stream=bool(body.stream),
        usage=bool(body.stream_options and body.stream_options.include_usage),
    )


def _history(messages: Sequence[ChatMessage]) -> tuple[Said, ...]:
    """The messages as they are stored: one system message at most, then questions and answers, a question last.

    A greeting before the first question is left out, because models are not shown it on any platform.
    """
    system: list[str] = []
    turns: list[Said] = []
    for number, message in enumerate(messages):
        role, text = message.role, _text(message, number)
        if role in ("system", "developer"):
            if turns:
                raise ApiError(
                    400,
                    f"'messages[{number}]' is a system message after others: the model takes one at the beginning.",
                    "invalid_value",
                    param=f"messages[{number}].role",
                )
            system.append(text)
        elif text.strip() and (turns or role == "user"):
            turns.append(Said(role, text))
    if not turns or messages[-1].role != "user" or not _text(messages[-1], len(messages) - 1).strip():
        raise ApiError(
            400, "The last message must be a question with the role user.", "invalid_value", param="messages"
        )
    told = "\n\n".join(text for text in system if text.strip())
    return (Said("system", told), *turns) if told else tuple(turns)


def _text(message: ChatMessage, number: int) -> str:
    """The text of a message; its parts are joined. Raises `ApiError` for anything but text."""
    if message.role in ("tool", "function") or message.tool_calls:
        raise ApiError(400, "The model calls no functions.", "unsupported_value", param=f"messages[{number}]")
    if isinstance(message.content, str):
        return message.content
    texts = []
    for at, part in enumerate(message.content or ()):
        if part.type not in ("text", "input_text", "output_text") or part.text is None:
            where = f"messages[{number}].content[{at}]"
            raise ApiError(
                400, f"'{where}' is not text, and the model reads text alone.", "unsupported_value", param=where
            )
        texts.append(part.text)
    return "\n".join(texts)
