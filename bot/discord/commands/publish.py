"""The commands: what they are called in each language, and where they are put, our own tree or a host's.

What adds commands gets a tree that belongs to nobody: a host may have commands of the same names.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.commands.access import add_access
from bot.discord.commands.ask import add_asking
from bot.discord.commands.audit import add_audit
from bot.discord.commands.limits import add_limits
from bot.discord.commands.members import add_commands
from bot.discord.commands.personas import add_personas
from bot.discord.commands.release import add_operating
from bot.discord.commands.reports import add_reports
from bot.discord.commands.threads import add_threads
from bot.discord.presses import tell
from bot.texts import texts
from bot.texts.commands import CALLED
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.discord.client import Parley

    Made = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu

log = logging.getLogger(__name__)

GROUP = "parley"
# Discord allows five menus of messages: where a host has some, the first of these find room.
_ADDERS: tuple[Callable[[Any, Any], None], ...] = (
    add_reports,
    add_commands,
    add_asking,
    add_personas,
    add_threads,
    add_access,
    add_limits,
    add_audit,
    add_operating,
)


class Chinese(app_commands.Translator):
    """Gives Discord the Chinese that a command carries with its English."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - the protocol's
    ) -> str | None:
        """The Chinese for a Chinese locale, where there is any; None leaves it in English."""
        found: str | None = string.extras.get("zh")
        return found if locale.value.startswith("zh") else None


def commands(parley: Parley) -> Sequence[Made]:
    """All commands and menus, with their descriptions and what they are called in Chinese."""
    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(
        discord.Client(intents=discord.Intents(guilds=True))  # without them discord.py warns of what is not so
    )
    for add in _ADDERS:
        add(parley, tree)
    made = tree.get_commands(type=None)
    for command in made:
        dress(command)
    return made


def dress(command: Made, above: str = "") -> None:
    """Give a command, what belongs to it, and all their names what `bot.texts.commands` says about them."""
    path = f"{above} {command.name}".strip()
    command._locale_name = _name(command.name, path)
    if isinstance(command, app_commands.ContextMenu):
        return
    if path in CALLED:
        command.description = CALLED[path].for_en
        command._locale_description = _description(path)
    if isinstance(command, app_commands.Group):
        for below in command.commands:
            dress(below, path)
        return
    options = [(option, f"{path} {option.display_name}") for option in command.parameters]
    told = {option.name: _description(at) if at in CALLED else option.description for option, at in options}
    app_commands.describe(**told)(command)
    app_commands.rename(**{option.name: _name(option.display_name, at) for option, at in options})(command)
    for option, at in options:
        choices = [
            app_commands.Choice(name=_name(choice.name, f"{at} {choice.name}"), value=choice.value)
            for choice in option.choices
        ]
        if choices:
            app_commands.choices(**{option.name: choices})(command)


def _name(english: str, path: str) -> app_commands.locale_str:
    return app_commands.locale_str(english, **({"zh": CALLED[path].zh} if path in CALLED else {}))


def _description(path: str) -> app_commands.locale_str:
    return app_commands.locale_str(CALLED[path].for_en, zh=CALLED[path].for_zh)


def put_in_group(made: Sequence[Made], tree: app_commands.CommandTree[Any]) -> list[Made]:
    """Put commands into a host's tree, all slash commands below `/parley`; returns what now stands in the tree.

    Menus that find no room, or whose name the host has given away, are left out, and the log says which.
    Raises BadInput when the group itself finds no room.
    """
    group = app_commands.Group(name=_name(GROUP, GROUP), description=_description(GROUP))
    menus = [command for command in made if isinstance(command, app_commands.ContextMenu)]
    for command in made:
        if not isinstance(command, app_commands.ContextMenu):
            group.add_command(command)
    group.error(say_that_it_failed)
    try:
        tree.add_command(group)
    except app_commands.CommandAlreadyRegistered:
        raise BadInput(
            f"This bot has a command /{GROUP} of its own. Rename it, for Parley's are grouped there."
        ) from None
    except app_commands.CommandLimitReached:
        raise BadInput("This bot has 100 slash commands, Discord's limit, and Parley needs one more.") from None
    put: list[Made] = [group]
    left = []
    for menu in menus:
        menu.error(say_that_it_failed)
        try:
            tree.add_command(menu)
        except (app_commands.CommandAlreadyRegistered, app_commands.CommandLimitReached):
            left.append(menu.name)
        else:
            put.append(menu)
    if left:
        log.warning(
            "Discord allows an application five menus of messages, each name once. There was no room for %s. "
            "Take menus of your own away to have them; everything else works.",
            ", ".join(left),
        )
    return put


async def say_that_it_failed(interaction: discord.Interaction[Any], error: app_commands.AppCommandError) -> None:
    """Tell who used a command that it failed, and the log why."""
    log.error("a command failed", exc_info=error)
    with suppress(discord.HTTPException):
        await tell(interaction, texts(str(interaction.locale)).internal_error)
