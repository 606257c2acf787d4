"""Ratings on Discord: votes, comparisons and corrections, each after consent, and what the person is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.discord.buttons import back_button, view
from bot.discord.consent import ask_consent, record_consent
from bot.discord.ids import PLATFORM, person_of
from bot.discord.openness import everybody_sees
from bot.discord.telling import acknowledge, replace_question, tell
from bot.discord.windows import LARGEST, fix_window, send_window, why_window
from bot.ratings import RatingResult, sentence, vote_is, which_was_which
from data.consent import still_says

if TYPE_CHECKING:
    import discord

    from bot.discord.app import App
    from bot.discord.windows import SentWindow
    from bot.texts import Texts

VERDICTS = {"a": "a", "b": "b", "tie": "tie", "bad": "both_bad"}  # what a button says, and what is stored


async def vote(
    app: App, interaction: discord.Interaction, generation: int, value: str, click: str, texts: Texts
) -> None:
    """Store a vote, or ask for consent first; `click` is the id of the press."""
    if not await app.rules.teaching(interaction.guild_id):  # it may have been turned off since the consent question
        await tell(interaction, texts.teaching_off)
        return
    rater = await person_of(app.store, interaction.user.id)
    outcome = await app.ratings.vote(rater, generation, value, platform=PLATFORM, source_id=_source(click))
    if outcome is RatingResult.CONSENT_MISSING:
        await ask_consent(app, interaction, f"{generation}:{value}:{click}", texts)
    elif outcome is RatingResult.STORED and value == "down" and not interaction.response.is_done():
        # The vote counts, whatever is done with the window.
        await send_window(interaction, why_window(generation, texts))
    else:
        await _tell_vote(app, interaction, generation, value, outcome, texts)


async def _tell_vote(
    app: App, interaction: discord.Interaction, generation: int, value: str, outcome: RatingResult, texts: Texts
) -> None:
    """Say how a vote ended and what the person's vote is now, with a button to take it back if there is one."""
    await acknowledge(interaction)
    text = sentence(texts, outcome, "vote", value)
    if outcome not in (RatingResult.STORED, RatingResult.ALREADY):
        await tell(interaction, text)
        return
    now = await app.store.vote(generation, await person_of(app.store, interaction.user.id))
    if outcome is RatingResult.ALREADY or now != value:  # the click came twice, and there was another vote since
        text = f"{texts.already} {vote_is(texts, now)}"
    await tell(interaction, text, view(back_button(generation, texts)) if now else None)


async def retract(app: App, interaction: discord.Interaction, generation: int, texts: Texts) -> None:
    """Take a person's vote back."""
    rater = await person_of(app.store, interaction.user.id)
    outcome = await app.ratings.retract(rater, generation, platform=PLATFORM, source_id=_source(interaction.id))
    await replace_question(interaction, sentence(texts, outcome, "retraction"))


async def compare(
    app: App, interaction: discord.Interaction, pair: tuple[int, int], verdict: str, click: str, texts: Texts
) -> None:
    """Store which of two answers is better, or ask for consent first; then tell which release was which.

    `verdict` is one of `VERDICTS`, `click` the id of the press.
    """
    if not await app.rules.teaching(interaction.guild_id):
        await tell(interaction, texts.teaching_off)
        return
    rater = await person_of(app.store, interaction.user.id)
    outcome = await app.ratings.compare(rater, *pair, VERDICTS[verdict], platform=PLATFORM, source_id=_source(click))
    if outcome is RatingResult.CONSENT_MISSING:
        await ask_consent(app, interaction, f"{pair[0]}:{pair[1]}:{verdict}:{click}", texts)
        return
    text = sentence(texts, outcome, "comparison")
    if outcome in (RatingResult.STORED, RatingResult.ALREADY):
        answers = [await app.store.generation(number) for number in pair]
        text = f"{text} {which_was_which(texts, *answers)}"
    await tell(interaction, text)


async def agree(app: App, interaction: discord.Interaction, version: str, rating: list[str], texts: Texts) -> None:
    """Record a yes, and the rating that it was asked for. A yes to an older text asks again."""
    if not still_says(version):
        await ask_consent(app, interaction, ":".join(rating), texts)
        return
    await record_consent(app, interaction, True, version, texts)
    match rating:
        case [generation, value, click]:
            await vote(app, interaction, int(generation), value, click, texts)
        case [first, second, verdict, click]:
            await compare(app, interaction, (int(first), int(second)), verdict, click, texts)


async def open_correction(app: App, interaction: discord.Interaction, generation: int, texts: Texts) -> None:
    """Show the window for a correction to a person who agreed to teach; others are asked first."""
    answer = await app.store.generation(generation)
    if not await app.rules.teaching(interaction.guild_id):
        await tell(interaction, texts.teaching_off)
    elif answer is None or not answer.text:
        await tell(interaction, texts.answer_gone)
    elif not await app.store.agrees(await person_of(app.store, interaction.user.id)):
        await ask_consent(app, interaction, "", texts)
    else:
        await send_window(interaction, fix_window(generation, answer.text, texts))


async def correct(app: App, interaction: discord.Interaction, window: SentWindow, texts: Texts) -> None:
    """Store the correction in a window that was sent."""
    text = await window.correction()
    if text is None:
        await tell(interaction, texts.fix_unreadable.format(kib=LARGEST // 1024))
        return
    rater = await person_of(app.store, interaction.user.id)
    outcome = await app.ratings.correct(
        rater,
        int(window.about),
        text,
        platform=PLATFORM,
        source_id=_source(interaction.id),
        everybody_sees=everybody_sees(interaction),
    )
    await tell(
        interaction, texts.fix_empty if outcome is RatingResult.EMPTY else sentence(texts, outcome, "correction")
    )


async def explain(app: App, interaction: discord.Interaction, window: SentWindow, texts: Texts) -> None:
    """Store what was wrong with an answer; the vote against it is stored since the click."""
    why = ": ".join(part for part in (", ".join(window.reasons), window.comment.strip()) if part)
    rater, generation = await person_of(app.store, interaction.user.id), int(window.about)
    outcome = RatingResult.STORED
    if why:
        outcome = await app.ratings.vote(
            rater, generation, "down", platform=PLATFORM, source_id=_source(interaction.id), why=why
        )
    await _tell_vote(app, interaction, generation, "down", outcome, texts)


def _source(interaction: int | str) -> str:
    """The source of a rating: one interaction counts once."""
    return f"{PLATFORM}:{interaction}"
