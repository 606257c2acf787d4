"""What operators do on Discord: see the state of everything, promote, roll back, pause and resume rounds.

Whether a person is an operator is checked at every command, and again when they confirm.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.audit_log import record_for_all
from bot.discord.buttons import Press, view
from bot.discord.render import LIMIT
from bot.discord.telling import acknowledge, replace_question, tell, texts_for
from bot.engine.api import EngineError, Sampling
from bot.overview import overview, release_name, verdict_text
from bot.release_chart import SHOWN, figures
from bot.texts.commands import CALLED
from data.chat import Message
from data.errors import BadInput, ParleyError
from data.gate_verdicts import gate_verdict
from data.promotion import promote
from data.releases import BASE_RELEASE, NoEarlier, Release, Releases, Superseded
from data.rounds import pause, paused_since, resume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.conversation import Chat
    from bot.discord.app import App
    from bot.discord.commands.stats import Stats
    from bot.texts import Texts

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds in which a working engine says a word


def add_release(app: App, stats: Stats, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""
    began = monotonic()
    group = app_commands.Group(
        name="release",
        description=CALLED["release"].for_en,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    @group.command(name="status")
    async def status(interaction: discord.Interaction) -> None:
        if (texts := await for_operators(app, interaction)) is not None:
            await tell(interaction, (await status_text(app, stats, monotonic() - began, texts))[:LIMIT])

    @group.command(name="promote")
    async def choose(
        interaction: discord.Interaction, number: app_commands.Range[int, 0], anyway: bool = False
    ) -> None:
        if (texts := await for_operators(app, interaction)) is not None:
            await ask_to_promote(app, interaction, number, texts, anyway=anyway)

    @group.command(name="rollback")
    async def rollback(interaction: discord.Interaction) -> None:
        if (texts := await for_operators(app, interaction)) is not None:
            await tell(interaction, (await rolled_back(app, interaction, texts))[:LIMIT])

    @group.command(name="pause")
    async def stop_rounds(interaction: discord.Interaction) -> None:
        if (texts := await for_operators(app, interaction)) is not None:
            new = await _switch_rounds(app, interaction, "pause", pause)
            await tell(interaction, texts.rounds_paused_now if new else texts.rounds_paused_already)

    @group.command(name="resume")
    async def let_rounds_run(interaction: discord.Interaction) -> None:
        if (texts := await for_operators(app, interaction)) is not None:
            new = await _switch_rounds(app, interaction, "resume", resume)
            await tell(interaction, texts.rounds_resumed_now if new else texts.rounds_not_paused)

    tree.add_command(group)


async def for_operators(app: App, interaction: discord.Interaction) -> Texts | None:
    """Acknowledge an operator's command; returns the texts to answer with, None when a person is not an operator."""
    await acknowledge(interaction)
    return None if await _refused_unless_operator(app, interaction) else texts_for(interaction)


async def _refused_unless_operator(app: App, interaction: discord.Interaction) -> bool:
    if await app.operators.include(interaction.user.id):
        return False
    await tell(interaction, texts_for(interaction).operators_only)
    return True


async def _switch_rounds(
    app: App, interaction: discord.Interaction, action: str, switch: Callable[[Path], bool]
) -> bool:
    """Pause or resume rounds; returns whether that changed anything."""
    new = await asyncio.to_thread(switch, app.settings.home)
    if new:
        await record_for_all(app.store, interaction, action)
    return new


async def status_text(app: App, stats: Stats, seconds: float, texts: Texts) -> str:
    """Releases, rounds, the engine, and what runs; `seconds` is how long the bot has been running."""
    home = app.settings.home
    try:
        now = await asyncio.to_thread(overview, home)
        lines = await stats.serving(now, await stats.progress.now(now.champion, now.candidate), texts)
    except ParleyError as error:  # a file is damaged: the sentence says which, and the operator can mend it
        lines = [str(error)]
    else:
        served = await app.store.champions()
        listed = [_listed(release, served, texts) for release in now.releases[-SHOWN:]]
        lines += ["```", *listed, "```"] if listed else []
        if now.others:
            lines.append(texts.of_other_bases.format(numbers=", ".join(map(str, now.others[-SHOWN:]))))
        lines.append(texts.stats_rounds.format(rounds=len(now.rounds), promoted=now.promoted))
    since = await asyncio.to_thread(paused_since, home)
    if since is not None:
        lines.append(texts.rounds_paused_since.format(when=f"<t:{int(since.timestamp())}:f>"))
    lines.append(texts.engine_well if await engine_answers(app.chat) else texts.engine_away)
    if reason := await asyncio.to_thread(_unreached, app):
        lines.append(reason)
    running, waiting = app.chat.load
    lines.append(
        texts.status_load.format(
            servers=len(app.client.guilds), running=running, waiting=waiting, uptime=duration(seconds, texts)
        )
    )
    return "\n".join(lines)


def _unreached(app: App) -> str | None:
    """Why the champion or the release on trial does not answer; None if nothing is known against them."""
    releases = Releases(app.settings.home)
    try:
        numbers = (releases.champion(), releases.candidate())
    except BadInput:  # the lines above say so
        return None
    reasons = (app.chat.engine.cannot_serve(number) for number in numbers if number is not None)
    return next(filter(None, reasons), None)


def _listed(release: Release, served: set[int], texts: Texts) -> str:
    found = gate_verdict(release)
    verdict = {True: texts.gate_yes, False: texts.gate_no, None: texts.gate_silent}[found.promote]
    made = release.manifest.created_at[:10]
    return f"{release.number:>4} {'●' if release.number in served else '○'} {made} {figures(found.win)} {verdict}"


def duration(seconds: float, texts: Texts) -> str:
    """A time in days, hours and minutes, rounded down."""
    minutes = int(seconds // 60)
    return texts.duration.format(days=minutes // 1440, hours=minutes // 60 % 24, minutes=minutes % 60)


async def engine_answers(chat: Chat) -> bool:
    """Whether the engine answers one word when it is asked for one."""
    try:
        async with (
            asyncio.timeout(PATIENCE),
            chat.engine.session() as session,
            aclosing(session.stream([Message(role="user", content="?")], Sampling(max_tokens=1))) as deltas,
        ):
            async for _ in deltas:
                pass
    except (EngineError, TimeoutError) as error:
        log.warning("the engine does not answer (%s)", type(error).__name__)
        return False
    return True


async def ask_to_promote(
    app: App, interaction: discord.Interaction, number: int, texts: Texts, *, anyway: bool
) -> None:
    """Show what the gate said about a release, with a button that makes it the champion.

    A release that the gate refused needs `anyway`: the operator overrules the gate, and says so.
    """
    try:
        now = await asyncio.to_thread(overview, app.settings.home)
    except BadInput as error:
        await tell(interaction, str(error))
        return
    verdicts = {release.number: gate_verdict(release) for release in now.releases}
    if number == now.champion:
        await tell(interaction, texts.serves_already.format(release=release_name(number, texts)))
    elif number in now.others:
        await tell(interaction, await asyncio.to_thread(_other_base, app.settings.home, number, texts))
    elif number != BASE_RELEASE and number not in verdicts:
        numbers = ", ".join(map(str, [BASE_RELEASE, *verdicts][-SHOWN:]))
        await tell(interaction, texts.no_such_release.format(number=number, numbers=numbers))
    elif number in verdicts and verdicts[number].promote is False and not anyway:
        refused = verdict_text(verdicts[number], now.champion, texts)
        await tell(interaction, f"{refused}\n{texts.promote_anyway}")
    else:
        asked = texts.promote_question.format(
            release=release_name(number, texts), champion=release_name(now.champion, texts)
        )
        gate = [verdict_text(verdicts[number], now.champion, texts)] if number in verdicts else []
        if (reason := await asyncio.to_thread(app.chat.engine.cannot_serve, number)) is not None:
            gate.append(reason)
        buttons = view(Press("promote", f"{number}:{now.champion}", texts.promote_yes))
        await tell(interaction, "\n".join([*gate, asked]), buttons)


def _other_base(home: Path, number: int, texts: Texts) -> str:
    """Why a release of another base cannot serve in this home, and what would let it."""
    try:
        Releases(home).refuse_other_base(number)
    except BadInput as error:
        return str(error)
    return texts.superseded  # the home was switched to its base meanwhile


async def make_champion(app: App, interaction: discord.Interaction, number: int, champion: int, texts: Texts) -> None:
    """Make a release the champion after an operator confirmed it, if the champion that they saw still serves."""
    if await _refused_unless_operator(app, interaction):
        return
    try:
        await promote(app.store, Releases(app.settings.home), number, instead_of=champion)
    except Superseded:
        text = texts.superseded
    except BadInput as error:  # the release was removed meanwhile, or a file is damaged
        text = str(error)
    else:
        log.info("release %d was promoted by an operator", number)
        await record_for_all(app.store, interaction, "promote", release=number, before=champion)
        text = texts.promoted.format(release=release_name(number, texts), before=release_name(champion, texts))
    await replace_question(interaction, text)


async def rolled_back(app: App, interaction: discord.Interaction, texts: Texts) -> str:
    """Go back to the previous champion; returns how that ended."""
    releases = Releases(app.settings.home)
    try:
        before = await asyncio.to_thread(releases.champion)
        number = await asyncio.to_thread(releases.rollback)
    except NoEarlier:
        return texts.no_earlier_champion
    except BadInput as error:
        return str(error)
    log.info("release %d was rolled back by an operator", before)
    await record_for_all(app.store, interaction, "rollback", release=number, before=before)
    return texts.rolled_back.format(release=release_name(number, texts), before=release_name(before, texts))
