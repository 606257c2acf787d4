"""Every sentence that people read from the bot, in English and Chinese.

One data class (`words`), two instances (`en`, `zh`): a sentence that is missing in one language is a type error.
Placeholders are filled with `str.format`; a test checks that both languages use the same ones. `{slash}` before a
command is filled in here: our own bot's commands are called `/teach`, a guest's `/parley teach`.
"""

from dataclasses import fields, replace
from functools import cache
from typing import Any

from bot.texts.en import EN as _EN
from bot.texts.sentences import Texts as Texts
from bot.texts.zh import ZH as _ZH


@cache
def called(words: Texts, slash: str) -> Texts:
    """The sentences with what stands before the names of commands filled in."""
    said = {field.name: getattr(words, field.name) for field in fields(words)}
    filled: dict[str, Any] = {
        name: text.replace("{slash}", slash) for name, text in said.items() if isinstance(text, str)
    }
    return replace(words, **filled)


OWN, GUEST = "/", "/parley "
EN, ZH = called(_EN, OWN), called(_ZH, OWN)
_slash = OWN


def call_commands(slash: str) -> None:
    """Say what stands before the names of commands in this process, in all sentences from now on."""
    global _slash
    _slash = slash


def texts(language: str) -> Texts:
    """The sentences for a language tag such as `en`, `zh` or Discord's `zh-TW`; English where there are no others."""
    return called(_ZH if language.lower().startswith("zh") else _EN, _slash)
