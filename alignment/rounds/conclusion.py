"""The end of a round: the gate's decision is carried out, recorded and printed."""

import asyncio

from rich.console import Console

from alignment.evaluation.stored_rows import live
from alignment.evaluation.verdict import say
from alignment.rounds.candidate import record
from alignment.rounds.manifest import RoundFolder
from alignment.rounds.plan import Plan
from alignment.rounds.report import write_report
from data.releases import BASE_RELEASE, Releases


def conclude(console: Console, plan: Plan, folder: RoundFolder, releases: Releases) -> int:
    """Carry out the decision; a second call changes nothing. Returns 0 if the candidate is the champion, else 1."""
    manifest, decision = folder.manifest, folder.manifest.decision
    assert decision is not None
    assert decision.champion is not None
    console.rule("Decision")
    made, promote, reasons = decision.release, decision.promote, list(decision.reasons)
    now = releases.champion()
    if promote and manifest.promoted is not None and now != made:
        promote = False
        reasons.append(
            f"But it was promoted and replaced before this round wrote its report; {_called(now)} goes on serving."
        )
    elif promote and now not in (made, decision.champion):
        # Somebody promoted another release by hand in the meantime. The candidate was not compared with that one.
        promote = False
        reasons.append(
            f"But release {now} became the champion meanwhile, and the candidate was compared with "
            f"{_called(decision.champion)}. Compare the two with `python -m alignment.evaluate --candidate {made}`."
        )
    say(console, reasons)
    if promote:
        releases.promote(made)
        # From here on it may be rolled back, and a resumed round must not promote it again.
        folder.note(promoted=made)
    record(made, str(manifest.base), promoted=promote)
    # No trial if another release serves by now, or if a resumed round finds its trial already ended.
    trial = decision.trial and not promote and now == decision.champion
    running = releases.candidate()
    if trial and running not in (None, made) and asyncio.run(live(now, int(running or 0)))[0]:
        # Otherwise people's comparisons of the release on trial would be lost.
        trial = False
        console.print(f"Release {running} stays on trial; release {made} can follow it.")
    if trial and manifest.trial is None:
        folder.note(trial=made)
        releases.put_on_trial(made)
    status = "promoted" if promote else "refused"
    report = write_report(folder.path, folder.manifest, status, reasons)
    _say_outcome(console, made, promote, trial=trial, now=_called(now))
    console.print(f"The report, for a browser: {report}", markup=False, highlight=False, soft_wrap=True)
    if not plan.keep_rows:
        folder.remove_rows()
    folder.end(status, " ".join(reasons))
    return 0 if promote else 1


def _called(release: int) -> str:
    return f"release {release}" if release != BASE_RELEASE else "the base model"


def _say_outcome(console: Console, made: int, promote: bool, *, trial: bool, now: str) -> None:
    if promote:
        console.print(f"[bold green]Release {made} is the champion now.[/] Running bots take it over by themselves.")
        return
    if trial:
        console.print(
            f"Release {made} is written and on trial: {now} goes on serving, and the bot lets people compare answers "
            "of the two. The next round asks the gate again when enough have; to ask it now:"
        )
        console.print(f"  python -m alignment.evaluate --candidate {made} --limit 0")
        console.print("To end the trial, or to overrule the gate:")
        console.print("  python -m alignment.rollback --trial")
    else:
        console.print(f"Release {made} is written, and {now} goes on serving. To overrule the gate:")
    console.print(f"  python -m alignment.promote {made}")
