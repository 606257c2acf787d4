"""A trial that people have decided: asked for at the beginning of a round, so that the loop closes by itself."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from data.home import home
from data.releases import MINIMUM_PROMPTS, Releases


def decide_trial(console: Any, suites: str) -> None:
    """Ask the gate about the release on trial, where people compared enough answers, and do what it says.

    A release that turned out to be worse is not on trial any longer; one that may still be better stays.
    """
    from alignment.promote import promote

    releases = Releases(home())
    champion, candidate = releases.champion(), releases.candidate()
    if candidate is None:
        return
    prompts = asyncio.run(_compared(champion, candidate))
    if prompts < MINIMUM_PROMPTS:
        console.print(
            f"Release {candidate} is on trial: people compared answers to {prompts} questions, and it takes "
            f"{MINIMUM_PROMPTS} to decide."
        )
        return
    console.rule(f"Release {candidate}, on trial")
    verdict = _verdict(candidate, suites)
    if verdict["promote"]:
        promote(candidate)
        console.print(f"[bold green]Release {candidate} is the champion now.[/] Running bots take it over.")
    elif verdict["undecided"]:
        console.print(f"Release {candidate} stays on trial.")
    else:
        releases.end_trial()
        console.print(f"Release {candidate} is not on trial any more.")


async def _compared(champion: int, candidate: int) -> int:
    from data.store import Store
    from data.tally import trial_so_far

    store = await Store.open(home())
    try:
        async with store.database.read() as session:
            prompts, _ = await trial_so_far(session, champion, candidate)
    finally:
        await store.close()
    return prompts


def _verdict(candidate: int, suites: str) -> dict[str, Any]:
    from alignment.evaluate import main
    from alignment.trial import QUICK

    names = ",".join(QUICK) if suites == "quick" else suites
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        main(["--candidate", str(candidate), "--limit", "0", "--suites", names, "--out", str(figures)])
        found: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))["verdict"]
    return found
