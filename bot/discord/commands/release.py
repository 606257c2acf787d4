"""What operators do on Discord: see how everything stands, promote, roll back, pause rounds and let them run again.

Whoever calls is checked at every call, and again when they confirm.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord.commands.stats import release_name, standing
from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM, Press, acknowledge, tell, view
from bot.discord.render import LIMIT
from bot.engine.api import EngineError, Sampling
from bot.release_chart import SHOWN, figures
from bot.texts import Texts, texts
from bot.texts.commands import CALLED
from data.chat import Message
from data.errors import BadInput, ParleyError
from data.gate_verdicts import GateVerdict, gate_verdict
from data.promotion import promote
from data.releases import BASE_RELEASE, NoEarlier, Release, Releases, Superseded
from data.rounds import pause, paused_since, resume

if TYPE_CHECKING:
    from bot.conversation import Chat
    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds in which an engine that is well says a word
_REASONS = 1200  # characters of the gate's reasons that are shown


def add_operating(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""
    began = monotonic()
    group = app_commands.Group(
        name="release",
        description=CALLED["release"].for_en,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    async def told(interaction: discord.Interaction[Bot], text: str) -> None:
        await interaction.followup.send(text[:LIMIT], ephemeral=True, allowed_mentions=NOBODY)

    @group.command(name="status")
    async def status(interaction: discord.Interaction[Bot]) -> None:
        words = texts(str(interaction.locale))
        if await allowed(bot.talk, interaction, words):
            await told(interaction, await how_it_stands(bot.talk, monotonic() - began, words))

    @group.command(name="promote")
    async def choose(
        interaction: discord.Interaction[Bot], number: app_commands.Range[int, 0], anyway: bool = False
    ) -> None:
        words = texts(str(interaction.locale))
        if await allowed(bot.talk, interaction, words):
            await ask_to_promote(bot.talk, interaction, number, words, anyway=anyway)

    @group.command(name="rollback")
    async def rollback(interaction: discord.Interaction[Bot]) -> None:
        words = texts(str(interaction.locale))
        if await allowed(bot.talk, interaction, words):
            await told(interaction, await rolled_back(bot.talk, interaction, words))

    @group.command(name="pause")
    async def stop_rounds(interaction: discord.Interaction[Bot]) -> None:
        words = texts(str(interaction.locale))
        if await allowed(bot.talk, interaction, words):
            new = await asyncio.to_thread(pause, bot.talk.settings.home)
            if new:
                await _write_down(bot.talk, interaction, "pause")
            await told(interaction, words.rounds_paused_now if new else words.rounds_paused_already)

    @group.command(name="resume")
    async def let_rounds_run(interaction: discord.Interaction[Bot]) -> None:
        words = texts(str(interaction.locale))
        if await allowed(bot.talk, interaction, words):
            new = await asyncio.to_thread(resume, bot.talk.settings.home)
            if new:
                await _write_down(bot.talk, interaction, "resume")
            await told(interaction, words.rounds_resumed_now if new else words.rounds_not_paused)

    tree.add_command(group)


async def allowed(talk: Talk, interaction: discord.Interaction, words: Texts) -> bool:
    """Acknowledge, and whether an operator asks; others are told that they are none."""
    await acknowledge(interaction)
    if await talk.operators.include(interaction.user.id):
        return True
    await tell(interaction, words.operators_only)
    return False


async def how_it_stands(talk: Talk, seconds: float, words: Texts) -> str:
    """Releases, rounds, the engine, and what runs; `seconds` is for how long the bot has."""
    home = talk.settings.home
    try:
        now = await asyncio.to_thread(standing, home)
        told = await talk.taught.serving(now, words)
    except ParleyError as error:  # a file is damaged: the sentence says which, and whoever runs this can mend it
        told = [str(error)]
    else:
        served = await talk.store.champions()
        listed = [_listed(release, served, words) for release in now.releases[-SHOWN:]]
        told += ["```", *listed, "```"] if listed else []
        told.append(words.stats_rounds.format(rounds=len(now.rounds), promoted=now.rounds.count("promoted")))
    since = await asyncio.to_thread(paused_since, home)
    if since is not None:
        told.append(words.rounds_paused_since.format(when=f"<t:{int(since.timestamp())}:f>"))
    told.append(words.engine_well if await engine_answers(talk.chat) else words.engine_away)
    running, waiting = talk.chat.load
    told.append(
        words.status_load.format(
            servers=len(talk.client.guilds), running=running, waiting=waiting, uptime=duration(seconds, words)
        )
    )
    return "\n".join(told)


def _listed(release: Release, served: set[int], words: Texts) -> str:
    found = gate_verdict(release)
    said = {True: words.gate_yes, False: words.gate_no, None: words.gate_silent}[found.promote]
    made = release.manifest.created_at[:10]
    return f"{release.number:>4} {'●' if release.number in served else '○'} {made} {figures(found.win)} {said}"


def duration(seconds: float, words: Texts) -> str:
    """A time in days, hours and minutes, rounded down."""
    minutes = int(seconds // 60)
    return words.duration.format(days=minutes // 1440, hours=minutes // 60 % 24, minutes=minutes % 60)


async def engine_answers(chat: Chat) -> bool:
    """Whether the engine says a word when it is asked for one."""
    try:
        async with (
            asyncio.timeout(PATIENCE),
            chat.engine.session() as session,
            aclosing(session.stream([Message(role="user", content="?")], Sampling(max_tokens=1))) as said,
        ):
            async for _ in said:
                pass
    except (EngineError, TimeoutError) as error:
        log.warning("the engine does not answer (%s)", type(error).__name__)
        return False
    return True


async def ask_to_promote(
    talk: Talk, interaction: discord.Interaction, number: int, words: Texts, *, anyway: bool
) -> None:
    """Show what the gate said of a release, with a button that makes it the champion.

    A release that the gate refused needs `anyway`: the operator overrules it, and says so.
    """
    try:
        now = await asyncio.to_thread(standing, talk.settings.home)
    except BadInput as error:
        await tell(interaction, str(error))
        return
    there = {release.number: gate_verdict(release) for release in now.releases}
    if number == now.champion:
        await tell(interaction, words.serves_already.format(release=release_name(number, words)))
    elif number != BASE_RELEASE and number not in there:
        numbers = ", ".join(map(str, [BASE_RELEASE, *there][-SHOWN:]))
        await tell(interaction, words.no_such_release.format(number=number, numbers=numbers))
    elif number in there and there[number].promote is False and not anyway:
        refused = said_of(there[number], now.champion, words)
        await tell(interaction, f"{refused}\n{words.promote_anyway}")
    else:
        asked = words.promote_question.format(
            release=release_name(number, words), champion=release_name(now.champion, words)
        )
        gate = [said_of(there[number], now.champion, words)] if number in there else []
        buttons = view(Press("promote", f"{number}:{now.champion}", words.promote_yes))
        await tell(interaction, "\n".join([*gate, asked]), buttons)


def said_of(found: GateVerdict, champion: int, words: Texts) -> str:
    """What the gate decided on a release and why, in one paragraph; `champion` is who serves now."""
    if found.promote is None:
        return words.gate_never_asked
    told = (words.gate_said_yes if found.promote else words.gate_said_no).format(reasons=" ".join(found.reasons))
    if len(told) > _REASONS:
        told = f"{told[:_REASONS]} …"
    if found.champion is None or found.champion == champion:
        return told
    return f"{told} {words.gate_compared_with.format(release=release_name(found.champion, words))}"


async def promoted(talk: Talk, interaction: discord.Interaction, number: int, champion: int, words: Texts) -> None:
    """Make a release the champion, where the one that was to be replaced still serves."""
    if not await talk.operators.include(interaction.user.id):
        await tell(interaction, words.operators_only)
        return
    try:
        await promote(talk.store, Releases(talk.settings.home), number, instead_of=champion)
    except Superseded:
        told = words.superseded
    except BadInput as error:  # it was removed meanwhile, or a file is damaged
        told = str(error)
    else:
        log.info("release %d was promoted by an operator", number)
        await _write_down(talk, interaction, "promote", release=number, before=champion)
        told = words.promoted.format(release=release_name(number, words), before=release_name(champion, words))
    await interaction.edit_original_response(content=told[:LIMIT], view=None, allowed_mentions=NOBODY)


async def rolled_back(talk: Talk, interaction: discord.Interaction, words: Texts) -> str:
    """Go back to the champion before this one; returns what became of that."""
    releases = Releases(talk.settings.home)
    try:
        before = await asyncio.to_thread(releases.champion)
        number = await asyncio.to_thread(releases.rollback)
    except NoEarlier:
        return words.no_earlier_champion
    except BadInput as error:
        return str(error)
    log.info("release %d was rolled back by an operator", before)
    await _write_down(talk, interaction, "rollback", release=number, before=before)
    return words.rolled_back.format(release=release_name(number, words), before=release_name(before, words))


async def _write_down(talk: Talk, interaction: discord.Interaction, deed: str, **what: str | int | None) -> None:
    """Write down what was done to the installation: no server's, wherever the operator was when they did it."""
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    await talk.store.record_deed(person, deed, server=None, **what)
