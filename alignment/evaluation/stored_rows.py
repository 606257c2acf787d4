"""What an evaluation takes from the store: held-out rows, people's live comparisons, how often the gate was asked.

This module loads SQLAlchemy and scipy, so a command imports it in its `main`.
"""

from alignment.evaluation.compare import EvaluationRows
from alignment.evaluation.subjects import Subject
from alignment.evaluation.winrate import Comparison
from data import comparisons
from data.home import discord_permission, home
from data.imports import collect_rows
from data.releases import Releases
from data.rounds import decided, tried
from data.store import Store


async def stored_rows(champion: Subject, candidate: Subject) -> EvaluationRows:
    """The rows of the gate's and the judge's folds, and what people said of two releases live."""
    store = await Store.open(home())
    try:
        collected = await collect_rows(store, discord_permission=discord_permission())
    finally:
        await store.close()
    found = []
    if champion.release is not None and candidate.release is not None and champion.release != candidate.release:
        found = await live(champion.release, candidate.release)
    return EvaluationRows(
        prompts=[row for kind in ("prompt", "preference", "demonstration") for row in collected.of(kind, "gate")],
        preferences=collected.of("preference", "gate"),
        demonstrations=collected.of("demonstration", "gate"),
        judge_pairs=collected.of("preference", "judge"),
        live=found,
    )


async def live(champion: int, candidate: int) -> list[Comparison]:
    """What people said live of two releases."""
    store = await Store.open(home())
    try:
        async with store.database.read() as session:
            found = await comparisons.live(session, champion, candidate)
    finally:
        await store.close()
    return [Comparison(c.prompt, c.value, c.candidate_chars, c.champion_chars, c.rater) for c in found]


def tries(champion: Subject, candidate: Subject) -> int:
    """How many other candidates the rounds here have refused against this champion, as a round counts them.

    For a release on trial, each earlier question to the gate about it counts too.
    """
    if champion.release is None:
        return 0
    releases, number = Releases(home()), candidate.release
    own = releases.get(number).manifest.round if number else None
    looks = len(releases.looks()) if number == releases.candidate() else 0
    return tried(decided(home() / "rounds", besides=own), champion.release) + looks
