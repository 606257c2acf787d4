"""The release on trial: the gate is asked about it at the beginning of a round, once people have compared enough."""

import asyncio
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from alignment.evaluation.compare import CACHE, Options
from alignment.evaluation.evidence import by_live
from alignment.evaluation.gate import Verdict
from alignment.evaluation.llm_judge import judge_settings
from alignment.evaluation.stored_rows import budget_name, live, stored_rows
from alignment.evaluation.subjects import planted_canaries, subject
from alignment.evaluation.verdict import QUICK, SHORT, check_suites, evaluate, say
from alignment.serving.server import Server
from data.errors import ParleyError
from data.home import home
from data.promotion import promote_alone
from data.releases import Releases


def decide_trial(console: Console, base: str, suites: str, server: Server | None = None) -> None:
    """Ask the gate about the release on trial, if people compared enough answers, and carry out its decision.

    A release that turns out to be worse is no longer on trial; one that may still be better stays. The gate may be
    asked as often as there are rounds: its evidence allows that, and a candidate spends its share of the error once.
    """
    releases = Releases(home())
    now = champion, candidate = releases.champion(), releases.candidate()
    if candidate is None:
        return
    evidence = by_live(*asyncio.run(live(champion, candidate)))
    if not evidence.counts:
        say(console, [f"Release {candidate} stays on trial. {evidence.sentence}"])
        return
    console.rule(f"Release {candidate}, on trial")
    try:
        verdict = _verdict(console, champion, candidate, base, suites, server)
    except ParleyError as error:  # training goes on even if the trial cannot be decided
        say(console, [f"Release {candidate} cannot be compared: {error}"])
        return
    if (releases.champion(), releases.candidate()) != now:
        console.print("Another release serves or is on trial by now, so nothing was decided.")
        return
    if verdict.promote:
        promote_alone(home(), candidate)
        console.print(f"[bold green]Release {candidate} is the champion now.[/] Running bots take it over.")
    elif verdict.undecided:
        console.print(f"Release {candidate} stays on trial.")
    else:
        releases.end_trial()
        console.print(f"Release {candidate} is not on trial any more.")


def _verdict(
    console: Console, champion: int, candidate: int, base: str, suites: str, server: Server | None
) -> Verdict:
    """The gate's verdict on two releases, by the store's rows. People have compared answers: none are made here."""
    old, new = (subject(str(number), base, home()) for number in (champion, candidate))
    # These are the quick (or short) suites, but whole: here they decide which release serves.
    names = {"quick": ",".join(QUICK), "short": ",".join(SHORT)}.get(suites, suites)
    options = Options(
        suites=check_suites(names, planted_canaries(home(), old, new)),
        llm_judge=judge_settings(),
        cache=home() / CACHE,
        server=server,
    )
    rows = replace(asyncio.run(stored_rows(old, new)), prompts=(), judge_model=_judge_model(candidate))
    verdict = evaluate(old, new, rows, options, console, name=budget_name(old, new)).verdict
    say(console, verdict.reasons)
    return verdict


def _judge_model(candidate: int) -> Path | None:
    """The judge's reward model of the round that made a release, None if it made none or the folder is gone."""
    made_in = Releases(home()).get(candidate).manifest.round
    folder = home() / "rounds" / f"{made_in or 0:04d}" / "judge" / "reward"
    return folder if (folder / "reward.json").is_file() else None
