"""The windows that open for a correction and for what was wrong, and what is sent from them.

All that a window needs stands in its id, so one that was opened before a restart counts too: discord.py would drop
it, therefore what is sent is read here, from the interaction itself.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import discord

from bot.discord.presses import PLATFORM, ask_consent, tell, told_of_vote
from bot.ratings import RatingResult, sentence
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from bot.discord.app import Talk

log = logging.getLogger(__name__)

LONGEST = 4000  # characters that a field of Discord's takes
LARGEST = 256 * 1024  # bytes of a file with a correction
REASONS = ("false", "unhelpful", "manner", "harmful", "language")
_TEXT, _FILE, _REASONS = "text", "file", "reasons"


def fix_window(generation: int, answer: str, words: Texts) -> discord.ui.Modal:
    """A window with the answer to correct; one that is too long for a field is corrected in a file."""
    window = discord.ui.Modal(title=words.fix_title, custom_id=f"parley:fix:{generation}")
    if len(answer) <= LONGEST:
        field: Any = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, default=answer, max_length=LONGEST, custom_id=_TEXT
        )
        return window.add_item(discord.ui.Label(text=words.fix_label, component=field))
    upload: Any = discord.ui.FileUpload(custom_id=_FILE)
    return window.add_item(discord.ui.Label(text=words.fix_label, description=words.fix_file, component=upload))


def why_window(generation: int, words: Texts) -> discord.ui.Modal:
    """A window that asks what was wrong; nothing in it must be filled in."""
    window = discord.ui.Modal(title=words.why_title, custom_id=f"parley:why:{generation}")
    options = [discord.SelectOption(label=words.reasons[at], value=name) for at, name in enumerate(REASONS)]
    choice: Any = discord.ui.Select(
        custom_id=_REASONS, options=options, min_values=0, max_values=len(options), required=False
    )
    comment: Any = discord.ui.TextInput(
        style=discord.TextStyle.paragraph, required=False, max_length=1000, custom_id=_TEXT
    )
    window.add_item(discord.ui.Label(text=words.why_reasons, component=choice))
    return window.add_item(discord.ui.Label(text=words.why_comment, component=comment))


async def open_fix(talk: Talk, interaction: discord.Interaction, generation: int, words: Texts) -> None:
    """Show the window for a correction, to somebody who agreed to teach; others are asked first."""
    answer = await talk.store.generation(generation)
    if not await talk.teaching(interaction.guild_id):
        await tell(interaction, words.teaching_off)
    elif answer is None or not answer.text:
        await tell(interaction, words.answer_gone)
    elif not await talk.store.agrees(await talk.store.person(PLATFORM, str(interaction.user.id))):
        await ask_consent(talk, interaction, "", words)
    else:
        await send_window(interaction, fix_window(generation, answer.text, words))


async def send_window(interaction: discord.Interaction, window: discord.ui.Modal) -> None:
    """Show a window. discord.py would keep it, and the answer in it, until it is sent, which may be never."""
    window.stop()
    await interaction.response.send_modal(window)


async def submitted(talk: Talk, interaction: discord.Interaction) -> None:
    """A window was sent; whatever goes wrong, the person is told."""
    data: dict[str, Any] = dict(interaction.data or {})
    ours, kind, number, *_ = [*str(data.get("custom_id", "")).split(":", 2), "", ""]
    if ours != "parley" or kind not in ("fix", "why") or not number.isdecimal():
        return
    words = texts(str(interaction.locale))
    with suppress(discord.HTTPException):  # what was written is kept, whether or not Discord hears that it was
        await interaction.response.defer(ephemeral=True)
    try:
        if await talk.refused(interaction, words):
            return
        if not await talk.teaching(interaction.guild_id):
            await tell(interaction, words.teaching_off)
            return
        fields = {field["custom_id"]: field for field in fields_of(data.get("components", []))}
        if kind == "why":
            await _why(talk, interaction, int(number), fields, words)
        else:
            await _fix(talk, interaction, int(number), await _text(interaction, data, fields), words)
    except Exception:
        log.exception("the window %s failed", kind)
        await tell(interaction, words.internal_error)


async def _why(
    talk: Talk, interaction: discord.Interaction, generation: int, fields: dict[str, Any], words: Texts
) -> None:
    chosen = ", ".join(fields.get(_REASONS, {}).get("values", []))
    comment = str(fields.get(_TEXT, {}).get("value") or "").strip()
    why = ": ".join(part for part in (chosen, comment) if part)
    rater = await talk.store.person(PLATFORM, str(interaction.user.id))
    outcome = RatingResult.STORED  # the vote itself is there since the click
    if why:
        outcome = await talk.ratings.vote(
            rater, generation, "down", platform=PLATFORM, source_id=f"{PLATFORM}:{interaction.id}", why=why
        )
    await told_of_vote(talk, interaction, generation, "down", outcome, words)


async def _fix(talk: Talk, interaction: discord.Interaction, generation: int, text: str | None, words: Texts) -> None:
    if text is None:
        await tell(interaction, words.fix_unreadable.format(kib=LARGEST // 1024))
        return
    rater = await talk.store.person(PLATFORM, str(interaction.user.id))
    outcome = await talk.ratings.correct(
        rater, generation, text, platform=PLATFORM, source_id=f"{PLATFORM}:{interaction.id}"
    )
    told = words.fix_empty if outcome is RatingResult.EMPTY else sentence(words, outcome, "correction")
    await tell(interaction, told)


async def _text(interaction: discord.Interaction, data: dict[str, Any], fields: dict[str, Any]) -> str | None:
    """What was written, or what the file holds; None for a file that is no text or too large."""
    if _FILE not in fields:
        return str(fields.get(_TEXT, {}).get("value") or "")
    found = data.get("resolved", {}).get("attachments", {})
    for number in fields[_FILE].get("values", []):
        file = discord.Attachment(data=found[number], state=interaction._state)
        if file.size > LARGEST:
            return None
        try:
            return (await file.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
    return ""


def fields_of(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fields of a window, out of the rows and labels that they stand in."""
    found = []
    for component in components:
        inner = [*component.get("components", []), *([component["component"]] if "component" in component else [])]
        found += fields_of(inner) if inner else [component] if "custom_id" in component else []
    return found
