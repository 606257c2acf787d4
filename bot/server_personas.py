"""The personas that a server's managers write: which ones are valid, and how the server's setting holds them."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from data.persona_texts import with_author
from data.personas import LONGEST, LONGEST_GREETING, Persona, persona_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.texts import Texts

MOST = 20
DEFAULT = "default"  # the choice that means: use the persona of the wider place
_NAME = re.compile(r"[\w-]{1,32}")


class Unusable(Exception):
    """A persona cannot be kept; `str` is the sentence for the person who wrote it."""


def tidy(name: str) -> str:
    """A persona's name as it is kept: in lower case, without spaces around it."""
    return name.strip().lower()


def check_name(name: str, own: Mapping[str, Any], texts: Texts) -> None:
    """Raise `Unusable` if a server that has these `own` personas cannot write one with this name."""
    if name in persona_names() or name == DEFAULT:
        raise Unusable(texts.persona_taken.format(name=name))
    if not _NAME.fullmatch(name):
        raise Unusable(texts.persona_name)
    if name not in own and len(own) >= MOST:
        raise Unusable(texts.persona_most.format(most=MOST))


def with_persona(
    own: Mapping[str, Any] | None,
    name: str,
    system_prompt: str,
    greeting: str,
    texts: Texts,
    *,
    author: int | None = None,
) -> dict[str, Any]:
    """A server's personas with this one added or replaced by `author`, a person's number. Raises `Unusable`."""
    own = own or {}
    check_name(name, own, texts)
    if not system_prompt.strip():
        raise Unusable(texts.persona_empty)
    if len(system_prompt) > LONGEST or len(greeting) > LONGEST_GREETING:
        raise Unusable(texts.persona_long.format(longest=LONGEST, greeting=LONGEST_GREETING))
    texts_of_it = {"system_prompt": system_prompt.strip(), "greeting": greeting.strip()}
    authors = with_author(own.get(name), author)
    return {**own, name: {**texts_of_it, "authors": authors} if authors else texts_of_it}


def without_persona(own: Mapping[str, Any] | None, name: str, texts: Texts) -> dict[str, Any] | None:
    """A server's personas without this one. Raises `Unusable` if the server has no such persona."""
    own = own or {}
    if name not in own:
        shipped = texts.persona_ships if name in persona_names() else ""
        raise Unusable(texts.persona_unknown.format(name=name[:32], nearest=nearest(name, own, texts)) + shipped)
    return {other: text for other, text in own.items() if other != name} or None


def nearest(name: str, known: Iterable[str], texts: Texts) -> str:
    """A hint at the most similar name; empty if no name is similar."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return texts.did_you_mean.format(name=found[0]) if found else ""


def read(own: Mapping[str, Any] | None, language: str) -> dict[str, Persona]:
    """A server's personas from its setting. Their texts may be in any language; `language` is the server's."""
    return {
        name: Persona(name, language, text["system_prompt"], text["greeting"]) for name, text in (own or {}).items()
    }
