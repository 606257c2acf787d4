"""The windows: for a correction, for what was wrong with an answer, for a persona; and how one that was sent is read.

A window's id holds everything that it needs, so a window that was opened before a restart counts too. discord.py
would drop it, so what was sent is read here, from the interaction itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord

from data.personas import LONGEST as LONGEST_PROMPT
from data.personas import LONGEST_GREETING

if TYPE_CHECKING:
    from bot.texts import Texts
    from data.personas import Persona

LONGEST = 4000  # characters that one of Discord's fields takes
LARGEST = 256 * 1024  # bytes of a file with a correction
REASONS = ("false", "unhelpful", "manner", "harmful", "language")
_TEXT, _FILE, _REASONS, _PROMPT, _GREETING = "text", "file", "reasons", "prompt", "greeting"


def fix_window(generation: int, answer: str, texts: Texts) -> discord.ui.Modal:
    """A window with the answer to correct. An answer that is too long for a field is corrected in a file."""
    window = discord.ui.Modal(title=texts.fix_title, custom_id=f"parley:fix:{generation}")
    if len(answer) <= LONGEST:
        field: Any = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, default=answer, max_length=LONGEST, custom_id=_TEXT
        )
        return window.add_item(discord.ui.Label(text=texts.fix_label, component=field))
    upload: Any = discord.ui.FileUpload(custom_id=_FILE)
    return window.add_item(discord.ui.Label(text=texts.fix_label, description=texts.fix_file, component=upload))


def why_window(generation: int, texts: Texts) -> discord.ui.Modal:
    """A window that asks what was wrong; all of it may be left empty."""
    window = discord.ui.Modal(title=texts.why_title, custom_id=f"parley:why:{generation}")
    options = [discord.SelectOption(label=texts.reasons[at], value=name) for at, name in enumerate(REASONS)]
    choice: Any = discord.ui.Select(
        custom_id=_REASONS, options=options, min_values=0, max_values=len(options), required=False
    )
    comment: Any = discord.ui.TextInput(
        style=discord.TextStyle.paragraph, required=False, max_length=1000, custom_id=_TEXT
    )
    window.add_item(discord.ui.Label(text=texts.why_reasons, component=choice))
    return window.add_item(discord.ui.Label(text=texts.why_comment, component=comment))


def persona_window(name: str, now: Persona | None, texts: Texts) -> discord.ui.Modal:
    """A window to write a persona in; it shows what the persona says `now`, if it exists."""
    window = discord.ui.Modal(title=texts.persona_title.format(name=name)[:45], custom_id=f"parley:persona:{name}")
    window.add_item(discord.ui.TextDisplay(texts.persona_becomes))
    prompt: Any = discord.ui.TextInput(
        style=discord.TextStyle.paragraph,
        custom_id=_PROMPT,
        default=now.system_prompt if now else None,
        max_length=LONGEST_PROMPT,
    )
    greeting: Any = discord.ui.TextInput(
        style=discord.TextStyle.paragraph,
        custom_id=_GREETING,
        default=now.greeting if now else None,
        required=False,
        max_length=LONGEST_GREETING,
    )
    for text, help_text, field in (
        (texts.persona_prompt, texts.persona_prompt_help, prompt),
        (texts.persona_greeting, texts.persona_greeting_help, greeting),
    ):
        window.add_item(discord.ui.Label(text=text, description=help_text, component=field))
    return window


async def send_window(interaction: discord.Interaction, window: discord.ui.Modal) -> None:
    """Show a window. discord.py would keep it, and the answer in it, until it is sent, which may be never."""
    window.stop()
    await interaction.response.send_modal(window)


@dataclass(frozen=True)
class SentWindow:
    """A window of ours that somebody sent: its kind, and in `about` the rest of its id.

    For "fix" and "why" that is the number of a generation, for "persona" a persona's name.
    """

    kind: str
    about: str
    _fields: dict[str, dict[str, Any]]
    _files: dict[str, Any]
    _interaction: discord.Interaction

    @property
    def reasons(self) -> list[str]:
        """What was chosen of `REASONS`."""
        return list(self._fields.get(_REASONS, {}).get("values", []))

    @property
    def comment(self) -> str:
        """What was written about the reasons."""
        return self._typed(_TEXT)

    @property
    def persona(self) -> tuple[str, str]:
        """A persona's system prompt and greeting."""
        return self._typed(_PROMPT), self._typed(_GREETING)

    async def correction(self) -> str | None:
        """The correction, from the field or the file; None for a file that is not text or is too large."""
        if _FILE not in self._fields:
            return self._typed(_TEXT)
        for number in self._fields[_FILE].get("values", []):
            file = discord.Attachment(data=self._files[number], state=self._interaction._state)
            if file.size > LARGEST:
                return None
            try:
                return (await file.read()).decode("utf-8-sig")
            except UnicodeDecodeError:
                return None
        return ""

    def _typed(self, name: str) -> str:
        return str(self._fields.get(name, {}).get("value") or "")


def sent_window(interaction: discord.Interaction) -> SentWindow | None:
    """The window that was sent; None when it is not one of ours."""
    data: dict[str, Any] = dict(interaction.data or {})
    ours, kind, about, *_ = [*str(data.get("custom_id", "")).split(":", 2), "", ""]
    known = about.isdecimal() if kind in ("fix", "why") else kind == "persona"
    if ours != "parley" or not known:
        return None
    fields = {field["custom_id"]: field for field in _fields_of(data.get("components", []))}
    return SentWindow(kind, about, fields, data.get("resolved", {}).get("attachments", {}), interaction)


def _fields_of(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fields of a window, out of the rows and labels that hold them."""
    found = []
    for component in components:
        inner = [*component.get("components", []), *([component["component"]] if "component" in component else [])]
        found += _fields_of(inner) if inner else [component] if "custom_id" in component else []
    return found
