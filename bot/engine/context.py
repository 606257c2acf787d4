"""How many tokens a server holds: where servers tell it, and how to learn it from a refusal. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.engine.refused import Refused

SMALLEST = 64  # tokens; less holds no conversation
OLLAMA = 4096  # tokens that Ollama loads a model with when nobody says otherwise
_MOST = 100_000_000

# The names under which servers tell the context of a model in their lists, the one that is served with first.
_NAMES = (
    "loaded_context_length",
    "max_model_len",
    "context_length",
    "context_window",
    "max_context_length",
    "context_size",
    "max_seq_len",
    "max_total_tokens",
    "max_context_window_tokens",
    "max_input_tokens",
    "inputTokenLimit",
    "n_ctx",
    "n_ctx_train",
)
_WITHIN = ("top_provider", "meta", "metadata", "limits", "capabilities", "details", "parameters", "model_info")


def told(entry: Mapping[str, Any], models: Sequence[Mapping[str, Any]] = ()) -> int | None:
    """The context that a server's list of models tells of one model.

    An adapter of vLLM has none of its own, only a parent in the list. Where a router tells the model's context and
    the provider's, the smaller one is true.
    """
    seen: list[str] = []
    here: Mapping[str, Any] | None = entry
    while here is not None:
        if (found := _smallest(here)) is not None:
            return found
        seen.append(str(here.get("id")))
        parent = here.get("parent") or here.get("root")
        here = next((m for m in models if parent and m.get("id") == parent and str(parent) not in seen), None)
    return None


def _smallest(entry: Mapping[str, Any]) -> int | None:
    inner = [entry, *(entry[name] for name in _WITHIN if isinstance(entry.get(name), dict))]
    inner += [part["limits"] for part in inner if isinstance(part.get("limits"), dict)]
    return min(filter(None, map(_named, inner)), default=None)


def _named(entry: Mapping[str, Any]) -> int | None:
    return next((number for name in _NAMES if (number := tokens(entry.get(name)))), None)


def of_llama(props: Mapping[str, Any]) -> int | None:
    """What llama-server's `/props` tells: the context of one slot."""
    settings = props.get("default_generation_settings")
    inner = settings if isinstance(settings, dict) else {}
    return tokens(inner.get("n_ctx")) or tokens(props.get("n_ctx"))


def of_ollama(show: Mapping[str, Any], running: Mapping[str, Any], model: str) -> tuple[int, bool] | None:
    """What Ollama's `/api/show` and `/api/ps` tell, and whether it is certain; None if they are not Ollama's.

    A loaded model's context is certain. A model that is not loaded gets the one that is set for it, else the default;
    Ollama cuts what is longer without a word, so the model's own longest context does not tell.
    """
    info = show.get("model_info")
    if not isinstance(info, dict):
        return None
    trained = next((tokens(value) for name, value in info.items() if str(name).endswith(".context_length")), None)
    for each in _dicts(running.get("models")):
        named = {each.get("name"), each.get("model")} & {model, f"{model}:latest"}
        if named and (found := tokens(each.get("context_length"))):
            return found, True
    chosen = re.search(r"^num_ctx\s+(\d+)", str(show.get("parameters") or ""), re.MULTILINE)
    number = tokens(int(chosen[1])) if chosen else None
    return min(number or OLLAMA, trained or _MOST), False


def anywhere(answer: Any, model: str) -> int | None:
    """What the answer of another server's endpoint tells: TGI's `/info`, SGLang's, LM Studio's list, and others."""
    if not isinstance(answer, dict):
        return None
    listed = _dicts(answer.get("data"))
    if listed:
        return next((_smallest(each) for each in listed if each.get("id") == model), None)
    return _smallest(answer) or tokens(answer.get("value"))


def _dicts(value: Any) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def tokens(value: Any, least: int = 16) -> int | None:
    """A number of tokens that can be a context."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    usable = isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST
    return int(value) if usable else None


_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size|limit|overflow)|maximum context|exceeds? (?:the )?(?:available )?context|"
    r"context the overflows|prompt (?:is )?too (?:long|large)|"
    r"(?:input|request|prompt|messages?|conversation)[^.]{0,40} too (?:long|large)|"
    r"too (?:long|large|big) (?:a )?(?:input|request|prompt|conversation)|"
    r"(?:input|request|prompt|messages?|conversation)[^.]{0,40} (?:bigger|larger|longer) than|"
    r"(?:input|prompt|messages?|conversation) exceeds? (?:the |its |our )?(?:limit|maximum)|"
    r"(?:length|tokens?)[^.]{0,60} (?:over|above|beyond) (?:the |its )?(?:limit|maximum)|"
    r"not fit (?:in|into|within) [^.]{0,20}(?:context|window)|"
    r"(?:not enough|insufficient|no) context|context (?:is )?full|"
    r"max(?:imum)? (?:number of )?input (?:characters|length|size)|"
    r"too many (?:input |prompt |total )?tokens|token limit|tokens?[^.]{0,60}exceed|exceed[^.]{0,60}tokens?|"
    r"`?(?:inputs?|prompt)`? must have (?:less|fewer)|input length|`?inputs`? tokens|max_new_tokens|"
    r"max_seq_len|max_model_len|too large for model|"
    r"string_above_max_length|"
    r"maximum (?:supported )?(?:prompt|sequence) length|exceeds max(?:imum)? length|reduce the length of|"
    r"max_tokens must be at least 1, got -|sequence length \d+ is longer|kv cache|"
    r"上下文|超长|过长|长度(?:超|过|限|应|必须|不能)|token[^。]{0,10}上限|超(?:过|出)[^。]{0,30}(?:长度|token|限制)"
)
_ONLY_THE_ANSWER = re.compile(
    r"completion tokens|output tokens|valid range of max_tokens|"
    r"max_tokens[^.]{0,30}(?:at most|range|larger|greater|bigger|over)"
)


_PER_TIME = re.compile(r"tokens? per (?:second|minute|hour|day)")


def too_long(refused: Refused) -> bool:
    """Whether a refusal says that the conversation does not fit."""
    if refused.status == 413:
        return True
    if refused.status == 429:
        return "request too large" in refused.text
    if refused.status not in (400, 403, 422, 500, 501) or _PER_TIME.search(refused.text):
        return False
    only_answer = _ONLY_THE_ANSWER.search(refused.text) and "context" not in refused.text
    return not only_answer and _TOO_LONG.search(refused.text) is not None


# Words after which a number is what was asked for, not what fits.
_ASKED = r"(?:(?!request|prompt|given|got|receiv|your|has|result|need|input)[^\d\"])"
_LIMITS = tuple(
    map(
        re.compile,
        (
            r"n_ctx\D{1,6}(\d+)",
            r"\d+ > (\d+)",
            r"(\d+) (?:tokens? )?(?:maximum|max\b)",
            r"(?:bigger|larger|longer) than[^\d.]{0,40}(\d+)",
            r"(?:<=|≤|at most|(?:can)?not exceed|no more than|less than(?: or equal to)?|up to|under)\D{0,20}(\d+)",
            rf"context (?:length|window|size|limit){_ASKED}{{0,40}}?(\d+)",
            rf"(?:maximum|max)(?: allowed)?(?: input| token| context| sequence)*{_ASKED}{{0,40}}?(\d+)",
            r"> ?(\d+)",
            r"\[\d+, ?(\d+)\]",
            rf"limit(?:ed)?{_ASKED}{{0,25}}?(\d+)",
            r"allowed\D{0,20}(\d+)",
            r"(?:上下文|最大|最多|上限|限制|不能超过)[^\d。]{0,20}(\d+)",
        ),
    )
)


def limit_in(text: str) -> int | None:
    """The context that a refusal names, in tokens; None if it names none."""
    if "characters" in text and "token" not in text:
        return None
    text = re.sub(r"(?<=\d)[,_ ](?=\d{3}\b)", "", text)
    text = re.sub(r"\bby \d+|\(2013\)|\d+ \+ \d+", "", text)  # by how much, MiniMax's number of the error, a sum
    for pattern in _LIMITS:
        for found in pattern.finditer(text):
            if number := tokens(int(found[1]), SMALLEST):
                return number
    numbers = sorted({n for n in map(int, re.findall(r"(?<![\w.])\d{2,9}(?![\w.])", text)) if tokens(n, SMALLEST)})
    return numbers[-2] if len(numbers) > 1 else None


def smaller(refused: int) -> int:
    """The context to try next when this many tokens were refused and nobody says how many fit."""
    return max(SMALLEST, refused * 3 // 4)
