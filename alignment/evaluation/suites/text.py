"""Counts what a text is made of, for English, Chinese and mixtures: words, sentences, paragraphs."""

import re

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+(?:['\u2019\-][^\W{_HAN}]+)*")
# A full stop after these, or after the number of a list's item, does not end a sentence.
_SHORT = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|approx|jr|sr|inc|ltd|co|u\.s|u\.k|a\.m|p\.m|[a-z])\.$|^\s*\d{1,2}\.$",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?]+[\"'\u201d\u2019)\]*_]*(?=\s|$)|[。！？!?…]+[\u201d\u2019」』）)\"]*")


def words(text: str) -> list[str]:
    """The words of a text in order. A Chinese character counts as one word; signs do not count."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """The sentences of a text, which end with a full stop, question or exclamation mark, or with the line."""
    found = []
    for line in text.split("\n"):
        start = 0
        for match in _END.finditer(line):
            last = match.end() == len(line.rstrip())
            if match.group() == "." and not last and _SHORT.search(line[start : match.end()]):
                continue
            found.append(line[start : match.end()])
            start = match.end()
        found.append(line[start:])
    return [part.strip() for part in found if words(part)]


def paragraphs(text: str) -> list[str]:
    """The parts of a text between empty lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
