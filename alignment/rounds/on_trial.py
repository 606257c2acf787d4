"""The release on trial: the gate is asked about it at the beginning of a round, once people have compared enough."""

import asyncio
from dataclasses import replace

from rich.console import Console

from alignment.evaluation.compare import CACHE, Options
from alignment.evaluation.evidence import by_live
from alignment.evaluation.gate import Verdict
from alignment.evaluation.llm_judge import judge_settings
from alignment.evaluation.stored_rows import live, stored_rows, tries
from alignment.evaluation.subjects import planted_canaries, subject
from alignment.evaluation.verdict import QUICK, check_suites, evaluate, say
from data.errors import ParleyError
from data.home import home
from data.promotion import promote_alone
from data.releases import Releases


def decide_trial(console: Console, base: str, suites: str) -> None:
    """Ask the gate about the release on trial, if people compared enough answers, and carry out its decision.

    A release that turns out to be worse is no longer on trial; one that may still be better stays. Each time is one
    more chance for luck, so the gate is asked again only after twice as many questions were compared, and is
    stricter.
    """
    releases = Releases(home())
    now = champion, candidate = releases.champion(), releases.candidate()
    if candidate is None:
        return
    people = asyncio.run(live(champion, candidate))
    evidence, prompts, looks = by_live(people), len({each.prompt for each in people}), releases.looks()
    if not evidence.counts or (looks and prompts < 2 * looks[-1]):
        say(console, [f"Release {candidate} stays on trial. {evidence.sentence}"])
        if evidence.counts:
            console.print(f"The gate was asked at {looks[-1]} questions, and is asked again at {2 * looks[-1]}.")
        return
    console.rule(f"Release {candidate}, on trial")
    try:
        verdict = _verdict(console, champion, candidate, base, suites)
    except ParleyError as error:  # training goes on even if the trial cannot be decided
        say(console, [f"Release {candidate} cannot be compared: {error}"])
        return
    if (releases.champion(), releases.candidate()) != now:
        console.print("Another release serves or is on trial by now, so nothing was decided.")
        return
    releases.looked(prompts)
    if verdict.promote:
        promote_alone(home(), candidate)
        console.print(f"[bold green]Release {candidate} is the champion now.[/] Running bots take it over.")
    elif verdict.undecided:
        console.print(f"Release {candidate} stays on trial.")
    else:
        releases.end_trial()
        console.print(f"Release {candidate} is not on trial any more.")


def _verdict(console: Console, champion: int, candidate: int, base: str, suites: str) -> Verdict:
    """The gate's verdict on two releases, by the store's rows. People have compared answers: none are made here."""
    old, new = (subject(str(number), base, home()) for number in (champion, candidate))
    # These are the quick suites, but whole: here they decide which release serves.
    names = ",".join(QUICK) if suites == "quick" else suites
    options = Options(
        suites=check_suites(names, planted_canaries(home(), old, new)),
        llm_judge=judge_settings(),
        cache=home() / CACHE,
    )
    rows = replace(asyncio.run(stored_rows(old, new)), prompts=())
    verdict = evaluate(old, new, rows, options, console, tried=tries(old, new)).verdict
    say(console, verdict.reasons)
    return verdict
