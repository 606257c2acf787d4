"""`/web`: a person's own way to the web page, where what they say does not come through Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.discord.ids import person_of
from bot.discord.telling import acknowledge, tell, texts_for
from bot.sign_in_links import LIFETIME, Invited

if TYPE_CHECKING:
    import discord
    from discord import app_commands

    from bot.discord.app import App
    from bot.sign_in_links import SignInLinks


def add_page(app: App, links: SignInLinks, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="web")
    async def web(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        texts = texts_for(interaction)
        person = await person_of(app.store, interaction.user.id)
        operator = await app.operators.include(interaction.user.id)
        link = links.make(Invited(person, operator=operator)) if links.public or operator else None
        told = texts.web_off if link is None else texts.web_link.format(link=link, minutes=int(LIFETIME // 60))
        await tell(interaction, told)
