"""The memory that buttons take: Parley's, and ordinary ones, which discord.py keeps (for `tests.bench.discord`)."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from tests.bench.discord_end import MIB, Figures, memory, message

ON_AN_ANSWER = 6  # ⏹, and the five that replace it


async def send_buttons(count: int, *, ordinary: bool) -> Figures:
    """Send and edit enough answers for this many buttons; returns the memory before and after."""
    import discord

    from bot.discord.buttons import Press, rate_buttons, stop_button
    from bot.discord.client import intents
    from bot.discord.place import InChannel
    from bot.settings import Settings

    client = discord.Client(intents=intents(Settings(_env_file=None)))
    client.add_dynamic_items(Press)
    numbers = iter(range(1, 2**62))

    async def sent(*_: Any, **__: Any) -> dict[str, Any]:
        return message(next(numbers), 2, "text", 1)

    async def edited(_: int, number: int, **__: Any) -> dict[str, Any]:
        return message(number, 2, "text", 1)

    client.http.send_message = sent  # type: ignore[assignment]  # watched here
    client.http.edit_message = edited  # type: ignore[assignment]  # watched here

    def plain(view: discord.ui.View) -> discord.ui.View:
        made = discord.ui.View(timeout=None)
        for child in view.children:
            button = child.item if isinstance(child, discord.ui.DynamicItem) else child
            made.add_item(discord.ui.Button(label=button.label, custom_id=button.custom_id))
        return made

    async def answer(number: int) -> None:
        place = InChannel(client.get_partial_messageable(2))
        stop, rate = stop_button(str(number), 3), rate_buttons(number, teach=True)
        shown = await place.send("text", plain(stop) if ordinary else stop)
        await place.edit(shown, "all of the text", plain(rate) if ordinary else rate)

    for number in range(500):  # one-time loading and caching is not the cost of a button
        await answer(number)
    kept, before, began = tracked(client), memory(), time.perf_counter()
    answers = count // ON_AN_ANSWER
    for number in range(answers):
        await answer(number)
    seconds = time.perf_counter() - began
    return {
        "buttons": answers * ON_AN_ANSWER,
        "before": before / MIB,
        "after": memory() / MIB,
        "kept": tracked(client) - kept,
        "seconds": seconds,
    }


def tracked(client: Any) -> int:
    """How many messages with buttons discord.py keeps."""
    return len(client._connection._view_store._synced_message_views)


def in_processes(count: int) -> dict[str, Figures]:
    """Both ways, each in a separate process."""
    found = {}
    for way in ("Parley's", "ordinary"):
        program = [sys.executable, "-m", "tests.bench.discord_buttons", way, str(count)]
        found[way] = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_buttons(int(sys.argv[2]), ordinary=sys.argv[1] == "ordinary"))))
