"""Texts on which two tokenizers are compared: every second one is what people wrote, the others are drawn by chance.

The drawn ones hold what tokenizers disagree about: control strings, several scripts, emoji of several code points,
runs of white space, digits, contractions, code, and all of it with nothing between. All are in Unicode's normal form
C: some tokenizers bring every text into it, llama.cpp none.
"""

import random
import unicodedata
from collections.abc import Sequence

from data.personas import LANGUAGES, PERSONAS, SEED
from data.rows import read_rows

COUNT = 2000

_WORDS = (
    "the", "The", "THE", "fern", "water", "Straße", "naïve", "façade", "it's", "don't", "I'LL", "we'Ve", "you'RE",
    "привет", "Ελλάδα", "مرحبا", "नमस्ते", "สวัสดี", "안녕하세요", "こんにちは", "カタカナ",
    "你好", "世界", "机器学习", "饿",
    "camelCase", "SHOUTING", "snake_case", "x", "A", "é", "ﬁ", "½", "²", "Ⅷ", "№", "user", "assistant",
)  # fmt: skip
_EMOJI = ("🚀", "😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "😶‍🌫️", "✅", "❤️", "1️⃣", "🦙🦙")
_SPACES = (" ", " ", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n ", "\n\t", "        ", "\u3000", "\u00a0", "")
_MARKS = (
    ".", ",", "!", "?", "...", "!!!", "-", "--", "=====", "/", "\\", "'", '"', "''", "“”", "‘’", "—", "…", "(", ")",
    "[", "]", "{", "}", "<", ">", "<|", "|>", "</", "@", "#", "$", "%", "^", "&", "*", "_", "+", "~", "`", "```", "|",
    "：", "，", "。", "！", "？", "、", "《", "》", "（", "）", "€", "£", "→", "≤", "∑", "°",
)  # fmt: skip
_CODE = (
    "def f(x):\n    return x ** 2\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}",
    "SELECT * FROM rows WHERE id = 17;",
    '{"role": "user", "content": null}',
    "https://example.org/a_b?c=1&d=%20#e",
    "if (!x) return -1; // why?",
    "<div class='a'>&nbsp;</div>",
    "x = [1, 2.5, 0xFF, 1e-9]",
)


def texts(control: Sequence[str], count: int = COUNT) -> list[str]:
    """The same `count` texts at every call. `control` are the tokenizer's control strings; some texts hold them."""
    draw = random.Random(17)  # noqa: S311 - no secret
    real = _real()
    found = (real[at // 2 % len(real)] if at % 2 else _drawn(draw, control) for at in range(count))
    return [unicodedata.normalize("NFC", text) for text in found]


def _real() -> list[str]:
    found = [
        message["content"]
        for language in LANGUAGES
        for name in PERSONAS
        for row in read_rows(SEED / name / f"demonstrations.{language}.jsonl", "demonstration")
        for message in row.data["messages"]
    ]
    return list(dict.fromkeys(found))


def _drawn(draw: random.Random, control: Sequence[str]) -> str:
    pieces = []
    for _ in range(draw.randint(1, 24)):
        kind = draw.random()
        if kind < 0.35:
            pieces.append(draw.choice(_WORDS))
        elif kind < 0.55:
            pieces.append(draw.choice(_MARKS))
        elif kind < 0.70:
            pieces.append("".join(draw.choices("0123456789", k=draw.randint(1, 9))))
        elif kind < 0.80:
            pieces.append(draw.choice(_EMOJI))
        elif kind < 0.88:
            pieces.append(draw.choice(_SPACES) * draw.randint(1, 3))
        elif kind < 0.94 or not control:
            pieces.append(draw.choice(_CODE))
        else:
            pieces.append(draw.choice(control))
        pieces.append(draw.choice(_SPACES))
    return "".join(pieces)


def shown(text: str, limit: int = 60) -> str:
    """A text as a sentence shows it: on one line, cut where it is long."""
    line = repr(text if len(text) <= limit else text[:limit] + "…")
    return line if len(line) <= 2 * limit else line[: 2 * limit] + "…'"
