"""What people are told when something fails that nobody planned for, and what the log says about it.

A full disk, a locked or a damaged database are named, because somebody can do something about them. People read what
it means for them; the log, which the operator reads, says where.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from data.errors import in_words
from data.store_errors import BUSY, FULL, StoreError

if TYPE_CHECKING:
    import logging

    from bot.texts import Texts

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def unexpected(log: logging.Logger, texts: Texts, error: BaseException, what: str) -> str:
    """Log that `what` failed, and why; returns the sentence for the person who waits for it."""
    # discord.py wraps what a command raises.
    cause = getattr(error, "original", error)
    if isinstance(cause, StoreError):
        log.error("%s: %s", what, cause)
        known = {FULL: texts.disk_full, BUSY: texts.store_busy}
        return known.get(cause.kind, texts.store_broken)
    if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
        log.error("%s: %s", what, in_words(cause))
        return texts.disk_full
    log.error("%s", what, exc_info=error)
    return texts.internal_error
