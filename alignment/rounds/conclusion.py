"""The end of a round: the gate's decision is carried out, recorded and printed."""

import asyncio

from rich.console import Console
from rich.text import Text

from alignment.evaluation.stored_rows import live
from alignment.evaluation.verdict import say
from alignment.rounds.candidate import record
from alignment.rounds.manifest import RoundFolder
from alignment.rounds.plan import Plan
from alignment.rounds.report import write_report
from data.releases import BASE_RELEASE, OtherBase, Releases


def conclude(console: Console, plan: Plan, folder: RoundFolder, releases: Releases) -> int:
    """Carry out the decision; a second call changes nothing. Returns 0 if the candidate is the champion, else 1."""
    manifest, decision = folder.manifest, folder.manifest.decision
    assert decision is not None
    assert decision.champion is not None
    console.rule("Decision")
    made, promote, reasons = decision.release, decision.promote, list(decision.reasons)
    now = releases.champion()
    usable = True
    try:
        releases.refuse_other_base(made)
    except OtherBase as error:  # the round was interrupted, and the home got another base meanwhile
        promote = usable = False
        reasons.append(str(error))
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
    trial = decision.trial and usable and not promote and now == decision.champion
    running = releases.candidate()
    if trial and running not in (None, made) and asyncio.run(live(now, int(running or 0)))[0]:
        # Otherwise people's comparisons of the release on trial would be lost.
        trial = False
        console.print(f"Release {running} stays on trial; release {made} can follow it.")
    if trial and manifest.trial is None:
        folder.note(trial=made)
        releases.put_on_trial(made)
    status = "promoted" if promote else "refused"
    releases.keep_merged()
    trial = trial and releases.candidate() == made  # a resumed round may find its trial ended
    outcome = _outcome(made, promote, trial=trial, now=_called(now))
    if not usable:
        outcome = outcome[:1]
    report = write_report(folder.path, folder.manifest, "on trial" if trial else status, reasons, outcome)
    console.print(Text(outcome[0], "bold green") if promote else outcome[0])
    for sentence in outcome[1:]:
        console.print(sentence, markup=False, highlight=False)
    console.print(f"The report, for a browser: {report}", markup=False, highlight=False, soft_wrap=True)
    if not plan.keep_rows:
        folder.remove_rows()
    folder.end(status, " ".join(reasons))
    return 0 if promote else 1


def _called(release: int) -> str:
    return f"release {release}" if release != BASE_RELEASE else "the base model"


def _outcome(made: int, promote: bool, *, trial: bool, now: str) -> list[str]:
    """What serves now, and what the operator can do next: sentences, and commands on lines of their own."""
    if promote:
        return [
            f"Release {made} is the champion now. Running bots take it over by themselves.",
            "To go back to the release before:",
            "  python -m alignment.rollback",
        ]
    overrule = f"  python -m alignment.promote {made}"
    if not trial:
        return [f"Release {made} is written, and {now} goes on serving.", "To overrule the gate:", overrule]
    return [
        f"Release {made} is written and on trial: {now} goes on serving, and the bot lets people compare answers "
        "of the two. The next round asks the gate again when enough have; to ask it now:",
        f"  python -m alignment.evaluate --candidate {made} --limit 0",
        "To end the trial, or to overrule the gate:",
        "  python -m alignment.rollback --trial",
        overrule,
    ]
