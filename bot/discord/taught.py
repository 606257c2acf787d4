"""What people taught so far, as a few lines: ratings, the release that serves, and how a trial stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.discord.feedback import PLATFORM
from data.releases import MINIMUM_PROMPTS, Releases
from data.tally import tally, trial_so_far

if TYPE_CHECKING:
    from bot.discord.chat import Talk
    from bot.texts import Texts

_SIGNS = {"up": "👍", "down": "👎", "correction": "✏️", "comparison": "⚖️"}


async def taught(talk: Talk, guild: str | None, words: Texts) -> str:
    """The lines, about one server, or about all where there is none."""
    releases = Releases(talk.settings.home)
    champion, candidate = releases.champion(), releases.candidate()

    def name(release: int) -> str:
        return words.of_release.format(release=release) if release else words.the_base

    server = await talk.store.server(PLATFORM, guild) if guild else None
    async with talk.store.database.read() as session:
        found = await tally(session, server)
        so_far = await trial_so_far(session, champion, candidate) if candidate is not None else None
    counts = ", ".join(f"{sign} {found.ratings[kind]}" for kind, sign in _SIGNS.items())
    first = words.stats_here if guild else words.stats_everywhere
    lines = [
        first.format(counts=counts, people=found.raters),
        words.stats_serving.format(release=name(champion), releases=len(releases.all())),
    ]
    if so_far is None or candidate is None:
        lines.append(words.stats_no_trial)
    else:
        prompts, share = so_far
        told = words.stats_trial.format(release=name(candidate), prompts=prompts, share=share, needed=MINIMUM_PROMPTS)
        lines.append(told)
    return "\n".join(line[:1].upper() + line[1:] for line in lines)
