"""The buttons below an answer. All they need stands in their ids, so they outlive the process that sent them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import discord

from bot.answers import Unanswerable
from bot.discord.place import NOBODY, Behind, InChannel, Place
from bot.ratings import RatingResult, sentence, vote_is, which_was_which
from bot.texts import Texts, texts
from data.consent import CONSENT_VERSION, still_says
from data.leftovers import remove_leftovers

if TYPE_CHECKING:
    import re

    from bot.discord.app import Talk
    from data.store import StoredMessage

log = logging.getLogger(__name__)

PLATFORM = "discord"
# Characters as labels, not as Discord's emoji: they need nothing to be there.
_LABELS = {"up": "👍", "down": "👎", "again": "↻", "two": "⚖️", "fix": "✏️", "stop": "⏹", "retry": "↻"}
_TEACHING = ("up", "down", "fix", "two", "a", "b", "tie", "bad")
_GOVERNED = (*_TEACHING, "again", "more", "retry", "agree")  # not what takes something back, and not one's rights
_WINDOWS = ("fix", "down")  # a window must be the first thing that Discord hears
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
            style=discord.ButtonStyle.success if deed == "agree" else discord.ButtonStyle.secondary,
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
        talk = cast(Any, interaction.client).parley.talk  # the client may be somebody else's
        try:
            await pressed(talk, interaction, self.deed, self.rest.split(":"), words)
        except Exception:
            log.exception("the button %s failed", self.deed)
            await tell(interaction, words.internal_error)


def view(*items: Press) -> discord.ui.View:
    """The buttons as discord.py sends them; they never time out."""
    made = discord.ui.View(timeout=None)
    for item in items:
        made.add_item(item)
    return made


def rate_buttons(generation: int, *, teach: bool, more: Texts | None = None) -> discord.ui.View:
    """What stands below a finished answer; where people may not teach, only how to get another one.

    `more` are the words of one that ends where it was cut off, and can be continued.
    """
    deeds = ("up", "down", "fix", "two", "again") if teach else ("again",)
    buttons = [Press(deed, str(generation)) for deed in deeds]
    return view(*buttons, *([_more(generation, more)] if more else []))


def more_button(generation: int, words: Texts) -> discord.ui.View:
    """What stands below an answer of two that can be continued, and is not the last."""
    return view(_more(generation, words))


def _more(generation: int, words: Texts) -> Press:
    return Press("more", str(generation), words.go_on)


def vote_buttons(generation: int, vote: str | None, words: Texts) -> discord.ui.View:
    """What is shown to somebody who wants to rate an older answer; a vote of theirs can be taken back."""
    back = [] if vote is None else [Press("back", str(generation), words.take_back)]
    return view(*(Press(deed, str(generation)) for deed in ("up", "down", "fix")), *back)


def verdict_buttons(first: int, second: int, words: Texts, more: bool) -> discord.ui.View:
    """What stands below two answers that are to be compared, the one shown first named first.

    `more`: the second can be continued.
    """
    names = {"a": "A", "b": "B", "tie": words.tie, "bad": words.both_bad}
    verdicts = [Press(deed, f"{first}:{second}", name) for deed, name in names.items()]
    return view(*verdicts, *([_more(second, words)] if more else []))


def stop_button(key: str, asker: int) -> discord.ui.View:
    """What stands below an answer while it streams."""
    return view(Press("stop", f"{key}:{asker}"))


async def pressed(talk: Talk, interaction: discord.Interaction, deed: str, rest: list[str], words: Texts) -> None:
    """What a press of a button does."""
    if deed not in _WINDOWS:
        # Acknowledged first: Discord waits three seconds, and a busy disk may take longer.
        await interaction.response.defer()
    if deed in _GOVERNED and await talk.refused(interaction, words):
        return
    if deed in _TEACHING and not await talk.teaching(interaction.guild_id):
        await tell(interaction, words.teaching_off)
        return
    match deed, rest:
        case ("fix", [generation]):
            await talk.open_fix(interaction, int(generation), words)
        case ("up" | "down", [generation]):
            await _vote(talk, interaction, int(generation), deed, str(interaction.id), words)
        case ("agree", [version, *meant]):
            await _agree(talk, interaction, version, meant, words)
        case ("yes", _):  # below a question that did not say yet which text it was
            await ask_consent(talk, interaction, "", words)
        case ("no", _):
            await _consent(talk, interaction, False, CONSENT_VERSION, words)
        case ("back", [generation]):
            rater = await talk.store.person(PLATFORM, str(interaction.user.id))
            outcome = await talk.ratings.retract(
                rater, int(generation), platform=PLATFORM, source_id=f"{PLATFORM}:{interaction.id}"
            )
            await interaction.edit_original_response(
                content=sentence(words, outcome, "retraction"), view=None, allowed_mentions=NOBODY
            )
        case ("again" | "two" | "more", [generation]):
            await _again(talk, interaction, int(generation), words, deed)
        case ("retry", [question]):
            from bot.discord.interrupted import retried  # not before: it is made of the buttons here

            await retried(talk, interaction, question, words)
        case ("a" | "b" | "tie" | "bad", [first, second]):
            await _compare(talk, interaction, (int(first), int(second)), deed, str(interaction.id), words)
        case ("forget", _):
            erased = await talk.changes.forget(interaction.user.id, interaction.id)
            await asyncio.to_thread(remove_leftovers, talk.settings.home)
            await interaction.edit_original_response(
                content=words.forgotten.format(texts=erased), view=None, allowed_mentions=NOBODY
            )
        case ("promote", [number, champion]):
            await talk.promote(interaction, int(number), int(champion), words)
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
    if outcome is RatingResult.CONSENT_MISSING:
        await ask_consent(talk, interaction, f"{generation}:{value}:{source}", words)
    elif outcome is RatingResult.STORED and value == "down" and not interaction.response.is_done():
        await talk.open_why(interaction, generation, words)  # the vote counts, whatever becomes of the window
    else:
        await told_of_vote(talk, interaction, generation, value, outcome, words)


async def told_of_vote(
    talk: Talk, interaction: discord.Interaction, generation: int, value: str, outcome: RatingResult, words: Texts
) -> None:
    """Say what became of a vote and what the person's vote is now, with a button to take it back if there is one."""
    await acknowledge(interaction)
    told = sentence(words, outcome, "vote", value)
    if outcome not in (RatingResult.STORED, RatingResult.ALREADY):
        await tell(interaction, told)
        return
    vote = await talk.store.vote(generation, await talk.store.person(PLATFORM, str(interaction.user.id)))
    if outcome is RatingResult.ALREADY or vote != value:  # a click that came twice, and another vote since
        told = f"{words.already} {vote_is(words, vote)}"
    await tell(interaction, told, view(Press("back", str(generation), words.take_back)) if vote else None)


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
    if outcome is RatingResult.CONSENT_MISSING:
        await ask_consent(talk, interaction, f"{pair[0]}:{pair[1]}:{deed}:{source}", words)
        return
    told = sentence(words, outcome, "comparison")
    if outcome in (RatingResult.STORED, RatingResult.ALREADY):
        answers = [await talk.store.generation(number) for number in pair]
        told = f"{told} {which_was_which(words, *answers)}"
    await tell(interaction, told)


async def ask_consent(talk: Talk, interaction: discord.Interaction, rest: str, words: Texts) -> None:
    """Ask before the first rating is kept; the button remembers what was pressed, and which text was agreed to."""
    await acknowledge(interaction)
    question = words.consent_question if talk.may_train else words.consent_question_held
    buttons = view(Press("agree", f"{CONSENT_VERSION}:{rest}", words.yes), Press("no", "", words.no))
    told = question.format(days=talk.settings.retention_days)
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    if await talk.store.consent(person) and not await talk.store.agrees(person):
        told = f"{words.consent_changed}\n{told}"  # they agreed to what an older text said
    await tell(interaction, told, buttons)


async def _agree(talk: Talk, interaction: discord.Interaction, version: str, meant: list[str], words: Texts) -> None:
    """Record a yes, and the rating that it was asked for; what the question did not say yet is asked anew."""
    if not still_says(version):
        await ask_consent(talk, interaction, ":".join(meant), words)
        return
    await _consent(talk, interaction, True, version, words)
    match meant:
        case [generation, value, source]:
            await _vote(talk, interaction, int(generation), value, source, words)
        case [first, second, value, source]:
            await _compare(talk, interaction, (int(first), int(second)), value, source, words)


async def _consent(talk: Talk, interaction: discord.Interaction, granted: bool, version: str, words: Texts) -> None:
    """Record the answer to the consent question and put what it means in the question's place."""
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    same = await talk.store.agrees(person) if granted else await talk.store.consent(person) is False
    if not same:  # a double click is one answer
        await talk.store.set_consent(person, granted, version)
    await interaction.edit_original_response(
        content=consent_words(talk, granted, words), view=None, allowed_mentions=NOBODY
    )


def consent_words(talk: Talk, granted: bool, words: Texts) -> str:
    """What a person's answer to the consent question means here."""
    given = words.consent_given if talk.may_train else words.consent_given_held
    return given if granted else words.consent_refused


async def _again(talk: Talk, interaction: discord.Interaction, number: int, words: Texts, deed: str) -> None:
    """Another answer: to the same question, alone or beside the first; or what comes after one that was cut off."""
    generation = await talk.store.generation(number)
    channel, message = interaction.channel, interaction.message
    if generation is None or channel is None or message is None:
        await tell(interaction, words.question_gone)
        return

    async def go_on() -> StoredMessage:
        """Asked for by a message of the person who pressed; the others ask the same question again."""
        now = await talk.store.generation(number)
        if now is None or not now.text:  # erased, perhaps while this waited for its turn
            raise Unanswerable(words.question_gone)
        return await talk.store.add_message(
            now.conversation, "user", words.go_on_please, author=ask.person, parent=now.message
        )

    who = await talk.persona(channel, interaction.guild_id, generation.conversation)
    ask = await talk.ask_of(interaction, who, go_on, words)
    asked = await talk.store.places(generation.parent) if generation.parent is not None else []
    show = {
        "two": partial(talk.show_two, ask, first=generation),
        "again": partial(talk.show, ask, again=generation),
        "more": partial(talk.show, ask),
    }[deed]
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
    guild = interaction.guild_id
    # Not interaction.guild, which is made up where the bot is no member.
    if interaction.client.get_guild(guild) is None if guild else interaction.context.private_channel:
        return Behind(interaction, command=False)
    return InChannel(channel, message.to_reference(fail_if_not_exists=False))


async def acknowledge(interaction: discord.Interaction) -> None:
    """Let Discord know that an answer for the person alone is on its way, unless it knows already."""
    if not interaction.response.is_done():
        await interaction.response.defer(ephemeral=True)


async def tell(interaction: discord.Interaction, text: str, buttons: discord.ui.View | None = None) -> None:
    """Say something that only the person who pressed can see."""
    await acknowledge(interaction)
    more: dict[str, Any] = {} if buttons is None else {"view": buttons}
    await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY, **more)


async def tell_alone(interaction: discord.Interaction, text: str) -> None:
    """Say to one person alone why the answer that all were shown to be on its way does not come."""
    with suppress(discord.HTTPException):
        # Whatever follows a deferred response takes its place, as public as it is, until something stands in it.
        await interaction.edit_original_response(content="…", allowed_mentions=NOBODY)
    await tell(interaction, text)
    with suppress(discord.HTTPException):
        await interaction.delete_original_response()
