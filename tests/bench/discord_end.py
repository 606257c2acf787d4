"""Discord's end for the benchmarks of the bot: what it sends and replies, without a network; and memory."""

import gc
from typing import Any

MIB = 2**20
Figures = dict[str, float]


def memory(*, clean: bool = True) -> int:
    """The bytes that this process holds, by default after freeing what can be freed."""
    from bot.discord.health import resident_bytes

    if clean:
        gc.collect()
    return resident_bytes() or 0


class Answers:
    """Discord's end, without a network: it accepts what the bot sends, and records the answer to each question."""

    def __init__(self) -> None:
        self.replies: dict[int, str] = {}
        self._below: dict[int, int] = {}
        self._ids = iter(range(2**40, 2**62))

    async def request(self, route: Any, **more: Any) -> Any:
        """What discord.py sends, and what Discord replies."""
        payload = more.get("json") or {}
        if not route.path.startswith("/channels/{channel_id}/messages"):
            return None  # that the bot types
        if route.method == "POST":
            number = next(self._ids)
            self._below[number] = int(payload["message_reference"]["message_id"])
        else:
            number = int(route.url.rpartition("/")[2])
        self.replies[self._below[number]] = payload["content"]
        # The buttons come back too: by those of another process the bot tells that somebody else was first.
        components = payload.get("components") or []
        return message(number, route.channel_id, payload["content"], 1, components=components)


def message(number: int, channel: int, content: str, author: int, **more: Any) -> dict[str, Any]:
    """A message as Discord describes it."""
    who = {"id": str(author), "username": f"u{author}", "discriminator": "0", "avatar": None, "bot": author == 1}
    payload: dict[str, Any] = {
        name: [] for name in ("attachments", "embeds", "mentions", "mention_roles", "components")
    }
    payload |= {
        "id": str(number),
        "channel_id": str(channel),
        "author": who,
        "content": content,
        "type": 0,
        "flags": 0,
    }
    payload |= {"timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False}
    return payload | {"mention_everyone": False, "pinned": False} | more


def question(number: int, channel: int, guild: int, author: int, me: int) -> dict[str, Any]:
    """A question that mentions the bot, on a server."""
    member = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False, "flags": 0}
    bot = {"id": str(me), "username": "parley", "discriminator": "0", "avatar": None, "bot": True, "member": member}
    text = f"<@{me}> question {number}"
    return message(number, channel, text, author, guild_id=str(guild), member=member, mentions=[bot])
