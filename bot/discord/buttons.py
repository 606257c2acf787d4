"""The buttons below an answer. A button's id holds everything that it needs, so it outlives the process that sent it.

What a press does is in `bot.discord.presses`; a button reaches it through the client's `parley`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import discord

from bot.discord.others import PROCESS
from bot.discord.telling import report

if TYPE_CHECKING:
    import re

    from bot.texts import Texts

# Plain characters as labels, not Discord's emoji: they need nothing else.
_LABELS = {"up": "👍", "down": "👎", "again": "↻", "two": "⚖️", "fix": "✏️", "stop": "⏹", "retry": "↻"}


class Press(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    # One class and one template for all buttons: discord.py calls every template that matches.
    template=r"parley:(?P<action>[a-z]+):(?P<rest>[\w:.-]*)",
):
    """A button whose id says what a press does: an action, and in `rest` what the action is about."""

    def __init__(self, action: str, rest: str, label: str | None = None) -> None:
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(
            label=label or _LABELS.get(action, action),
            style=discord.ButtonStyle.success if action == "agree" else discord.ButtonStyle.secondary,
            custom_id=f"parley:{action}:{rest}",
        )
        super().__init__(button)
        self.action = action
        self.rest = rest

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction,
        item: discord.ui.Item[discord.ui.View],
        match: re.Match[str],
        /,
    ) -> Press:
        """The button that was pressed, from its id alone."""
        del interaction, item
        return cls(match["action"], match["rest"])

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do what the button says. discord.py only logs an error that is raised here, so the person is told."""
        try:
            parley = cast(Any, interaction.client).parley  # the client may be somebody else's bot
            await parley.pressed(interaction, self.action, self.rest.split(":"))
        except Exception as error:
            await report(interaction, error, f"the button {self.action}")


def view(*items: Press) -> discord.ui.View:
    """The buttons as discord.py sends them; they never time out."""
    made = discord.ui.View(timeout=None)
    for item in items:
        made.add_item(item)
    return made


def rate_buttons(generation: int, *, teach: bool, more: Texts | None = None) -> discord.ui.View:
    """The buttons below a finished answer; where people may not teach, only the one for another answer.

    `more` is given for an answer that was cut off: the texts for a button that continues it.
    """
    actions = ("up", "down", "fix", "two", "again") if teach else ("again",)
    buttons = [Press(action, str(generation)) for action in actions]
    return view(*buttons, *([_more(generation, more)] if more else []))


def more_button(generation: int, texts: Texts) -> discord.ui.View:
    """The button below the first of two answers when that one was cut off."""
    return view(_more(generation, texts))


def _more(generation: int, texts: Texts) -> Press:
    return Press("more", str(generation), texts.go_on)


def vote_buttons(generation: int, vote: str | None, texts: Texts) -> discord.ui.View:
    """The buttons for a person who rates an older answer; they can take their vote back."""
    back = [] if vote is None else [back_button(generation, texts)]
    return view(*(Press(action, str(generation)) for action in ("up", "down", "fix")), *back)


def back_button(generation: int, texts: Texts) -> Press:
    """The button that takes a vote back."""
    return Press("back", str(generation), texts.take_back)


def verdict_buttons(first: int, second: int, texts: Texts, more: bool) -> discord.ui.View:
    """The buttons below two answers that are to be compared, in the order in which they are shown.

    `more`: the second was cut off and can be continued.
    """
    names = {"a": "A", "b": "B", "tie": texts.tie, "bad": texts.both_bad}
    verdicts = [Press(action, f"{first}:{second}", name) for action, name in names.items()]
    return view(*verdicts, *([_more(second, texts)] if more else []))


def anew_button(texts: Texts) -> discord.ui.View:
    """The button that begins a new conversation, for a person whose conversation cannot go on."""
    return view(Press("anew", "", texts.anew))


def stop_button(key: str, asker: int) -> discord.ui.View:
    """The button below an answer while it streams."""
    return view(Press("stop", f"{key}:{asker}:{PROCESS}"))
