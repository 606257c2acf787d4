"""How many messages the bot refused, by place and reason, for a server's managers: never whose, and never a word.

The counts are kept in memory until they are told, once an hour; counts of servers that do not want them are dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bot.access import Access
from bot.discord.render import LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.texts import Texts

CHANNEL = "refusals"  # the setting of a server: the channel that its managers chose
ACCESS = {Access.PERSON: "person", Access.PLACE: "place", Access.UNLISTED: "unlisted"}
# The reasons in the order in which they are told: those of `ACCESS`, and kinds of `bot.answers.Failed`.
REASONS = (
    *ACCESS.values(),
    "hourly_person",
    "hourly_channel",
    "hourly_server",
    "queue_full",
    "queue_full_person",
    "moderated",
)


class RefusedMessages:
    """Counts what was refused since it was told last."""

    def __init__(self) -> None:
        self._counts: dict[int, Counter[tuple[int, str]]] = {}

    def add(self, guild: int | None, channel: int, reason: str) -> None:
        """Count a message in a channel of a server. Direct messages and other reasons are not counted."""
        if guild is not None and reason in REASONS:
            self._counts.setdefault(guild, Counter())[channel, reason] += 1

    def take(self) -> dict[int, Counter[tuple[int, str]]]:
        """The counts of each server, by channel and reason; they begin at 0 again."""
        taken, self._counts = self._counts, {}
        return taken


def lines(counts: Mapping[tuple[int, str], int], texts: Texts) -> str:
    """The counts of a server as its managers read them: a line for each channel, with most refusals first."""
    by_channel: dict[int, dict[str, int]] = {}
    for (channel, reason), count in counts.items():
        by_channel.setdefault(channel, {})[reason] = count
    listed = sorted(by_channel.items(), key=lambda entry: (-sum(entry[1].values()), entry[0]))
    told = [
        texts.refusals_line.format(
            channel=f"<#{channel}>",
            counts=texts.comma.join(
                texts.refusal_reasons[place].format(count=found[reason])
                for place, reason in enumerate(REASONS)
                if reason in found
            ),
        )
        for channel, found in listed
    ]
    text = "\n".join([texts.refusals_hour, *told])
    return text if len(text) <= LIMIT else text[: text.rindex("\n", 0, LIMIT - 2)] + "\n…"
