"""A trial that people have decided: asked for at the beginning of a round, so that the loop closes by itself."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from data.errors import ParleyError
from data.home import home
from data.releases import Releases


def decide_trial(console: Any, base: str, suites: str) -> None:
    """Ask the gate about the release on trial, where people compared enough answers, and do what it says.

    A release that turned out to be worse is not on trial any longer; one that may still be better stays. Each time is
    one more chance for luck: the gate is asked again only when twice as many questions were compared, and stricter.
    """
    from alignment.evaluation.evidence import by_live
    from alignment.promote import promote

    releases = Releases(home())
    now = champion, candidate = releases.champion(), releases.candidate()
    if candidate is None:
        return
    people = asyncio.run(live(champion, candidate))
    said, prompts, looks = by_live(people), len({each.prompt for each in people}), releases.looks()
    if not said.counts or (looks and prompts < 2 * looks[-1]):
        console.print(f"Release {candidate} stays on trial. {said.sentence}", markup=False, highlight=False)
        if said.counts:
            console.print(f"The gate was asked at {looks[-1]} questions, and is asked again at {2 * looks[-1]}.")
        return
    console.rule(f"Release {candidate}, on trial")
    try:
        verdict = _verdict(candidate, base, suites)
    except ParleyError as error:  # a trial that cannot be decided is no reason not to train
        console.print(f"Release {candidate} cannot be compared: {error}", markup=False, highlight=False)
        return
    if (releases.champion(), releases.candidate()) != now:
        console.print("Another release serves or is on trial meanwhile, so nothing was decided.")
        return
    releases.looked(prompts)
    if verdict["promote"]:
        promote(candidate)
        console.print(f"[bold green]Release {candidate} is the champion now.[/] Running bots take it over.")
    elif verdict["undecided"]:
        console.print(f"Release {candidate} stays on trial.")
    else:
        releases.end_trial()
        console.print(f"Release {candidate} is not on trial any more.")


async def live(champion: int, candidate: int) -> list[Any]:
    """What people said live of two releases, as `alignment.evaluation.evidence.by_live` takes it."""
    from alignment.evaluation.winrate import Outcome
    from data import comparisons
    from data.store import Store

    store = await Store.open(home())
    try:
        async with store.database.read() as session:
            found = await comparisons.live(session, champion, candidate)
    finally:
        await store.close()
    return [Outcome(c.prompt, c.value, c.candidate_chars, c.champion_chars, c.rater) for c in found]


def _verdict(candidate: int, base: str, suites: str) -> dict[str, Any]:
    from alignment.evaluate import main
    from alignment.rounds.evaluation import QUICK

    names = ",".join(QUICK) if suites == "quick" else suites
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        told = ["--candidate", str(candidate), "--base", base, "--limit", "0", "--suites", names]
        main([*told, "--out", str(figures)])
        found: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))["verdict"]
    return found
