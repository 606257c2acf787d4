"""A new champion is announced in the channels that managers chose: what it learnt from, from how many people, thanks.

So is another base model. Only counts and names are announced. What is announced is stored before it is sent, so a
restart does not announce it twice.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import discord

from bot.discord.place import NOBODY
from bot.discord.render import LIMIT
from bot.release_chart import figures
from data.errors import ParleyError
from data.gate_verdicts import GateVerdict, gate_verdict
from data.lineage import trained_rounds
from data.personas import persona_names
from data.releases import BASE_RELEASE, Releases
from data.rows import KINDS
from data.taught import Taught

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from bot.discord.app import App
    from bot.texts import Texts

log = logging.getLogger(__name__)

# The setting of a server: its channel, the champion and the mark of the base that were told last, and the releases
# that are no longer news. Settings of earlier versions have no base.
SETTING = "announcements"
_ABOUT = 2  # personas that are named
_AS_LONG = 0.1  # answers that differ less in length count as equally long


@dataclass(frozen=True)
class News:
    """What can be told of a champion. `rows` and `people` are None for one that no round made, `taught` also for one
    of an earlier version. `personas` are those in whose talks most of that was taught, if there is more than one.

    `base` is the mark of the home's base (`data.home_base`); None before it is pinned.
    """

    release: int
    verdict: GateVerdict = field(default_factory=GateVerdict)
    rows: int | None = None
    people: int | None = None
    base: str | None = None
    taught: Taught | None = None
    personas: tuple[str, ...] = ()

    def told_in(self, setting: Mapping[str, Any]) -> bool:
        """Whether this was told already where a server's setting is this one."""
        return setting["told"] == self.release and self.base in (None, setting.get("base"))

    def of_another_base(self, setting: Mapping[str, Any]) -> bool:
        """Whether it belongs to another base than the one that was told last."""
        return self.base is not None and setting.get("base") not in (None, self.base)


def news(home: Path) -> News:
    """The champion of an installation. It reads files, so call it in a thread; `BadInput` when one is damaged."""
    releases = Releases(home)
    serving = releases.serving()
    number, base = serving.number, serving.base.mark if serving.base else None
    if number == BASE_RELEASE:
        return News(number, base=base)
    verdict = gate_verdict(releases.get(number))
    made = next((each for each in trained_rounds(home) if each.release == number), None)
    if made is None:
        return News(number, verdict, base=base)
    rows = {row for kind in KINDS for row in made.rows.get(kind, ())}
    known = persona_names()  # others are a server's own, whose names concern nobody else
    named = [name for name in (made.taught.personas if made.taught else ()) if name in known]
    personas = tuple(named[:_ABOUT]) if len(named) > 1 else ()
    return News(number, verdict, len(rows), len(made.raters), base, made.taught, personas)


def chosen(
    now: Mapping[str, Any] | None, channel: int | None, champion: int, served: Collection[int], base: str | None
) -> Any:
    """The setting after a manager chose a channel, or none. Releases that have served by then are not announced."""
    if channel is None:
        return None
    if now is not None:
        return {**now, "channel": channel}
    return {"channel": channel, "told": champion, "known": sorted({champion, *served}), "base": base}


def text(told: News, texts: Texts, *, new: bool, another_base: bool = False) -> str:
    """What members read about a champion; `new` is whether it serves for the first time."""
    if another_base and told.base:
        first = texts.announce_base.format(base=told.base.partition("@")[0])
        return first if told.release == BASE_RELEASE else f"{first}\n{text(told, texts, new=new)}"[:LIMIT]
    name = texts.of_release.format(release=told.release) if told.release else texts.the_base
    if not new:
        return texts.announce_back.format(release=name)
    said = [texts.announce_new.format(release=name)]
    if told.taught and told.taught.any:
        said.append(_what(told, told.taught, texts))
    elif told.rows and told.people:
        said.append(texts.announce_learnt.format(rows=told.rows, people=told.people))
    if told.verdict.win is not None:
        said.append(texts.announce_won.format(share=figures(told.verdict.win)))
    said += _how(told.verdict, texts)
    return "\n".join([*said, texts.announce_thanks])[:LIMIT]


def _what(told: News, taught: Taught, texts: Texts) -> str:
    """What it learnt from."""
    found = texts.announce_taught.format(
        people=told.people or 0,
        corrections=taught.corrections,
        comparisons=taught.comparisons,
        thumbs=taught.thumbs,
        imported=taught.imported,
    )
    if taught.followups:
        found += texts.announce_followups.format(followups=taught.followups)
    if taught.mended:
        found += texts.announce_mended.format(mended=taught.mended)
    if told.personas:
        found += texts.announce_about.format(personas=texts.comma.join(told.personas))
    return found


def _how(verdict: GateVerdict, texts: Texts) -> list[str]:
    """How its answers changed, as far as that was measured."""
    said = []
    change = 0.0 if verdict.length is None else verdict.length - 1
    if abs(change) >= _AS_LONG:
        change_text = texts.announce_longer if change > 0 else texts.announce_shorter
        said.append(change_text.format(share=f"{abs(change):.0%}"))
    if verdict.checks:
        said.append(texts.announce_checks.format(checks=verdict.checks, worse=verdict.worse))
    return said


async def announce(app: App) -> None:
    """Tell the champion wherever it was not told yet."""
    waiting = await app.store.said_anywhere(SETTING)
    if not waiting:
        return
    try:
        found = await asyncio.to_thread(news, app.settings.home)
    except (ParleyError, OSError) as error:
        log.warning("the champion cannot be announced: %s", error)
        return
    for place, setting in waiting.items():
        if not found.told_in(setting) and app.client.get_guild(int(place[1])) is not None:
            await _tell(app, int(place[1]), found)


async def _tell(app: App, guild: int, found: News) -> None:
    """Tell a server the champion. Where Discord does not answer, it is told at the next look."""
    place, before = ("server", str(guild)), {}

    def mark(now: Any) -> Any:
        if now is None or found.told_in(now):  # a manager or another look was faster
            return now
        before.update(now)
        known = sorted({*now["known"], found.release})
        return {**now, "told": found.release, "known": known, "base": found.base}

    await app.store.change_setting(SETTING, place, mark)
    another = found.of_another_base(before)
    if not before or (before["told"] == found.release and not another):  # the base alone was not known yet
        return
    new = found.release not in before["known"] and found.release != BASE_RELEASE
    channel = app.client.get_channel(before["channel"]) or app.client.get_partial_messageable(before["channel"])
    texts = await app.rules.texts(channel, guild)
    try:
        sending = app.client.get_partial_messageable(before["channel"])
        await sending.send(text(found, texts, new=new, another_base=another), allowed_mentions=NOBODY)
    except (discord.Forbidden, discord.NotFound) as error:
        log.info("a release could not be announced: %s (code %s)", error.status, error.code)
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        log.warning("a release is not announced yet: %s", type(error).__name__)
        again = {"told": before["told"], "known": before["known"], "base": before.get("base")}
        await app.store.change_setting(SETTING, place, lambda now: now and {**now, **again})
