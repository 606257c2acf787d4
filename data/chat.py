"""The chat template that trainer and engine share, and where control tokens are made harmless."""

import functools
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from data.errors import BadInput

TEMPLATES = Path(__file__).with_name("templates")

# The default sampling settings. Small models wander at higher temperatures; at lower ones they repeat a sentence
# until they are cut off, unless repetition is penalised. Rounds judge with the settings that the bot serves with.
TEMPERATURE = 0.3
TOP_P = 0.9
FREQUENCY_PENALTY = 0.4
MAX_TOKENS = 512
# In the record of how an answer was sampled: a program chose its release by name.
BY_NAME = "by_name"

# The control strings of common chat models, for an engine whose tokenizer cannot be read.
GENERIC_CONTROL: tuple[str, ...] = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|end|>",
    "<|start|>",
    "<|message|>",
    "<|channel|>",
    "<|return|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    # Mistral
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_CALLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    # Phi, GLM, gpt-oss, EXAONE
    "<|im_sep|>",
    "<|observation|>",
    "<|tool|>",
    "<|call|>",
    "<|constrain|>",
    "[|endofturn|]",
    "[|system|]",
    "[|user|]",
    "[|assistant|]",
    "[gMASK]",
    # DeepSeek
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    # Command R, Granite, Llama 4
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<|SYSTEM_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|header_start|>",
    "<|header_end|>",
    "<|eot|>",
)

# Role, author and text of a message.
Turn = tuple[str, int | None, str]
# A text with more lines than this is taken for one message: it has too many runs of lines to look at.
_JOINED_LINES = 60

_GENERATION_MARKER = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


class Message(TypedDict):
    """One turn of a conversation as every chat API takes it.

    The other keys are those of rows. `weight` is 0 on an assistant's turn that is read and not trained. The rest is
    rendered by the base's template, if it does that (`alignment.rows.rendering` checks it).
    """

    role: str
    content: str
    weight: NotRequired[int]
    tool_calls: NotRequired[list[dict[str, Any]]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]
    reasoning_content: NotRequired[str]
    thinking: NotRequired[str]


RENDERED_KEYS = ("tool_calls", "tool_call_id", "name", "reasoning_content", "thinking")


@functools.lru_cache(maxsize=32)
def _pattern(control: tuple[str, ...]) -> re.Pattern[str] | None:
    # A control string of one character (and spaces) could not be broken up; no tokenizer in use has one.
    breakable = sorted({string for string in control if len(string.strip()) > 1}, key=lambda s: (-len(s), s))
    return re.compile("|".join(map(re.escape, breakable))) if breakable else None


_CONTROL_CHARACTERS = dict.fromkeys(at for at in (*range(32), *range(127, 160)) if chr(at) not in "\t\n\r")


def harmless(text: str, control: Iterable[str]) -> str:
    """The text without control strings and control characters: a space follows the first character of each string.

    A tokenizer turns `<|im_end|>` into one control token wherever it stands, so a person who types it could end their
    own turn and forge another. `< |im_end|>` is ordinary text to the tokenizer, and people can still read it. The
    result holds no control string, and a second call changes nothing. Control characters (except tabs and line ends)
    are removed because people cannot see them, and engine and trainer treat those that the vocabulary lacks
    differently.
    """
    text = text.translate(_CONTROL_CHARACTERS)
    pattern = _pattern(tuple(control))
    if pattern is None:
        return text
    while pattern.search(text):  # breaking a string can leave a shorter one that it contained
        text = pattern.sub(_break, text)
    return text


def _break(match: re.Match[str]) -> str:
    # After the first character that is not a space: a string that begins with spaces would match again for ever.
    place = len(match[0]) - len(match[0].lstrip()) + 1
    return f"{match[0][:place]} {match[0][place:]}"


def harmless_messages(messages: Sequence[Message], control: Iterable[str]) -> list[Message]:
    """The messages as a template gets them, every text in them made harmless. Roles are set by us and stay."""
    strings = tuple(control)
    return [
        cast(Message, {k: v if k == "role" else harmless_value(v, strings) for k, v in m.items() if k != "weight"})
        for m in messages
    ]


def harmless_value(value: Any, control: tuple[str, ...]) -> Any:
    """A JSON value with every text in it made harmless."""
    if isinstance(value, str):
        return harmless(value, control)
    if isinstance(value, dict):
        return {harmless(str(key), control): harmless_value(each, control) for key, each in value.items()}
    return [harmless_value(each, control) for each in value] if isinstance(value, list) else value


# Letters and marks without any ink: fillers of Hangul, the blank of Braille, joiners and variation selectors.
_NO_INK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def blank(text: str) -> bool:
    """Whether there is nothing to see in a text: only white space, control and format characters, and fillers."""
    return all(
        unicodedata.category(at) in ("Cc", "Cf", "Zs", "Zl", "Zp")
        or at in _NO_INK
        or unicodedata.name(at, "").startswith(("VARIATION SELECTOR", "MONGOLIAN FREE VARIATION"))
        for at in text
    )


def speakers(turns: Iterable[Turn]) -> dict[int | None, str]:
    """The names of a conversation's human authors, such as `Person 2`; empty when there is only one."""
    people = {author: None for role, author, _ in turns if role == "user"}
    return {author: f"Person {number}" for number, author in enumerate(people, 1)} if len(people) > 1 else {}


def spoken(turns: Iterable[Turn], called: Mapping[int | None, str]) -> list[Message]:
    """A conversation as a model gets it: each human message begins with its speaker's name in `called`, if any.

    Consecutive human messages become one, because many templates accept only alternating turns. Both the bot and the
    rows made of its answers use this, so a model is trained on what it was given.
    """
    messages: list[Message] = []
    for role, author, text in turns:
        said = f"{called[author]}: {text}" if role == "user" and author in called else text
        if role == "user" and messages and messages[-1]["role"] == "user":
            said = f"{messages.pop()['content']}\n{said}"
        messages.append({"role": role, "content": said})
    return messages


def prompt_messages(system: str, context: Sequence[tuple[str, int | None, str]]) -> list[Message]:
    """What a model was given. Where several people speak, they become Person 1, Person 2, in speaking order."""
    head = [Message(role="system", content=system)] if system else []
    return [*head, *spoken(context, speakers(context))]


def sayings(text: str) -> set[str]:
    """The messages that `spoken` may have joined into a text, without speakers: each run of its lines, and all."""
    lines = text.split("\n")
    ends = range(1, len(lines) + 1) if len(lines) <= _JOINED_LINES else ()
    runs = {"\n".join(lines[start:end]) for end in ends for start in range(end)} | {text}
    return {re.sub(r"^Person \d+: ", "", run) for run in runs}


def load_template(name: str = "chatml") -> str:
    """The text of one of our template files, with `{% generation %}` markers for the trainer."""
    path = TEMPLATES / f"{name}.jinja"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.jinja")))
        raise BadInput(f"There is no chat template named {name!r}; the known ones are: {known}.")
    return path.read_text(encoding="utf-8")


def engine_template(template: str) -> str:
    """The template without generation markers, which only trainers understand. It renders the same text."""
    return _GENERATION_MARKER.sub("", template)


def template_sha256(template: str) -> str:
    """The hash by which a manifest pins a template: the hash of the engine's version of it."""
    return hashlib.sha256(engine_template(template).encode()).hexdigest()


def rendered_hash(messages: Sequence[Message], template: str) -> str:
    """A hash of exactly what the model was given: the messages, made harmless, and the template."""
    canonical = json.dumps([[m["role"], m["content"]] for m in messages], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{template_sha256(template)}\n{canonical}".encode()).hexdigest()
