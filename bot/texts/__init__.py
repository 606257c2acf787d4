"""Every sentence that people read from the bot, in English and Chinese.

Three data classes (`sentences`, `web_sentences`), each with an instance in every language (`en_talk`, `zh_server`,
...): a sentence that is missing in one language is a type error. Placeholders are filled with `str.format`; a test
checks that both languages use the same ones. `{slash}` before a command is filled in here: the command is `/teach` in
our own bot, `/parley teach` in somebody else's.
"""

from dataclasses import fields, replace
from functools import cache
from typing import Any

from bot.texts import en_server, en_talk, en_web, zh_server, zh_talk, zh_web
from bot.texts.sentences import Texts as Texts
from bot.texts.sentences import together

_EN = together(en_talk.TALK, en_server.SERVER, en_web.WEB)
_ZH = together(zh_talk.TALK, zh_server.SERVER, zh_web.WEB)


@cache
def called(sentences: Texts, slash: str) -> Texts:
    """The sentences with `slash` in front of the names of commands."""
    values = {field.name: getattr(sentences, field.name) for field in fields(sentences)}
    filled: dict[str, Any] = {
        name: text.replace("{slash}", slash) for name, text in values.items() if isinstance(text, str)
    }
    return replace(sentences, **filled)


OWN, GUEST = "/", "/parley "
EN, ZH = called(_EN, OWN), called(_ZH, OWN)
_slash = OWN


def call_commands(slash: str) -> None:
    """Set what stands in front of the names of commands, in all sentences of this process from now on."""
    global _slash
    _slash = slash


def texts(language: str) -> Texts:
    """The sentences for a language tag such as `en`, `zh` or Discord's `zh-TW`; English for any other language."""
    return called(_ZH if language.lower().startswith("zh") else _EN, _slash)
