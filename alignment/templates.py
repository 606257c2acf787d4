"""The chat template of a base as trainer and engine share it, made from the base's own.

A base's own template stays as it is where it can. What it may need is put in front of it, as template text rather
than as code, so that every engine renders what the trainer did:

    thinking off    for a base that thinks before it answers: the variable that its template asks, set to false
    neighbours      for a template that refuses two turns of one role in a row: they become one
    fold            for a template that refuses a system message too, or shows it to the last question only (the older
                    Mistral's): its words open the first user's turn

Two things in it are replaced. Markers of other trainers (`{% generation %}`) are taken out: some of them hold a
turn's header too, and masks here come from positions (`alignment.rows.spans`). Variables that llama.cpp sets to the
day and transformers does not (Llama 3.1's `date_string`) get other names, so that nobody sets them.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from alignment.rows.rendering import render
from alignment.rows.tokens import control_strings, encode_answer
from data.asked_to_think import OURS
from data.chat import Message, load_template
from data.errors import BadInput

# With this every composed template begins, so that a merged model's folder is known to bring one. The empty
# expression keeps the line end that may follow.
MARK = "{#- Parley made this of the base's own template. #}{{- '' }}"
# The variables by which templates are asked to think or not: Qwen3's and SmolLM3's, and DeepSeek's and Granite's.
_SWITCHES = ("enable_thinking", "thinking")
_OPEN, _CLOSED = re.compile(r"<think(?:ing)?>\s*$"), re.compile(r"</think(?:ing)?>\s*$")
_TAG = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_STRING_OR_DATE = re.compile(
    r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?<![.\w])(date_string|datetime)(?!\w)""", re.DOTALL
)
_MARKER = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")


@dataclass(frozen=True, slots=True)
class Composed:
    """A base's template as it is used here. `switch` is the variable that keeps the base from thinking, if it thinks.

    `front` says what was put in front of the base's own template ("" for nothing): "neighbours" or "fold".
    """

    text: str
    front: str
    switch: str

    @property
    def thinks(self) -> bool:
        """Whether the base thinks before it answers unless it is kept from that."""
        return bool(self.switch)


def own_template(tokenizer: Any) -> str | None:
    """The template that a tokenizer brings, the default one where it brings several by name; None without one."""
    found = tokenizer.chat_template
    if isinstance(found, dict):
        found = found.get("default")
    return found if isinstance(found, str) and found.strip() else None


def compose(tokenizer: Any, name: str) -> Composed:
    """Make the template of a base that has one of its own, and show that it renders what the original does.

    `name` is what errors call the base. The tokenizer is left as it was. Raises `BadInput` for a template that
    renders no plain conversation, or that cannot be kept from thinking.
    """
    own = own_template(tokenizer)
    if own is None:
        raise BadInput(f"{name} has no chat template.")
    with _restored(tokenizer):
        tokenizer.chat_template = plain = without_dates(without_markers(own))
        switch = _switch(tokenizer, name)
        off = f"{{%- set {switch} = {OURS} | default(false) %}}{{{{- '' }}}}" if switch else ""
        front = accepting(tokenizer, name, ("neighbours", "fold"))
        made = Composed(MARK + off + (load_template(front) if front else "") + plain, front, switch)
        tokenizer.chat_template = made.text
        _refuse_other_text(tokenizer, name, own, made)
        _refuse_unstable(tokenizer, name)
    return made


def without_markers(template: str) -> str:
    """The template without generation markers; blocks that render nothing keep their control of white space."""
    return _MARKER.sub(lambda found: f"{{%{found[1]} {'endif' if found[2] else 'if true'} {found[3]}%}}", template)


def without_dates(template: str) -> str:
    """The template with other names for the variables that llama.cpp sets to the day; texts stay as they are."""

    def renamed(found: re.Match[str]) -> str:
        return f"parley_{found[1]}" if found[1] else found[0]

    return _TAG.sub(lambda tag: _STRING_OR_DATE.sub(renamed, tag[0]), template)


def accepting(tokenizer: Any, name: str, fronts: Sequence[str]) -> str:
    """The first of our templates that lets the tokenizer's own take any conversation in front of it; "" for none.

    Raises `BadInput` if none does.
    """
    own = str(tokenizer.chat_template)
    with _restored(tokenizer):
        for front in ("", *fronts):
            tokenizer.chat_template = (load_template(front) if front else "") + own
            if _accepts(tokenizer):
                return front
    raise BadInput(
        f"The chat template of {name} renders no plain conversation of system, user and assistant. Give its "
        "tokenizer_config.json another chat_template, or take another base."
    )


def name_end_of_turn(tokenizer: Any) -> None:
    """Set the tokenizer's end token to the one that ends an answer in the template; Gemma's names its end-of-text.

    Generation stops at it, and PPO uses it.
    """
    answer = [Message(role="user", content="Hello"), Message(role="assistant", content="Parley")]
    after = render(tokenizer, answer).rpartition("Parley")[2].lstrip()
    ends = [token for token in tokenizer.get_added_vocab() if token.strip() and after.startswith(token)]
    if ends and "eos_token" not in tokenizer.chat_template:
        tokenizer.eos_token = max(ends, key=len)


def _accepts(tokenizer: Any) -> bool:
    roles = ("system", "user", "user", "assistant", "user", "assistant")
    messages = [Message(role=role, content=f"Parley{at}") for at, role in enumerate(roles)]
    try:
        text = render(tokenizer, messages)
    except BadInput:
        return False
    # A template may leave earlier answers out (reasoning), but nothing that a person said.
    return all(message["content"] in text for message in messages if message["role"] != "assistant")


def _switch(tokenizer: Any, name: str) -> str:
    """The variable that keeps a base from thinking; "" for a base that does not think.

    Raises `BadInput` for a template that lets the base think whatever it is asked.
    """
    asked = [Message(role="user", content="Parley")]
    for switch in _SWITCHES:
        with_it, without = (_rendered(tokenizer, asked, **{switch: on}) for on in (True, False))
        if with_it != without and not _OPEN.search(without or ""):
            return switch
    if _OPEN.search(_rendered(tokenizer, asked) or ""):
        raise BadInput(
            f"{name} always thinks before it answers: its chat template opens a thought and has no variable that "
            "keeps it from that. Take a base that answers at once, or whose thinking can be switched off."
        )
    return ""


def _rendered(tokenizer: Any, messages: Sequence[Message], *, ask: bool = True, **values: Any) -> str | None:
    """The text under the tokenizer's template with these variables; None where the template refuses."""
    try:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask, **values)
    except (TemplateError, TypeError, KeyError):
        return None
    return str(text)


def _refuse_other_text(tokenizer: Any, name: str, own: str, made: Composed) -> None:
    """Raise `BadInput` if the composed template renders otherwise than the base's own what the latter takes.

    A system message that is folded is left out: the original refuses it, or forgets it once there is an answer.
    """
    composed = tokenizer.chat_template
    off = {made.switch: False} if made.switch else {}
    for messages in _conversations():
        if made.front == "fold" and messages[0]["role"] == "system":
            continue
        for ask in (False, True):
            tokenizer.chat_template = own
            wanted = _rendered(tokenizer, messages, ask=ask, **off)
            tokenizer.chat_template = composed
            if wanted is not None and _rendered(tokenizer, messages, ask=ask) != wanted:
                raise BadInput(
                    f"The chat template of {name} cannot be used: with what Parley puts in front of it, it renders "
                    "another text. Give its tokenizer_config.json a simpler chat_template, or take another base."
                )


def _refuse_unstable(tokenizer: Any, name: str) -> None:
    """Raise `BadInput` where a prompt is rendered otherwise once its answer is there: that cannot be trained."""
    control = control_strings(tokenizer)
    for messages in _conversations():
        try:
            encode_answer(tokenizer, messages[:-1], messages[-1], control)
        except BadInput as error:
            raise BadInput(f"The chat template of {name} cannot be trained with: {error}") from None


def _conversations() -> Iterator[list[Message]]:
    """Plain conversations that end with an answer: with and without a system message, of one turn and of several."""
    system = Message(role="system", content="You are kind.")
    turns = [
        Message(role=role, content=content)
        for role, content in (
            ("user", "hello"),
            ("assistant", "I am fine."),
            ("user", "And 你呢?\n\nSay it."),
            ("assistant", "Paris, **of course**.\n- 1"),
            ("user", "  spaces  "),
            ("assistant", "yes"),
        )
    ]
    for count in (2, 4, 6):
        yield turns[:count]
        yield [system, *turns[:count]]


@contextmanager
def _restored(tokenizer: Any) -> Iterator[None]:
    before = tokenizer.chat_template
    try:
        yield
    finally:
        tokenizer.chat_template = before
