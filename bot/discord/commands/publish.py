"""All commands together: their names and descriptions in each language, put into our own tree or a host's.

They are added to a tree of their own first, because a host may have commands with the same names.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.commands.access import add_access
from bot.discord.commands.answers import add_answers
from bot.discord.commands.ask import add_ask
from bot.discord.commands.audit import add_audit
from bot.discord.commands.channels import add_channels
from bot.discord.commands.faq import add_faq
from bot.discord.commands.language import add_language
from bot.discord.commands.lessons import add_lessons
from bot.discord.commands.limits import add_limits
from bot.discord.commands.new import add_new
from bot.discord.commands.page import add_page
from bot.discord.commands.personas import add_personas
from bot.discord.commands.privacy import add_privacy
from bot.discord.commands.release import add_release
from bot.discord.commands.reports import add_reports
from bot.discord.commands.stats import Stats, add_stats
from bot.discord.commands.teaching import add_teaching
from bot.discord.commands.threads import add_threads
from bot.discord.telling import report
from bot.texts.commands import CALLED
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.discord.app import App

    AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu

log = logging.getLogger(__name__)

GROUP = "parley"


class Chinese(app_commands.Translator):
    """Gives Discord the Chinese texts that a command carries beside its English ones."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - the protocol's
    ) -> str | None:
        """The Chinese text for a Chinese locale, if there is one; None leaves it in English."""
        found: str | None = string.extras.get("zh")
        return found if locale.value.startswith("zh") else None


def commands(app: App) -> Sequence[AnyCommand]:
    """All commands and menus, with their descriptions and their Chinese names."""
    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(
        discord.Client(intents=discord.Intents(guilds=True))  # without this intent discord.py warns, needlessly
    )
    stats = Stats(app.store, app.settings.home, app.settings.discord_training_permission)
    # Discord allows five menus of messages: where a host has some, the first of these find room.
    add_reports(app, tree)
    add_answers(app, tree)
    add_privacy(app, tree)
    add_teaching(app, tree)
    if app.links is not None:  # no page is served beside somebody else's bot, whose group of commands is full
        add_page(app, app.links, tree)
    add_lessons(app, tree)
    add_faq(app, tree)
    add_stats(stats, tree)
    add_ask(app, tree)
    add_new(app, tree)
    add_personas(app, tree)
    add_threads(app, tree)
    add_access(app, tree)
    add_limits(app, tree)
    add_language(app, tree)
    add_channels(app, tree)
    add_audit(app, tree)
    add_release(app, stats, tree)
    made = tree.get_commands(type=None)
    for command in made:
        dress(command)
    return made


def dress(command: AnyCommand, above: str = "") -> None:
    """Give a command, its subcommands and its options the names and descriptions in `bot.texts.commands`."""
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
    described = {option.name: _description(at) if at in CALLED else option.description for option, at in options}
    app_commands.describe(**described)(command)
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


def put_in_group(made: Sequence[AnyCommand], tree: app_commands.CommandTree[Any]) -> list[AnyCommand]:
    """Put commands into a host's tree, all slash commands below `/parley`; returns what was put there.

    Menus that find no room, or whose name the host uses itself, are left out, and the log says which.
    Raises BadInput when there is no room for the group itself.
    """
    group = app_commands.Group(name=_name(GROUP, GROUP), description=_description(GROUP))
    menus = [command for command in made if isinstance(command, app_commands.ContextMenu)]
    for command in made:
        if not isinstance(command, app_commands.ContextMenu):
            group.add_command(command)
    group.error(tell_failure)
    try:
        tree.add_command(group)
    except app_commands.CommandAlreadyRegistered:
        raise BadInput(
            f"This bot has a command /{GROUP} of its own. Rename it: Parley's commands are grouped there."
        ) from None
    except app_commands.CommandLimitReached:
        raise BadInput("This bot has 100 slash commands, Discord's limit, and Parley needs one more.") from None
    put: list[AnyCommand] = [group]
    left = []
    for menu in menus:
        menu.error(tell_failure)
        try:
            tree.add_command(menu)
        except (app_commands.CommandAlreadyRegistered, app_commands.CommandLimitReached):
            left.append(menu.name)
        else:
            put.append(menu)
    if left:
        log.warning(
            "Discord allows an application five menus of messages, each name once. There was no room for %s. "
            "Remove menus of your own to have them; everything else works.",
            ", ".join(left),
        )
    return put


async def tell_failure(interaction: discord.Interaction[Any], error: app_commands.AppCommandError) -> None:
    """Tell the person that their command failed, and log why."""
    await report(interaction, error, "a command")
