"""Word lists and what they find in a text: pure, and as cheap for a text that streams as for a complete one.

A list has one phrase on a line; lines that begin with `#` are comments; `make|build` in a phrase means either word. A
phrase in a language with spaces matches whole words only, so that Scunthorpe passes; a Chinese, Japanese or Thai one
matches anywhere. Case, accents, full-width letters, invisible characters and Markdown's marks make no difference, nor
do common digits in place of letters. Anybody who wants to get around a list can: lists keep honest people's servers
clean, no more.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING

from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W_{_UNSPACED}]"  # of a script with spaces, or a digit
_GAP = r"[\s_-]{1,3}"  # bounded, so that a streaming text need not be read again from its beginning
_UNSPACED_GAP = r"[\s_-]{0,3}"
_LONGEST_GAP = 3
_MARKS = "*`~|"  # Markdown's, which people do not see
_DIGITS = str.maketrans("013457@$", "oieastas")


class Kind(StrEnum):
    """What is wrong with a text. The most serious comes first."""

    SELF_HARM = "self_harm"
    VIOLENCE = "violence"
    SLUR = "slur"
    OWN = "own"  # the operator's own words
    ENDPOINT = "endpoint"  # a moderation endpoint flagged it
    UNCHECKED = "unchecked"  # it had to be checked, but the check failed


def normal(text: str) -> str:
    """The text as it is compared. Each character is changed by itself, so that a text can be changed in parts."""
    return "".join(map(_normal, text))


@functools.lru_cache(maxsize=8192)
def _normal(character: str) -> str:
    folded = unicodedata.normalize("NFKD", character.replace("’", "'")).casefold()
    return "".join(one for one in folded if one.isspace() or (one not in _MARKS and _visible(one)))


def _visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "M" and category not in ("Cc", "Cf")


def phrases(text: str, name: str) -> list[str]:
    """The phrases of a list, whose `name` is for errors. Raises `BadInput` for a word without letters."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        phrase = line.strip()
        if not phrase or phrase.startswith("#"):
            continue
        if not all(normal(other).strip() for word in phrase.split() for other in word.split("|")):
            raise BadInput(
                f"{name}, line {number}: a word has no letters. Write one word or phrase on a line; use | between "
                "words of which either may match."
            )
        found.append(phrase)
    return found


class WordLists:
    """Word lists, by what is wrong with a text that holds one of their phrases."""

    def __init__(self, lists: Mapping[Kind, Iterable[str]]) -> None:
        self.longest = 0  # characters that the longest phrase can take in a text
        self._patterns: list[tuple[Kind, re.Pattern[str], bool]] = []
        for kind in Kind:
            whole: list[str] = []
            anywhere: list[str] = []
            for phrase in lists.get(kind, ()):
                words = [[normal(other) for other in word.split("|")] for word in phrase.split()]
                self.longest = max(self.longest, sum(max(map(len, word)) + _LONGEST_GAP for word in words))
                either = [f"(?:{'|'.join(map(re.escape, word))})" for word in words]
                if re.search(f"[{_UNSPACED}]", phrase):
                    anywhere.append(_UNSPACED_GAP.join(either))
                else:
                    whole.append(_GAP.join(either))
            if whole:
                compiled = re.compile(f"(?<!{_LETTER})(?:{'|'.join(whole)})(?!{_LETTER})")
                self._patterns.append((kind, compiled, True))
            if anywhere:
                self._patterns.append((kind, re.compile("|".join(anywhere)), False))

    def find(self, text: str) -> Kind | None:
        """What is wrong with a text; None if nothing is."""
        growing = Growing(self)
        growing.add(text)
        growing.end()
        return growing.found

    def look(self, window: str, start: int) -> tuple[Kind | None, Kind | None]:
        """What is found in a normal text from `start` on, and what will be found if no letter follows the text."""
        pending = None
        for kind, pattern, whole in self._patterns:
            for reading in (window, window.translate(_DIGITS)):
                for match in pattern.finditer(reading, start):
                    if not re.search(r"[^\W\d_]", window[match.start() : match.end()]):
                        continue  # a number: 455 is not a word
                    if whole and match.end() == len(window):
                        pending = pending or kind
                    else:
                        return kind, None
        return None, pending


class Growing:
    """A streaming text, checked before each piece of it is shown. `found` says what is wrong with it."""

    def __init__(self, words: WordLists) -> None:
        self.found: Kind | None = None
        self._words = words
        self._tail = ""  # the end of the text, as it is compared, in which a phrase may have begun
        self._cut = False
        self._held = ""
        self._pending: Kind | None = None

    def add(self, piece: str) -> str:
        """Add the next piece; returns what may be shown now. A piece that may end in a listed word is held back."""
        if self.found is not None:
            return ""
        window = self._tail + normal(piece)
        # In a cut text the first character only tells whether a word begins after it.
        self.found, self._pending = self._words.look(window, int(self._cut))
        keep = self._words.longest + 1
        self._cut = self._cut or len(window) > keep
        self._tail = window[-keep:]
        self._held += piece
        return self._let_go() if self.found is None and self._pending is None else ""

    def end(self) -> str:
        """End the text; returns what was held back and may be shown."""
        self.found = self.found or self._pending
        return self._let_go() if self.found is None else ""

    def _let_go(self) -> str:
        held, self._held = self._held, ""
        return held
