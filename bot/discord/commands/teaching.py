"""`/teach`: what becomes of ratings here; `/teaching`, `/reactions`: whether people may rate on a server, and how."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.commands.choices import ON_OFF
from bot.discord.ids import PLATFORM
from bot.discord.managers import for_managers
from bot.discord.reactions import SETTING as REACTIONS
from bot.discord.telling import acknowledge, tell, texts_for

if TYPE_CHECKING:
    from bot.discord.app import App

log = logging.getLogger(__name__)


def add_teaching(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""

    @tree.command(name="teaching")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.choices(allowed=ON_OFF)
    async def teaching(interaction: discord.Interaction, allowed: app_commands.Choice[str]) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        on = allowed.value == "on"
        await app.store.set_may_teach(PLATFORM, str(interaction.guild_id), on)
        await record(app.store, interaction, "teaching", allowed=allowed.value)
        log.info("teaching was turned %s on a server", allowed.value)
        await tell(interaction, texts.teaching_now_on if on else texts.teaching_now_off)

    @tree.command(name="reactions")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.choices(count=ON_OFF)
    async def reactions(interaction: discord.Interaction, count: app_commands.Choice[str]) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        on = count.value == "on"
        await app.store.set_setting(REACTIONS, ("server", str(interaction.guild_id)), None if on else False)
        await record(app.store, interaction, "reactions", count=count.value)
        await tell(interaction, texts.reactions_on if on else texts.reactions_off)

    @tree.command(name="teach")
    async def teach(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        texts = texts_for(interaction)
        becomes = texts.teach_trains if app.may_train else texts.teach_held
        if not await app.rules.teaching(interaction.guild_id):
            becomes = texts.teach_off
        elif app.may_train and app.settings.followups:
            becomes = f"{becomes} {texts.teach_followups}"
        if app.links is not None and app.links.address is not None and app.links.public:
            becomes = f"{becomes}\n{texts.web_teach_there.format(address=app.links.address)}"
        await tell(interaction, texts.teach.format(becomes=becomes))
