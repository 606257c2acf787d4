"""How a person is told something: alone, in reply to a press or a command, or in the channel, below their message."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from zlib import crc32

import discord

from bot.discord.late import too_late
from bot.discord.place import NOBODY, send_below
from bot.discord.render import LIMIT
from bot.texts import Texts, texts
from bot.unexpected import unexpected

if TYPE_CHECKING:
    from bot.discord.draft import Pace

log = logging.getLogger(__name__)


def texts_for(interaction: discord.Interaction) -> Texts:
    """The texts in the language that a person's Discord is set to."""
    return texts(str(interaction.locale))


async def acknowledge(interaction: discord.Interaction) -> None:
    """Tell Discord that a reply for this person alone is on its way, unless Discord knows already."""
    if not interaction.response.is_done():
        await interaction.response.defer(ephemeral=True)


async def tell(interaction: discord.Interaction, text: str, buttons: discord.ui.View | None = None) -> None:
    """Say something that only this person can see."""
    await acknowledge(interaction)
    more: dict[str, Any] = {} if buttons is None else {"view": buttons}
    await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY, **more)


async def tell_file(interaction: discord.Interaction, text: str, file: discord.File) -> bool:
    """Send a file that only this person can see; False where the bot may not attach files."""
    try:
        await interaction.followup.send(text, file=file, ephemeral=True, allowed_mentions=NOBODY)
    except discord.Forbidden as error:
        log.info("a file could not be attached: %s (code %s)", error.status, error.code)
        return False
    return True


async def tell_alone(interaction: discord.Interaction, text: str) -> None:
    """Say something to one person alone after everybody was shown that an answer is on its way."""
    with suppress(discord.HTTPException):
        # The first follow-up takes the place of a deferred response, and is as public as that, unless something else
        # has taken its place before.
        await interaction.edit_original_response(content="…", allowed_mentions=NOBODY)
    await tell(interaction, text)
    with suppress(discord.HTTPException):
        await interaction.delete_original_response()


async def replace_question(interaction: discord.Interaction, text: str) -> None:
    """Put a text in the place of the message whose button was pressed, without its buttons."""
    await interaction.edit_original_response(content=text[:LIMIT], view=None, allowed_mentions=NOBODY)


async def report(interaction: discord.Interaction[Any], error: Exception, what: str) -> None:
    """Log what went wrong with an interaction, and tell the person if Discord still lets the bot."""
    if (late := too_late(error)) is not None:
        log.warning("%s failed: %s", what, late)
        return
    sentence = unexpected(log, texts_for(interaction), error, f"{what} failed")
    with suppress(discord.HTTPException):
        await tell(interaction, sentence)


async def say(pace: Pace, message: discord.Message, text: str) -> None:
    """Say something below a message, for everybody to read."""
    await pace.turn(message.channel.id)
    try:
        once = f"{message.id}s{crc32(text.encode()) % 1000}"  # Discord says it once, if two processes do
        reference = message.to_reference(fail_if_not_exists=False)
        await send_below(message.channel, text[:LIMIT], reference, nonce=once)
    except discord.HTTPException as error:
        log.warning("a sentence did not reach Discord: %s (code %s)", error.status, error.code)
