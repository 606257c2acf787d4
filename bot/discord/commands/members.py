"""The commands: what is kept and the right to it, consent, what was taught; and the menus of old answers."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands

from bot.discord.managers import for_managers, manages
from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM, Press, ask_consent, consent_words, tell, view, vote_buttons
from bot.ratings import consent_in_words, vote_is
from bot.texts import Texts, texts
from data.consent import CONSENT_VERSION

if TYPE_CHECKING:
    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley

log = logging.getLogger(__name__)


def add_commands(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the bot's commands to its tree."""

    @tree.command(name="privacy")
    async def privacy(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        person = await bot.talk.store.person(PLATFORM, str(interaction.user.id))
        said = await consent_in_words(bot.talk.store, person, words)
        training = words.training if bot.talk.may_train else words.training_held
        text = words.privacy.format(training=training, days=bot.talk.settings.retention_days, consent=said)
        if bot.talk.settings.checked_outside:
            text += f" {words.privacy_checked_outside}"
        await tell(interaction, text)

    @tree.context_menu(name="Correct this answer")
    async def correct(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        words = texts(str(interaction.locale))
        if await bot.talk.refused(interaction, words):
            return
        answer = await bot.talk.store.shown(PLATFORM, str(message.id))
        if answer is None:
            await tell(interaction, words.no_answer_here)
        else:
            await bot.talk.open_fix(interaction, answer.generation, words)

    @tree.context_menu(name="Delete this answer")
    async def delete(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        await tell(interaction, await deleted(bot.talk, interaction, message, words))

    @tree.context_menu(name="Rate this answer")
    async def rate(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if await bot.talk.refused(interaction, words):
            return
        answer = await bot.talk.store.shown(PLATFORM, str(message.id))
        if answer is None:
            await tell(interaction, words.no_answer_here)
        else:
            rater = await bot.talk.store.person(PLATFORM, str(interaction.user.id))
            vote = await bot.talk.store.vote(answer.generation, rater)
            told = f"{words.rate_this} {vote_is(words, vote)}"
            await tell(interaction, told, vote_buttons(answer.generation, vote, words))

    @tree.command(name="teaching")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.choices(
        allowed=[app_commands.Choice(name="on", value="on"), app_commands.Choice(name="off", value="off")]
    )
    async def teaching(interaction: discord.Interaction[Bot], allowed: app_commands.Choice[str]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await for_managers(interaction, words):
            return
        on = allowed.value == "on"
        await bot.talk.store.set_may_teach(PLATFORM, str(interaction.guild_id), on)
        await bot.talk.audit(interaction, "teaching", allowed=allowed.value)
        log.info("teaching was turned %s on a server", allowed.value)
        await tell(interaction, words.teaching_now_on if on else words.teaching_now_off)

    @tree.command(name="teach")
    async def teach(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        becomes = words.teach_trains if bot.talk.may_train else words.teach_held
        if not await bot.talk.teaching(interaction.guild_id):
            becomes = words.teach_off
        await tell(interaction, words.teach.format(becomes=becomes))

    @tree.command(name="stats")
    async def stats(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        await bot.talk.taught.tell(interaction, texts(str(interaction.locale)))

    @tree.command(name="export")
    async def export(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        kept = await bot.talk.store.kept_of(await bot.talk.store.person(PLATFORM, str(interaction.user.id)))
        kept["server_lists"] = await bot.talk.rules.lists(interaction.user.id)
        file = io.BytesIO(json.dumps(kept, ensure_ascii=False, indent=2).encode())
        await interaction.followup.send(
            words.kept, file=discord.File(file, "parley.json"), ephemeral=True, allowed_mentions=NOBODY
        )

    @tree.command(name="forget")
    async def forget(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        await tell(interaction, words.forget_question, view(Press("forget", "", words.forget_yes)))

    @tree.command(name="consent")
    @app_commands.choices(
        answer=[app_commands.Choice(name="yes", value="yes"), app_commands.Choice(name="no", value="no")]
    )
    async def consent(interaction: discord.Interaction[Bot], answer: app_commands.Choice[str]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if answer.value == "yes":  # to what, they are to read first
            await ask_consent(bot.talk, interaction, "", words)
            return
        person = await bot.talk.store.person(PLATFORM, str(interaction.user.id))
        await bot.talk.store.set_consent(person, False, CONSENT_VERSION)
        await tell(interaction, consent_words(bot.talk, False, words))


async def deleted(talk: Talk, interaction: discord.Interaction[Bot], message: discord.Message, words: Texts) -> str:
    """Delete an answer with all its messages, for who asked and for moderators; returns what became of it.

    Of an answer to somebody else's words both asked: whose words they are, and who wanted them answered.
    """
    answer = await talk.store.shown(PLATFORM, str(message.id))
    if answer is None:
        return words.no_answer_here
    path = await talk.store.path(answer.message)
    asked = next((said.author for said in reversed(path) if said.role == "user"), None)
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    # Discord itself says whose command or menu a message answers: nothing about it needs to be kept.
    by = message.interaction_metadata
    theirs = person == asked or (by is not None and by.user.id == interaction.user.id)
    if not theirs and not manages(interaction, "manage_messages"):
        return words.not_yours_to_delete
    if not theirs:
        await talk.audit(interaction, "delete_answer", channel=interaction.channel_id)
    places = await talk.store.places(answer.message)
    for place in places:
        await talk.store.erase_message(PLATFORM, place)
    try:
        for place in places:
            await discord.PartialMessage(channel=cast(Any, message.channel), id=int(place)).delete()
    except discord.HTTPException as error:
        log.info("an answer's message could not be deleted: %s (code %s)", error.status, error.code)
        return words.not_deleted
    return words.deleted
