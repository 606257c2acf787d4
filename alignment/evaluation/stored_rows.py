"""What an evaluation takes from the store: held-out rows, people's live comparisons, and who these people are.

This module loads SQLAlchemy and scipy, so a command imports it in its `main`.
"""

import asyncio

from alignment.evaluation.compare import EvaluationRows
from alignment.evaluation.people import Standing
from alignment.evaluation.subjects import Subject
from alignment.evaluation.winrate import Comparison
from data import comparisons
from data.error_budget import name_of
from data.home import discord_permission, home
from data.home_base import mark_of
from data.imports import collect_rows
from data.live import Pair
from data.raters import Panel
from data.releases import BASE_RELEASE, Releases
from data.rows import Row
from data.store import Store


async def stored_rows(champion: Subject, candidate: Subject) -> EvaluationRows:
    """The rows of the gate's and the judge's folds, and what people said of two releases live."""
    store = await Store.open(home())
    try:
        collected = await collect_rows(store, discord_permission=discord_permission())
        found = None
        if _released(champion, candidate):
            pair = Pair(int(champion.release or 0), int(candidate.release or 0), mark_of(home()))
            found = await _trial(store, pair, discord_permission())
    finally:
        await store.close()
    return EvaluationRows(
        prompts=[row for kind in ("prompt", "preference", "demonstration") for row in collected.of(kind, "gate")],
        preferences=collected.of("preference", "gate"),
        demonstrations=collected.of("demonstration", "gate"),
        judge_pairs=collected.of("preference", "judge"),
        live=_votes(found.comparisons) if found else (),
        shown=_shown(found.pairs) if found else (),
        raters=collected.people("gate"),
        standing=standing(collected.panel),
    )


def _released(champion: Subject, candidate: Subject) -> bool:
    return None not in (champion.release, candidate.release) and champion.release != candidate.release


async def live(champion: int, candidate: int) -> tuple[list[Comparison], Standing]:
    """What people said live of two releases, and who they are."""
    store = await Store.open(home())
    try:
        found = await _trial(store, Pair(champion, candidate, mark_of(home())), None)
    finally:
        await store.close()
    return _votes(found.comparisons), standing(found.panel)


async def _trial(store: Store, pair: Pair, permission: str | None) -> comparisons.Trial:
    return await asyncio.to_thread(comparisons.trial, store.database.path, pair, discord_permission=permission)


def _votes(found: list[comparisons.LiveComparison]) -> list[Comparison]:
    return [
        Comparison(
            c.prompt,
            c.value,
            c.candidate_chars,
            c.champion_chars,
            c.rater,
            (("language", c.language), ("persona", c.persona)),
        )
        for c in found
    ]


def _shown(pairs: list[comparisons.ShownPair]) -> tuple[tuple[Row, str, str], ...]:
    """Each pair as a row that a judge is asked about, with the answers of champion and candidate."""
    return tuple(
        (
            Row("prompt", {"prompt": pair.messages}, {"id": pair.prompt, "outside_judge": pair.outside_judge}),
            pair.champion,
            pair.candidate,
        )
        for pair in pairs
    )


def standing(panel: Panel) -> Standing:
    """What the panel of raters says of people, as far as the gate needs it."""
    vouched = {name for name, found in panel.raters.items() if found.vouched}
    borne_out = {name for name, found in panel.raters.items() if found.borne_out}
    return Standing(vouched, borne_out, {name: panel.weight(name) for name in panel.raters}, panel.servers)


def budget_name(champion: Subject, candidate: Subject) -> str:
    """The candidate's name in the error budget; empty for a model that was never released, which may be asked about
    freely because nothing follows from the answer.

    A candidate has one base only and is compared on that one, so the name need not say which base release 0 was.
    """
    if champion.release is None or candidate.release in (None, BASE_RELEASE):
        return ""
    round_ = Releases(home()).get(int(candidate.release or 0)).manifest.round
    return name_of(candidate.release, round_, champion.release)
