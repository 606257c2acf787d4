"""Reads server-sent events from bytes, as servers really send them: pure, without a connection.

The standard wants `data: {...}` and an empty line. Servers also leave the blank or the empty line out, mix line ends,
begin with a byte order mark, divide an event over several lines, or send plain JSON lines or one JSON object.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from typing import Any

MOST = 16 * 1024 * 1024  # characters of one event


class TooMuch(ValueError):
    """One event is larger than any answer."""


@dataclass(frozen=True)
class Event:
    """One event: its JSON value, or None for `[DONE]` and for anything that is not JSON (`damaged`)."""

    value: Any = None
    name: str = ""
    done: bool = False
    damaged: bool = False
    page: bool = False  # it is a web page


_NO_JSON = Event(damaged=True)


class Events:
    """Feed it bytes; it returns the events that are complete. `end` returns the last ones."""

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = False
        self._rest: list[str] = []
        self._size = 0
        self._name = ""
        self._data: list[str] = []

    def feed(self, block: bytes) -> list[Event]:
        """The events that are complete now. Raises TooMuch."""
        return self._take(self._decoder.decode(block))

    def end(self) -> list[Event]:
        """The events that the end of the stream completes."""
        events = self._take(self._decoder.decode(b"", final=True))
        rest, self._rest = "".join(self._rest), []
        if self._whole:
            return _whole(rest)
        return [*events, *self._line(rest.rstrip("\r")), *self._dispatch()]

    def _take(self, text: str) -> list[Event]:
        if not self._begun and text:
            self._begun, text = True, text.removeprefix("\ufeff")
            if text.lstrip()[:1] in ("{", "<"):  # not a stream, whatever the server calls it
                self._whole = True
        self._size += len(text)
        if self._size > MOST:
            raise TooMuch
        if self._whole or not ("\n" in text or "\r" in text):
            self._rest.append(text)
            return []
        text = "".join(self._rest) + text
        cut = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1  # the other half of a \r\n may come
        self._rest = [text[cut:]]
        self._size = len(text) - cut + sum(map(len, self._data))
        lines = text[:cut].replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
        return [event for line in lines for event in self._line(line)]

    def _line(self, line: str) -> list[Event]:
        if not line.strip():
            return self._dispatch()
        if line.startswith(":"):
            return []
        if line.lstrip().startswith("{"):  # a JSON line without the field's name
            return [*self._dispatch(), *_parsed(line, "")]
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field.strip() == "data":
            # Some servers leave out the empty line between events: a complete JSON value is an event.
            complete = bool(self._data) and _parsed("\n".join(self._data), "") != [_NO_JSON]
            before = self._dispatch() if complete else []
            self._data.append(value)
            return before
        if field.strip() == "event":
            self._name = value.strip()
        return []

    def _dispatch(self) -> list[Event]:
        data, name = self._data, self._name
        self._data, self._name = [], ""
        if not data:
            return []
        joined = _parsed("\n".join(data), name)
        if len(data) == 1 or not joined or not joined[0].damaged:
            return joined
        # Events without an empty line between them.
        return [event for line in data for event in _parsed(line, name)]


def _parsed(text: str, name: str) -> list[Event]:
    text = text.strip()
    if not text:
        return []
    if text.strip('"') == "[DONE]":
        return [Event(done=True)]
    try:
        return [Event(json.loads(text), name)]
    except ValueError:
        return [Event(name=name, damaged=True)]


def _whole(text: str) -> list[Event]:
    """The events of a body that is not a stream: one JSON value, JSON lines, or a web page."""
    if text.lstrip().startswith("<"):
        return [Event(page=True, damaged=True)]
    try:
        return [Event(json.loads(text)), Event(done=True)] if text.strip() else []
    except ValueError:
        events = Events()
        events._begun = True
        found = [event for line in text.splitlines() for event in events._line(line)]
        return [*found, *events._dispatch()]
