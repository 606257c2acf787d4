"""Text as Discord shows it, laid out for a picture: runs of one style each, wrapped into lines."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

SIZE, SMALL = 15.0, 12.0
_NARROW, _WIDE = set("iljtfr.,:;'|!()[]I/ -"), set("mwMW@%—")
_NO_START = set("，。！？：；、）》”’…")
_TOKENS = re.compile(r"\s+|[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+")
_MARKUP = re.compile(r"\*\*(.+?)\*\*|(<[@#]\w+>)")


@dataclass(frozen=True)
class Run:
    """A piece of text in one style."""

    text: str
    bold: bool = False
    small: bool = False
    link: bool = False

    @property
    def width(self) -> float:
        """The width as drawn, rounded up a little: fonts differ."""
        return sum(map(_em, self.text)) * (SMALL if self.small else SIZE) * (1.06 if self.bold else 1.0)


def _em(character: str) -> float:
    if unicodedata.combining(character) or character in "\ufe0f\u200d":
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if ord(character) > 0x2190:
        return 1.1
    if character in _NARROW:
        return 0.34
    if character in _WIDE:
        return 0.9
    return 0.68 if character.isupper() else 0.57


def width(text: str, *, small: bool = False) -> float:
    """The approximate width of a text."""
    return Run(text, small=small).width


def lines(content: str, room: float) -> list[list[Run]]:
    """A message's content as lines of runs that fit into the given width."""
    found: list[list[Run]] = []
    for line in content.split("\n"):
        small = line.startswith("-# ")
        runs = _runs(line.removeprefix("-# "), small)
        found += _wrapped(runs, room)
    return found


def _runs(line: str, small: bool) -> list[Run]:
    runs, at = [], 0
    for match in _MARKUP.finditer(line):
        runs.append(Run(line[at : match.start()], small=small))
        bold = match[1] is not None
        text = match[1] if bold else match[2][1:-1]
        runs.append(Run(text, bold=bold, small=small, link=not bold))
        at = match.end()
    return [run for run in (*runs, Run(line[at:], small=small)) if run.text]


def _wrapped(runs: list[Run], room: float) -> list[list[Run]]:
    found: list[list[Run]] = [[]]
    used = 0.0
    for run in runs:
        for token in [run.text] if run.link else _TOKENS.findall(run.text):
            piece = replace(run, text=token)
            if used + piece.width > room and found[-1] and token not in _NO_START:
                found.append([])
                used = 0.0
                if token.isspace():
                    continue
            last = found[-1][-1] if found[-1] else None
            if last is not None and replace(last, text="") == replace(run, text=""):
                found[-1][-1] = replace(last, text=last.text + token)
            else:
                found[-1].append(piece)
            used += piece.width
    return found
