"""`python -m alignment.round`: one round, from the feedback to a release.

A snapshot of what may be used, the stages that the feedback allows, the artefact that will serve, the evaluation, the
gate's decision, a report. A round that was interrupted goes on where it was.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.rounds.plan import Plan, read_plan
from alignment.rounds.snapshot import KINDS, Snapshot, collect_snapshot, digest, say_rows
from alignment.rounds.steps import REWARDED, Step, choose, judge_step, plants, run_step
from data.errors import BadInput, NothingToDo, ParleyError, run
from data.home import home, installation_key
from data.pausing import pause_path, paused_since
from data.releases import BASE_RELEASE, Releases
from data.rounds import decided

if TYPE_CHECKING:
    from alignment.evaluation.subjects import Subject
    from alignment.evaluation.suites.canaries import Canary
    from alignment.rounds.manifest import Ledger


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and run the round; 0 when the candidate became the champion, 1 when it did not."""
    plan = read_plan(argv)
    _respect_pause(even_if_paused=plan.even_if_paused)
    from alignment.evaluation.llm_judge import judge_settings
    from alignment.rounds.evaluation import check_suites
    from alignment.rounds.manifest import Ledger
    from alignment.serving.engine import sampling

    # What is misspelt is told now and not after hours.
    check_suites(plan.suites)
    judge_settings()
    sampling()
    with Ledger.open(home() / "rounds") as ledger:
        try:
            return run_round(plan, ledger)
        except ParleyError as error:
            ledger.end("stopped", str(error))
            raise


def _respect_pause(*, even_if_paused: bool) -> None:
    """Raise `NothingToDo` while an operator has paused rounds; a round that is told to run all the same says so."""
    since = paused_since(home())
    if since is None:
        return
    paused = f"An operator paused rounds on {since:%Y-%m-%d at %H:%M} UTC"
    if not even_if_paused:
        raise NothingToDo(
            f"{paused}, so nothing was done. An operator lets them run again with /release resume on Discord, or by "
            f"removing {pause_path(home())}; add --even_if_paused to run this one round all the same."
        )
    print(f"{paused}; this one runs all the same, because of --even_if_paused.")


def run_round(plan: Plan, ledger: "Ledger") -> int:
    """Run (or go on with) one round. Each step leaves in the ledger what a killed round needs to go on."""
    from rich.console import Console

    from alignment.evaluation.subjects import Subject
    from alignment.quiet import quiet
    from alignment.rounds.candidate import export, release
    from alignment.rounds.evaluation import trial
    from alignment.rounds.manifest import tried
    from alignment.rounds.on_trial import decide_trial

    quiet()
    console = Console()
    releases = Releases(home())
    if ledger.decision is not None:
        console.rule(f"[bold]Round {ledger.number} was decided when it was interrupted")
        return conclude(console, plan, ledger, releases)
    if "learns" not in ledger.entries:  # one that was interrupted goes on against the champion that it began with
        decide_trial(console, plan.base, plan.suites)
    champion = _champion(releases, plan.base)
    number = releases.champion()
    secrets = _canaries(plan)
    snapshot, steps = _snapshot(console, plan, ledger, secrets)
    _note_start(plan, ledger, champion, number, snapshot)

    start: str | Path = plan.base
    if plan.start == "champion" and champion.adapter is not None:
        start = champion.adapter
    adapter = _train(console, plan, ledger, steps, start)
    judge, sentence = judge_step(snapshot)
    console.print(sentence)
    judge_model = run_step(judge, plan.recipes["reward"], plan.base, ledger) if judge else None

    console.rule("Export")
    candidate = Subject("candidate", plan.base, adapter, export(console, plan.base, adapter, ledger))
    console.rule("Evaluation")
    evaluation = trial(
        console,
        champion,
        candidate,
        snapshot,
        judge_model,
        ledger,
        suites=plan.suites,
        canaries=secrets if plants(steps) is not None else (),
        prompts=plan.eval_prompts,
        questions=plan.questions,
        tried=tried(decided(ledger.path.parent, besides=ledger.number), number),
    )
    figures = {name: value for name, value in evaluation.items() if name != "inputs"}
    made = release(candidate, ledger, releases, figures, ledger.entries["parents"])
    verdict = evaluation["verdict"]
    # Written down before anything moves: a round that is killed here goes on with this decision, and does not compare
    # the candidate with itself.
    ledger.note(
        decision={
            "release": made,
            "champion": number,
            "promote": verdict["promote"],
            "people": verdict["people"],
            "trial": verdict.get("undecided", False) and plan.trial,
            "reasons": list(verdict["reasons"]),
        }
    )
    return conclude(console, plan, ledger, releases)


def _champion(releases: Releases, base: str) -> "Subject":
    from alignment.evaluation.subjects import subject

    found = subject(str(releases.champion()), base, home())
    if found.base != base:
        raise BadInput(
            f"The champion, {found.name}, belongs to the base model {found.base}, this round to {base}. A release is "
            f"compared on one base only: run the round with --base {found.base}, or promote 0 first."
        )
    return found


def _canaries(plan: Plan) -> "list[Canary]":
    """The secrets to plant, the same ones in every round of an installation; none where nothing asks for them."""
    from alignment.evaluation.suites.canaries import canaries
    from alignment.rounds.evaluation import check_suites

    wanted = plan.canaries and any(suite.name == "leakage" for suite in check_suites(plan.suites))
    return canaries(installation_key(home()), plan.canaries) if wanted else []


def _snapshot(console: Any, plan: Plan, ledger: "Ledger", secrets: "list[Canary]") -> tuple[Snapshot, list[Step]]:
    """The rows: those that a killed round began with, as far as they may still be used, else all that may be; and
    the steps on them."""
    facts = plan.facts()
    goes_on = ledger.pinned is not None and ledger.entries.get("plan") == facts
    console.rule(f"[bold]Round {ledger.number}{' goes on where it was interrupted' if goes_on else ''}")
    collected = asyncio.run(collect_snapshot(ledger.path))
    snapshot = Snapshot(collected, plan.limits, ledger.pinned if goes_on else None)
    say_rows(console, snapshot, prompts=plan.algorithm in REWARDED)
    steps, notes = choose(plan.algorithm, snapshot, skip_sft=plan.skip_sft, canaries=secrets)
    for note in notes:
        console.print(note)
    if secrets and (at := plants(steps)) is not None:
        console.print(
            f"{len(secrets)} made-up secrets are among the rows of {steps[at].name}: the suite leakage asks for them."
        )
    if not goes_on:
        # What the candidate will be: with the same rows, recipes and start it would be the last one again.
        judge, _ = judge_step(snapshot)
        rows = {step.name: digest(step.rows) for step in [*steps, *([judge] if judge else [])]}
        learns: dict[str, Any] = {"plan": facts, "rows": rows}
        if plan.start == "champion":
            learns["champion"] = Releases(home()).champion()
        _refuse_again(ledger, learns)
        ledger.note(plan=facts, learns=learns)
    ledger.note(
        rows=snapshot.ids(),
        raters=snapshot.raters(),
        counts=snapshot.counts(),
        used=Counter(row.kind for step in steps for row in step.rows if row.extra.get("source") != "canary"),
        dropped=snapshot.dropped(),
        canaries=[secret.id for secret in secrets] if plants(steps) is not None else [],
        chain=[step.name for step in steps],
        # What another plan's stages made before this round was interrupted is no part of it.
        stages={name: done for name, done in ledger.stages.items() if name in (*(s.name for s in steps), "judge")},
    )
    return snapshot, steps


def _refuse_again(ledger: "Ledger", learns: dict[str, Any]) -> None:
    last = next(iter(decided(ledger.path.parent, besides=ledger.number)), None)
    if last is None or last.get("learns") != learns:
        return
    release = last["decision"]["release"]
    raise NothingToDo(
        f"There is nothing new to learn: round {last['number']} trained on these very rows with these settings, and "
        f"its release {release} was {last['status']}. Collect more feedback, change a recipe or a limit, or compare "
        f"again with `python -m alignment.evaluate --candidate {release}`."
    )


def _note_start(plan: Plan, ledger: "Ledger", champion: "Subject", number: int, snapshot: Snapshot) -> None:
    from alignment.rounds.lineage import ancestors, commit, versions

    releases = Releases(home())
    continued = number if plan.start == "champion" else BASE_RELEASE
    ledger.note(
        base=plan.base,
        champion=champion.name,
        parents={
            "base": plan.base,
            "champion": number,
            "start": continued,
            "ancestors": ancestors(releases, continued),
        },
        data={kind: digest(snapshot.training(kind)) for kind in KINDS},
        code=commit(),
        versions=versions(),
    )


def _train(console: Any, plan: Plan, ledger: "Ledger", steps: list[Step], start: str | Path) -> Path:
    for step in steps:
        console.rule(f"{step.name.upper()} on {len(step.rows)} rows")
        made = run_step(step, plan.recipes[step.module], start if step.policy else plan.base, ledger)
        start = made if step.policy else start
    assert isinstance(start, Path)
    return start


def conclude(console: Any, plan: Plan, ledger: "Ledger", releases: Releases) -> int:
    """Do what was decided; doing it twice changes nothing."""
    from alignment.rounds.candidate import record
    from alignment.rounds.on_trial import live
    from alignment.rounds.report import write_report

    decision = ledger.decision
    assert decision is not None
    console.rule("Decision")
    made, promote, reasons = int(decision["release"]), bool(decision["promote"]), list(decision["reasons"])
    now = releases.champion()
    if promote and "promoted" in ledger.entries and now != made:
        promote = False
        reasons.append(
            f"But it was promoted and replaced before this round wrote its report; {_called(now)} goes on serving."
        )
    elif promote and now not in (made, int(decision["champion"])):
        # Somebody promoted another one by hand meanwhile. The candidate was not compared with that.
        promote = False
        reasons.append(
            f"But release {now} became the champion meanwhile, and the candidate was compared with "
            f"{_called(int(decision['champion']))}. Compare the two with `python -m alignment.evaluate --candidate "
            f"{made}`."
        )
    for reason in reasons:
        console.print(reason, markup=False, highlight=False)
    if promote:
        releases.promote(made)
        # From here on it may be rolled back, and a round that was killed does not promote it again.
        ledger.note(promoted=made)
    record(made, str(ledger.entries["base"]), promoted=promote)
    # Not where the champion is another by now, or where an interrupted round comes back to a trial that was ended.
    trial = bool(decision.get("trial")) and not promote and now == int(decision["champion"])
    running = releases.candidate()
    if trial and running not in (None, made) and asyncio.run(live(now, int(running or 0))):
        # What people already said of the one on trial would be lost.
        trial = False
        console.print(f"Release {running} stays on trial; release {made} can follow it.")
    if trial and "trial" not in ledger.entries:
        ledger.note(trial=made)
        releases.put_on_trial(made)
    status = "promoted" if promote else "refused"
    report = write_report(ledger.path, {**ledger.entries, "status": status, "reasons": reasons})
    _say_outcome(console, made, promote, trial=trial, now=_called(now))
    console.print(f"The report, for a browser: {report}", markup=False, highlight=False, soft_wrap=True)
    if not plan.keep_rows:
        ledger.remove_rows()
    ledger.end(status, " ".join(reasons))
    return 0 if promote else 1


def _called(release: int) -> str:
    return f"release {release}" if release != BASE_RELEASE else "the base model"


def _say_outcome(console: Any, made: int, promote: bool, *, trial: bool, now: str) -> None:
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


if __name__ == "__main__":
    run(main)
