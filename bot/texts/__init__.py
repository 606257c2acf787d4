"""Every sentence that people read from the bot, in English and Chinese.

One data class (`words`), two instances (`en`, `zh`): a sentence that is missing in one language is a type error.
Placeholders are filled with `str.format`; a test checks that both languages use the same ones.
"""

from bot.texts.en import EN as EN
from bot.texts.words import Texts as Texts
from bot.texts.zh import ZH as ZH


def texts(language: str) -> Texts:
    """The sentences for a language tag such as `en`, `zh` or Discord's `zh-TW`; English where there are no others."""
    return ZH if language.lower().startswith("zh") else EN
