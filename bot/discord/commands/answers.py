"""The menus on an answer: "Rate this answer", "Correct this answer", "Delete this answer"."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import discord

from bot.discord.audit_log import record
from bot.discord.buttons import vote_buttons
from bot.discord.ids import PLATFORM, person_of
from bot.discord.managers import manages
from bot.discord.rating import open_correction
from bot.discord.telling import acknowledge, tell, texts_for
from bot.ratings import vote_is

if TYPE_CHECKING:
    from discord import app_commands

    from bot.discord.app import App
    from bot.texts import Texts
    from data.store import StoredGeneration

log = logging.getLogger(__name__)


def add_answers(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the menus to a tree."""

    @tree.context_menu(name="Correct this answer")
    async def correct(interaction: discord.Interaction, message: discord.Message) -> None:
        # Not acknowledged: the window must be the first reply that Discord gets.
        if (answer := await _to_rate(app, interaction, message)) is not None:
            await open_correction(app, interaction, answer.generation, texts_for(interaction))

    @tree.context_menu(name="Delete this answer")
    async def delete(interaction: discord.Interaction, message: discord.Message) -> None:
        await acknowledge(interaction)
        await tell(interaction, await deleted(app, interaction, message, texts_for(interaction)))

    @tree.context_menu(name="Rate this answer")
    async def rate(interaction: discord.Interaction, message: discord.Message) -> None:
        await acknowledge(interaction)
        if (answer := await _to_rate(app, interaction, message)) is not None:
            texts = texts_for(interaction)
            vote = await app.store.vote(answer.generation, await person_of(app.store, interaction.user.id))
            text = f"{texts.rate_this} {vote_is(texts, vote)}"
            await tell(interaction, text, vote_buttons(answer.generation, vote, texts))


async def _to_rate(app: App, interaction: discord.Interaction, message: discord.Message) -> StoredGeneration | None:
    """The answer that a message shows; None where there is none, or the person may not rate: they are told."""
    if await app.refusals.refused(interaction):
        return None
    answer = await app.store.shown(PLATFORM, str(message.id))
    if answer is None:
        await tell(interaction, texts_for(interaction).no_answer_here)
    return answer


async def deleted(app: App, interaction: discord.Interaction, message: discord.Message, texts: Texts) -> str:
    """Delete an answer with all its messages, for the person who asked and for moderators; returns how that ended.

    Two people asked for an answer to somebody else's message: its author, and the one who wanted it answered.
    """
    answer = await app.store.shown(PLATFORM, str(message.id))
    if answer is None:
        return texts.no_answer_here
    path = await app.store.path(answer.message)
    author = next((earlier.sender for earlier in reversed(path) if earlier.role == "user"), None)
    person = await person_of(app.store, interaction.user.id)
    # Discord itself says whose command or menu a message answers: nothing about it needs to be stored.
    by = message.interaction_metadata
    theirs = person == author or (by is not None and by.user.id == interaction.user.id)
    if not theirs and not manages(interaction, "manage_messages"):
        return texts.not_yours_to_delete
    if not theirs:
        await record(app.store, interaction, "delete_answer", channel=interaction.channel_id)
    places = await app.store.places(answer.message)
    for place in places:
        await app.store.eraser.erase_message(PLATFORM, place)
    try:
        for place in places:
            await discord.PartialMessage(channel=cast(Any, message.channel), id=int(place)).delete()
    except discord.HTTPException as error:
        log.info("an answer's message could not be deleted: %s (code %s)", error.status, error.code)
        return texts.not_deleted
    return texts.deleted
