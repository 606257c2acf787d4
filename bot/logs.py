"""The log: lines of text or JSON on standard error, which never hold what people said.

Our own log messages hold no texts. Those of libraries may: an exception's message can repeat the body of a request,
and asyncio prints whole objects. So the log shows only the types and places of an exception, never its message, and
leaves ids and tokens out of every message. This also holds for errors that end the process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from data.printing import printable

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger(__name__)

# Discord's ids, and the tokens in its addresses.
_IDS = re.compile(r"\b\d{15,20}\b|(?<=/)[\w.-]{60,}")
_MOST = 40  # frames of one exception


class Line(logging.Formatter):
    """A record as a line of text, with the places of an exception below it."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        lines = [f"{_time(record)} {record.levelname} {record.name}: {_message(record)}"]
        if record.exc_info and record.exc_info[1]:
            lines += _described(record.exc_info[1])
        return "\n".join(lines)


class JsonLine(logging.Formatter):
    """A record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info and (error := record.exc_info[1]):
            entry["exception"] = _name(error)
            entry["traceback"] = _described(error)
        return json.dumps(entry)


class StandardError(logging.Handler):
    """Writes to whatever standard error is at the moment; the terminal's keyboard replaces it while it reads."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def begin(style: str, *, verbose: bool) -> None:
    """Log to standard error as "text" or "json". Libraries log warnings only; their other messages can hold texts."""
    handler = StandardError()
    handler.setFormatter(JsonLine() if style == "json" else Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    if verbose:
        for name in ("bot", "data", "discord"):  # discord.py writes whole messages at DEBUG only
            logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger("discord.client").addFilter(lambda record: "voice will NOT" not in record.getMessage())
        # bot.discord.shards says it in one line.
        logging.getLogger("discord.shard").addFilter(lambda record: "Failed to connect" not in record.getMessage())
    sys.excepthook = _crashed
    threading.excepthook = lambda caught: _crashed(caught.exc_type, caught.exc_value, caught.exc_traceback)
    sys.unraisablehook = lambda caught: _crashed(caught.exc_type, caught.exc_value, caught.exc_traceback)


def watch_loop() -> None:
    """Log errors in the running loop that nobody waits for. asyncio itself would print whole objects."""
    asyncio.get_running_loop().set_exception_handler(_unheard)


def _unheard(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if (error := context.get("exception")) is not None:
        log.error("an error in a task that nobody waited for", exc_info=error)
    else:
        log.warning("%s", context["message"])


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    log.critical("an error that nobody caught", exc_info=(kind, error or kind(), trace))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _message(record: logging.LogRecord) -> str:
    return printable(_IDS.sub("…", record.getMessage()))


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _described(error: BaseException) -> list[str]:
    """The types and places of an exception and its causes, the first cause first, but never their messages."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and all(current is not one for one in chain):
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    lines: list[str] = []
    for one in reversed(chain):
        frames = traceback.extract_tb(one.__traceback__)[-_MOST:]
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(_name(one))
        if isinstance(one, BaseExceptionGroup):
            lines += [f"  {line}" for inner in one.exceptions for line in _described(inner)]
    return lines
