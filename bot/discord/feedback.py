"""The buttons below an answer. All they need stands in their ids, so they outlive the process that sent them."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import discord

from bot.answers import Ask
from bot.discord.place import Behind, InChannel, Place
from bot.ratings import Outcome, sentence, which_was_which
from bot.texts import Texts, texts
from data.consent import CONSENT_VERSION
from data.leftovers import remove_leftovers

if TYPE_CHECKING:
    import re

    from bot.discord.chat import Talk
    from bot.discord.client import Bot
    from data.store import StoredMessage

log = logging.getLogger(__name__)

PLATFORM = "discord"
# Characters as labels, not as Discord's emoji: they need nothing to be there.
_LABELS = {"up": "👍", "down": "👎", "again": "↻", "two": "⚖️", "fix": "✏️", "stop": "⏹", "retry": "↻"}
_TEACHING = ("up", "down", "fix", "two", "a", "b", "tie", "bad")
_VERDICTS = {"a": "a", "b": "b", "tie": "tie", "bad": "both_bad"}


class Press(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    # One class and one template for all buttons: discord.py calls every template that matches.
    template=r"parley:(?P<deed>[a-z]+):(?P<rest>[\w:.-]*)",
):
    """A button that says what it does: a deed, and what it is done to."""

    def __init__(self, deed: str, rest: str, label: str | None = None) -> None:
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(
            label=label or _LABELS.get(deed, deed),
            style=discord.ButtonStyle.success if deed == "yes" else discord.ButtonStyle.secondary,
            custom_id=f"parley:{deed}:{rest}",
        )
        super().__init__(button)
        self.deed = deed
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
        return cls(match["deed"], match["rest"])

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do the deed. discord.py only logs what is raised here, so the person is told."""
        words = texts(str(interaction.locale))
        bot = cast("Bot", interaction.client)
        try:
            await pressed(bot.talk, interaction, self.deed, self.rest.split(":"), words)
        except Exception:
            log.exception("the button %s failed", self.deed)
            await tell(interaction, words.internal_error)


def view(*items: Press) -> discord.ui.View:
    """The buttons as discord.py sends them; they never time out."""
    made = discord.ui.View(timeout=None)
    for item in items:
        made.add_item(item)
    return made


def rate_buttons(generation: int, *, teach: bool) -> discord.ui.View:
    """What stands below a finished answer; where people may not teach, only how to get another one."""
    deeds = ("up", "down", "fix", "two", "again") if teach else ("again",)
    return view(*(Press(deed, str(generation)) for deed in deeds))


def vote_buttons(generation: int) -> discord.ui.View:
    """What is shown to somebody who wants to rate an older answer."""
    return view(*(Press(deed, str(generation)) for deed in ("up", "down", "fix")))


def verdict_buttons(first: int, second: int, words: Texts) -> discord.ui.View:
    """What stands below two answers that are to be compared, the one shown first named first."""
    names = {"a": "A", "b": "B", "tie": words.tie, "bad": words.both_bad}
    return view(*(Press(deed, f"{first}:{second}", name) for deed, name in names.items()))


def stop_button(key: str, asker: int) -> discord.ui.View:
    """What stands below an answer while it streams."""
    return view(Press("stop", f"{key}:{asker}"))


async def pressed(talk: Talk, interaction: discord.Interaction, deed: str, rest: list[str], words: Texts) -> None:
    """What a press of a button does."""
    if deed in _TEACHING and not await talk.teaching(interaction.guild_id):
        await tell(interaction, words.teaching_off)
        return
    match deed, rest:
        # A window must be the first thing that Discord hears.
        case ("fix", [generation]):
            await talk.open_fix(interaction, int(generation), words)
            return
        case ("down", [generation]):
            await _vote(talk, interaction, int(generation), "down", str(interaction.id), words)
            return
    # Acknowledged first: Discord waits three seconds, and a busy disk may take longer.
    await interaction.response.defer()
    match deed, rest:
        case ("up", [generation]):
            await _vote(talk, interaction, int(generation), deed, str(interaction.id), words)
        case ("yes", [generation, value, source]):
            await _consent(talk, interaction, True, words)
            await _vote(talk, interaction, int(generation), value, source, words)
        case ("yes", [first, second, value, source]):
            await _consent(talk, interaction, True, words)
            await _compare(talk, interaction, (int(first), int(second)), value, source, words)
        case ("yes", [""]):
            await _consent(talk, interaction, True, words)
        case ("no", _):
            await _consent(talk, interaction, False, words)
        case ("back", [generation]):
            rater = await talk.store.person(PLATFORM, str(interaction.user.id))
            outcome = await talk.ratings.retract(
                rater, int(generation), platform=PLATFORM, source_id=f"{PLATFORM}:{interaction.id}"
            )
            await interaction.edit_original_response(content=sentence(words, outcome, "retraction"), view=None)
        case ("again" | "two", [generation]):
            await _again(talk, interaction, int(generation), words, two=deed == "two")
        case ("retry", [question]):
            from bot.discord.interrupted import retried  # not before: it is made of the buttons here

            await retried(talk, interaction, question, words)
        case ("a" | "b" | "tie" | "bad", [first, second]):
            await _compare(talk, interaction, (int(first), int(second)), deed, str(interaction.id), words)
        case ("forget", _):
            person = await talk.store.person(PLATFORM, str(interaction.user.id))
            erased = await talk.store.forget(person)
            await asyncio.to_thread(remove_leftovers, talk.settings.home)
            await interaction.edit_original_response(content=words.forgotten.format(texts=erased), view=None)
        case ("stop", [key, asker]):
            if str(interaction.user.id) != asker:
                await tell(interaction, words.not_yours)
            elif not talk.stop(key):
                await tell(interaction, words.nothing_runs)


async def _vote(
    talk: Talk, interaction: discord.Interaction, generation: int, value: str, source: str, words: Texts
) -> None:
    """Store a vote, or ask for consent first; `source` is the id of the click that meant the vote."""
    if not await talk.teaching(interaction.guild_id):  # turned off since the question for consent
        await tell(interaction, words.teaching_off)
        return
    rater = await talk.store.person(PLATFORM, str(interaction.user.id))
    outcome = await talk.ratings.vote(rater, generation, value, platform=PLATFORM, source_id=f"{PLATFORM}:{source}")
    if outcome is Outcome.CONSENT_MISSING:
        await ask_consent(talk, interaction, f"{generation}:{value}:{source}", words)
    elif outcome is Outcome.STORED and value == "down" and not interaction.response.is_done():
        await talk.open_why(interaction, generation, words)  # the vote counts, whatever becomes of the window
    else:
        await told_of_vote(interaction, generation, value, outcome, words)


async def told_of_vote(
    interaction: discord.Interaction, generation: int, value: str, outcome: Outcome, words: Texts
) -> None:
    """Say what became of a vote, with a button to take it back where it counts."""
    counts = outcome in (Outcome.STORED, Outcome.ALREADY)
    buttons = view(Press("back", str(generation), words.take_back)) if counts else None
    await tell(interaction, sentence(words, outcome, "vote", value), buttons)


async def _compare(
    talk: Talk, interaction: discord.Interaction, pair: tuple[int, int], deed: str, source: str, words: Texts
) -> None:
    """Store which of two answers is better, or ask for consent first; then tell which release was which."""
    if not await talk.teaching(interaction.guild_id):
        await tell(interaction, words.teaching_off)
        return
    rater = await talk.store.person(PLATFORM, str(interaction.user.id))
    outcome = await talk.ratings.compare(
        rater, *pair, _VERDICTS[deed], platform=PLATFORM, source_id=f"{PLATFORM}:{source}"
    )
    if outcome is Outcome.CONSENT_MISSING:
        await ask_consent(talk, interaction, f"{pair[0]}:{pair[1]}:{deed}:{source}", words)
        return
    told = sentence(words, outcome, "comparison")
    if outcome in (Outcome.STORED, Outcome.ALREADY):
        answers = [await talk.store.generation(number) for number in pair]
        told = f"{told} {which_was_which(words, *answers)}"
    await tell(interaction, told)


async def ask_consent(talk: Talk, interaction: discord.Interaction, rest: str, words: Texts) -> None:
    """Ask before the first rating is kept; the button remembers what was pressed."""
    question = words.consent_question if talk.may_train else words.consent_question_held
    buttons = view(Press("yes", rest, words.yes), Press("no", "", words.no))
    await tell(interaction, question.format(days=talk.settings.retention_days), buttons)


async def _consent(talk: Talk, interaction: discord.Interaction, granted: bool, words: Texts) -> None:
    """Record the answer to the consent question and put what it means in the question's place."""
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    if await talk.store.consent(person) is not granted:  # a double click is one answer
        await talk.store.set_consent(person, granted, CONSENT_VERSION)
    await interaction.edit_original_response(content=consent_words(talk, granted, words), view=None)


def consent_words(talk: Talk, granted: bool, words: Texts) -> str:
    """What a person's answer to the consent question means here."""
    given = words.consent_given if talk.may_train else words.consent_given_held
    return given if granted else words.consent_refused


async def _again(talk: Talk, interaction: discord.Interaction, number: int, words: Texts, *, two: bool) -> None:
    """Another answer to the same question: as a message of its own with its own buttons, or beside the first."""
    generation = await talk.store.generation(number)
    channel, message = interaction.channel, interaction.message
    if generation is None or channel is None or message is None:
        await tell(interaction, words.question_gone)
        return

    async def asked_before() -> StoredMessage:
        raise AssertionError("again() asks the same question")

    ask = Ask(
        person=await talk.store.person(PLATFORM, str(interaction.user.id)),
        channel=str(channel.id),
        platform=PLATFORM,
        persona=await talk.persona(channel, interaction.guild_id),
        question=asked_before,
        texts=words,
    )
    asked = await talk.store.places(generation.parent) if generation.parent is not None else []
    show = partial(talk.show_two, ask, first=generation) if two else partial(talk.show, ask, again=generation)
    failed = await show(
        key=str(interaction.id),
        question=asked[0] if asked else "",
        asker=interaction.user.id,
        place=below(interaction, channel, message),
    )
    if failed:
        await tell(interaction, failed)


def below(interaction: discord.Interaction, channel: Any, message: discord.Message) -> Place:
    """Below the message whose button was pressed; where the bot is no member, only the interaction gets there."""
    if interaction.guild_id is not None and interaction.guild is None:
        return Behind(interaction, command=False)
    return InChannel(channel, message.to_reference(fail_if_not_exists=False))


async def tell(interaction: discord.Interaction, text: str, buttons: discord.ui.View | None = None) -> None:
    """Say something that only the person who pressed can see."""
    if not interaction.response.is_done():
        await interaction.response.defer(ephemeral=True)
    if buttons is None:
        await interaction.followup.send(text, ephemeral=True)
    else:
        await interaction.followup.send(text, ephemeral=True, view=buttons)
