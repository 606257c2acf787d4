"""What a press of a button does, and what a window that was sent does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import discord

from bot.answers import Unanswerable
from bot.discord.answering import ask_of, show
from bot.discord.buttons import anew_button
from bot.discord.commands.new import tell_anew
from bot.discord.commands.personas import write_persona
from bot.discord.commands.release import make_champion
from bot.discord.compare import show_two
from bot.discord.consent import ask_consent, record_consent
from bot.discord.interrupted import retry
from bot.discord.place import below
from bot.discord.rating import VERDICTS, agree, compare, correct, explain, open_correction, retract, vote
from bot.discord.telling import replace_question, report, tell, texts_for
from bot.discord.windows import sent_window
from data.consent import CONSENT_VERSION
from data.rounds import remove_leftovers

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.discord.windows import SentWindow
    from bot.texts import Texts
    from data.store import StoredMessage

_TEACHING = ("up", "down", "fix", "two", *VERDICTS)
# Only for people who may use the bot here. Taking something back, and a person's rights, are for everybody.
_RESTRICTED = (*_TEACHING, "again", "more", "retry", "agree", "anew")
_WINDOWS = ("fix", "down")  # these may open a window, which must be the first reply that Discord gets


async def pressed(app: App, interaction: discord.Interaction, action: str, rest: list[str]) -> None:
    """Do what a button says."""
    texts = texts_for(interaction)
    if action not in _WINDOWS:
        # Acknowledged first: Discord waits for three seconds, and a busy disk may take longer.
        await interaction.response.defer()
    if action in _RESTRICTED and await app.refusals.refused(interaction):
        return
    if action in _TEACHING and not await app.rules.teaching(interaction.guild_id):
        await tell(interaction, texts.teaching_off)
        return
    match action, rest:
        case ("fix", [generation]):
            await open_correction(app, interaction, int(generation), texts)
        case ("up" | "down", [generation]):
            await vote(app, interaction, int(generation), action, str(interaction.id), texts)
        case ("back", [generation]):
            await retract(app, interaction, int(generation), texts)
        case ("a" | "b" | "tie" | "bad", [first, second]):
            await compare(app, interaction, (int(first), int(second)), action, str(interaction.id), texts)
        case ("agree", [version, *rating]):
            await agree(app, interaction, version, rating, texts)
        case ("yes", _):  # an older version's question: its buttons do not name the text
            await ask_consent(app, interaction, "", texts)
        case ("no", _):
            await record_consent(app, interaction, False, CONSENT_VERSION, texts)
        case ("again" | "two" | "more", [generation]):
            await _another_answer(app, interaction, int(generation), action, texts)
        case ("anew", _):
            await tell_anew(app, interaction, texts)
        case ("retry", [question]):
            await retry(app, interaction, question, texts)
        case ("stop", [key, asker, *_]):  # the rest says which process sent it
            if str(interaction.user.id) != asker:
                await tell(interaction, texts.not_yours)
            elif not app.running.stop(key):
                await tell(interaction, texts.nothing_runs)
        case ("forget", _):
            erased = await app.changes.forget(interaction.user.id, interaction.id)
            await asyncio.to_thread(remove_leftovers, app.settings.home)
            await replace_question(interaction, texts.forgotten.format(texts=erased))
        case ("promote", [number, champion]):
            await make_champion(app, interaction, int(number), int(champion), texts)


async def _another_answer(app: App, interaction: discord.Interaction, number: int, action: str, texts: Texts) -> None:
    """Another answer to the same question ("again"), one beside the first ("two"), or its continuation ("more")."""
    generation = await app.store.generation(number)
    channel, message = interaction.channel, interaction.message
    if generation is None or channel is None or message is None:
        await tell(interaction, texts.question_gone, anew_button(texts))
        return

    async def go_on() -> StoredMessage:
        """The question for "more": a message of the person who pressed. The other two ask the same question again."""
        now = await app.store.generation(number)
        if now is None or not now.text:  # erased, perhaps while this waited for its turn
            raise Unanswerable(texts.question_gone)
        return await app.store.add_message(
            now.conversation, "user", texts.go_on_please, author=ask.person, parent=now.message
        )

    persona = await app.rules.persona(channel, interaction.guild_id, generation.conversation)
    ask = await ask_of(app, interaction, persona, go_on, texts)
    asked = await app.store.places(generation.parent) if generation.parent is not None else []
    show_answer = {
        "two": partial(show_two, app, ask, first=generation),
        "again": partial(show, app, ask, again=generation),
        "more": partial(show, app, ask),
    }[action]
    failed = await show_answer(
        key=str(interaction.id),
        question=asked[0] if asked else "",
        asker=interaction.user.id,
        place=below(interaction, channel, message),
    )
    if failed:
        await tell(interaction, failed, anew_button(texts) if failed == texts.question_gone else None)


async def submitted(app: App, interaction: discord.Interaction) -> None:
    """A window was sent; whatever goes wrong, the person is told. The host's own windows are left alone."""
    window = sent_window(interaction)
    if window is None:
        return
    with suppress(discord.HTTPException):  # the text is kept, whether or not Discord gets this
        await interaction.response.defer(ephemeral=True)
    try:
        await _take_window(app, interaction, window, texts_for(interaction))
    except Exception as error:
        await report(interaction, error, f"the window {window.kind}")


async def _take_window(app: App, interaction: discord.Interaction, window: SentWindow, texts: Texts) -> None:
    if window.kind == "persona":
        await write_persona(app, interaction, window.about, *window.persona, texts)
        return
    if await app.refusals.refused(interaction):
        return
    if not await app.rules.teaching(interaction.guild_id):
        await tell(interaction, texts.teaching_off)
    elif window.kind == "why":
        await explain(app, interaction, window, texts)
    else:
        await correct(app, interaction, window, texts)
