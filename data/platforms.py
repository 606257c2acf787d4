"""The names of platforms in imported rows, in one spelling. Whatever reads as Discord is Discord.

Rows from Discord need a permission, so a name must not escape that by looking like Discord without being spelt so:
letters of other alphabets and symbols count as the Latin letters that they look like, marks and invisible characters
are left out. Letters that could still pass for Latin ones are refused.
"""

import re
import unicodedata

from data.errors import BadInput

DISCORD = "discord"
# What looks like a letter of that word, lower case. Letters that Unicode itself names after a Latin letter (small
# capitals, letters in squares, flags, dotless i, strokes) are read from their names.
_LIKE = {
    "d": "ԁժᑯᗞᗪꓒꓓᎠꭰᏧꮷð",
    "i": "іιӏɩꙇᎥꭵⲓןا|!1lǀ¡",
    "s": "ѕჽꮪᏚꓢՏ5$§",
    "c": "сϲⅽⲥꮯᏟꓚ¢૮",
    "o": "оοσօⲟჿഠഠ൦૦௦০०ᱛꓳ〇○●◯0",
    "r": "гяᴦⲅꭇꭈꮁᎡᏒꭱꮢꓣᖇ",
}
_LATIN = {ord(like): letter for letter, others in _LIKE.items() for like in others}
_ONE_LETTER = re.compile(r"(?:LATIN|LETTER|SYMBOL)\b.*?\b([A-Z])\b")
# No letter of these scripts looks like a Latin one.
_EAST_ASIAN = ("CJK ", "HIRAGANA ", "KATAKANA ", "HANGUL ", "BOPOMOFO ")


def platform_name(name: str) -> str:
    """A platform's name in one spelling. Raises `BadInput`, which continues a place, for what cannot be one."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    letters = [_latin(letter) for letter in unicodedata.normalize("NFKD", plain)]
    word = "".join(filter(str.isalnum, letters))
    if DISCORD in word or DISCORD in word[::-1]:  # a control character can turn the direction of writing
        return DISCORD
    if not any(letter.isalnum() for letter in plain):
        raise BadInput(f", field 'platform': {name!r} names no platform; write a name such as 'terminal'.")
    for letter in plain:
        if letter.isalpha() and not letter.isascii() and not _harmless(letter):
            what = unicodedata.name(letter, "a letter without a name")
            raise BadInput(
                f", field 'platform': {name!r} has {letter!r} ({what}), which can be taken for another letter; write "
                "the platform's name in the letters a to z."
            )
    return plain


def _latin(letter: str) -> str:
    """The Latin letter that a character looks like or is named after; the character itself where there is none."""
    if letter in "abcdefghjkmnopqrstuvwxyz":
        return letter
    if found := _LATIN.get(ord(letter)):
        return found
    named = _ONE_LETTER.search(unicodedata.name(letter, ""))
    return named[1].lower() if named else letter


def _harmless(letter: str) -> bool:
    """Whether a letter is a Latin one, or of a script in which nothing looks like Latin."""
    return unicodedata.name(letter, "").startswith(("LATIN ", *_EAST_ASIAN))
