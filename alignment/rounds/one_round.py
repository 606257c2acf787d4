"""One round: rows, stages, the artefact, the evaluation. `alignment.rounds.conclusion` carries out the decision.

Each step records in the manifest what an interrupted round needs to continue.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console

from alignment.evaluation.subjects import Subject, planted_canaries, subject
from alignment.evaluation.suites.canaries import Canary
from alignment.evaluation.verdict import check_suites, say
from alignment.quiet import quiet
from alignment.rounds import quick
from alignment.rounds.candidate import export, release
from alignment.rounds.conclusion import conclude
from alignment.rounds.evaluation import evaluate_candidate
from alignment.rounds.followed import followed
from alignment.rounds.lineage import commit, parents, say_left
from alignment.rounds.manifest import RoundFolder
from alignment.rounds.on_trial import decide_trial
from alignment.rounds.plan import REWARDED, Plan
from alignment.rounds.snapshot import KINDS, Snapshot, collect_snapshot, digest, say_rows, trial_of_home
from alignment.rounds.steps import Step, choose, judge_step, plant, run_step
from alignment.rounds.warm import WarmStart
from alignment.serving.server import Server
from alignment.training.run_folder import versions
from data.console import PlainConsole
from data.distance import distance, in_words
from data.error_budget import name_of
from data.errors import BadInput, NothingToDo
from data.fresh import seen_now
from data.home import discord_permission, home, installation_key
from data.releases import BASE_RELEASE, Releases
from data.rounds import Decision, decided
from data.rows import Row
from data.taught import CANARY, taught


def run_round(plan: Plan, folder: RoundFolder, server: Server) -> int:
    """Run (or go on with) one round; 0 when the candidate became the champion, 1 when it did not.

    `server` is what the candidate is checked and measured on.
    """
    quiet()
    console = PlainConsole()
    releases = Releases(home())
    if folder.manifest.decision is not None:
        console.rule(f"[bold]Round {folder.number} was decided when it was interrupted")
        return conclude(console, plan, folder, releases)
    # A round that was killed keeps the champion that it began with. One that was stopped reads its rows anew.
    if folder.pinned is None:
        decide_trial(console, plan.base, plan.trial_suites, server)
    champion = _champion(releases, plan.base)
    number = releases.champion()
    snapshot, steps, secrets = _snapshot(console, plan, folder, champion)
    _note_start(console, plan, folder, champion, number, snapshot)

    start: str | Path = plan.base
    if plan.start == "champion" and champion.adapter is not None:
        start = champion.adapter
    judge, sentence = _judge(plan, snapshot)
    with server.resting(lambda sentence: say(console, [sentence])), WarmStart() as warm:
        adapter = _train(console, plan, folder, steps, start, warm)
        say(console, sentence)
        judge_model = run_step(judge, plan.recipes["reward"], plan.base, folder, warm) if judge else None

    console.rule("Export")
    candidate = Subject("candidate", plan.base, adapter, export(console, plan.base, adapter, folder, server))
    console.rule("Evaluation")
    verdict = evaluate_candidate(
        console,
        plan,
        champion,
        candidate,
        snapshot,
        judge_model,
        folder,
        server,
        canaries=secrets,
        # A quick round asks for no promotion, so it spends nothing of the error budget.
        name="" if plan.quick else name_of(None, folder.number, number),
    ).verdict
    made = release(candidate, folder, releases, followed(console, candidate, server))
    # Record this before anything moves: a round that is killed here continues with this decision, and does not
    # compare the candidate with itself.
    folder.note(
        decision=Decision(
            release=made,
            champion=number,
            promote=verdict.promote and not plan.quick,
            people=verdict.people,
            trial=plan.trial and (verdict.undecided or (plan.quick and verdict.promote)),
            reasons=(*verdict.reasons, *([quick.not_checked(plan.suites)] if plan.quick else [])),
        )
    )
    return conclude(console, plan, folder, releases)


def _champion(releases: Releases, base: str) -> Subject:
    found = subject(str(releases.champion()), base, home())
    if found.base != base:
        raise BadInput(
            f"The champion, {found.name}, belongs to the base model {found.base}, and this home has {base}. Go back "
            "to the base with `python -m alignment.promote 0`, or begin anew from the other one with "
            f"`python -m alignment.bases switch {found.base}`."
        )
    return found


def _judge(plan: Plan, snapshot: Snapshot) -> tuple[Step | None, list[str]]:
    if plan.quick:
        return None, []
    found, sentence = judge_step(snapshot)
    return found, [sentence]


def _snapshot(
    console: Console, plan: Plan, folder: RoundFolder, champion: Subject
) -> tuple[Snapshot, list[Step], list[Canary]]:
    """The rows that may be used, the steps on them, and the made-up secrets that the suite leakage asks for.

    A killed round continues with the rows that it began with.
    """
    facts = plan.facts()
    learns: dict[str, Any] = {"plan": facts}
    if plan.start == "champion":
        learns["champion"] = Releases(home()).champion()
    # With another champion by now, other rows are new to it.
    same = (folder.manifest.learns or {}).get("champion") == learns.get("champion")
    goes_on = folder.pinned is not None and folder.manifest.plan == facts and same
    console.rule(f"[bold]Round {folder.number}{' goes on where it was interrupted' if goes_on else ''}")
    seen = folder.manifest.seen if goes_on else seen_now(home(), permission=discord_permission() is not None)
    snapshot, far = _collect(console, plan, folder, goes_on=goes_on)
    new: frozenset[str] | None = None
    if plan.quick:
        snapshot, new, steps, secrets, notes = _quick(snapshot, champion, folder.number, goes_on=goes_on)
    else:
        steps, secrets, notes = _whole(plan, snapshot, champion.release or BASE_RELEASE)
    say(console, notes)
    if not goes_on:
        # With the same rows, recipes and start, the candidate would be the same as the last one. What a quick round
        # replays is drawn anew each time, so there the new rows alone count.
        judge, _ = _judge(plan, snapshot)
        learns["rows"] = {
            step.name: digest(_new(step.learns_from, new)) for step in [*steps, *([judge] if judge else [])]
        }
        _refuse_again(folder, learns)
        # The rows of another plan do not belong to this one, should a kill come between the two notes.
        folder.note(plan=facts, learns=learns, seen=seen, rows=None)
    names = [step.name for step in steps]
    folder.note(
        rows=snapshot.ids(),
        raters=snapshot.raters(row.id for step in steps for row in step.learns_from),
        counts=snapshot.counts(),
        distance=far,
        used=_used(plan, snapshot, steps),
        dropped=snapshot.dropped(),
        taught=taught(
            chain.from_iterable((*step.rows, *step.thumbs) for step in steps),
            snapshot.collected.of("demonstration", "train"),
        ),
        canaries=[secret.id for secret in secrets],
        steps=names,
        # Results that another plan's stages made before an interruption do not belong to this round.
        stages={name: done for name, done in folder.manifest.stages.items() if name in (*names, "judge")},
    )
    return snapshot, steps, secrets


def _collect(console: Console, plan: Plan, folder: RoundFolder, *, goes_on: bool) -> tuple[Snapshot, tuple[str, ...]]:
    """The rows that may be used, and sentences about how far it is to each verdict; says both."""
    collected = asyncio.run(collect_snapshot(folder.path, corrections_train=plan.quick))
    snapshot = Snapshot(collected, plan.limits, folder.pinned if goes_on else None, plan.max_held_out)
    say_rows(console, snapshot, prompts=plan.algorithm in REWARDED)
    far = tuple(in_words(distance(collected, asyncio.run(trial_of_home()))))
    say(console, far)
    return snapshot, far


def _used(plan: Plan, snapshot: Snapshot, steps: Sequence[Step]) -> Counter[str]:
    """How many rows of each kind the steps train on. A quick round's step has made preferences of demonstrations."""
    if plan.quick:
        return Counter({kind: len(ids) for kind, ids in snapshot.ids().items()})
    return Counter(row.kind for step in steps for row in step.learns_from if row.extra.get("source") != CANARY)


def _whole(plan: Plan, snapshot: Snapshot, champion: int) -> tuple[list[Step], list[Canary], list[str]]:
    steps, notes = choose(plan.algorithm, snapshot, skip_sft=plan.skip_sft, champion=champion)
    # The secrets are the same in every round of an installation; without their suite there are none.
    asked = any(suite.name == "leakage" for suite in check_suites(plan.suites))
    steps, secrets, sentence = plant(steps, installation_key(home()), plan.canaries if asked else 0)
    return steps, secrets, [*notes, *([sentence] if sentence else [])]


def _new(rows: Sequence[Row], new: Collection[str] | None) -> Sequence[Row]:
    return rows if new is None else [row for row in rows if row.id in new]


def _quick(
    snapshot: Snapshot, champion: Subject, number: int, *, goes_on: bool
) -> tuple[Snapshot, frozenset[str], list[Step], list[Canary], list[str]]:
    """A quick round is there to be remembered, so it plants no secrets; it asks for those that the champion has.

    `number` is the round's. The ids are those of the new rows; there are none where the round goes on.
    """
    notes, new = list[str](), frozenset[str]()
    if not goes_on:
        known = quick.learnt(home(), champion.release or BASE_RELEASE)
        turn = quick.turns(installation_key(home()), number)
        snapshot, found = quick.teach(snapshot, known, champion.name, turn)
        notes, new = found.sentences(), found.new
    secrets = planted_canaries(home(), champion)
    if not secrets:
        notes.append("The suite leakage is left out: no made-up secrets are planted in the champion.")
    return snapshot, new, [quick.step(snapshot)], secrets, notes


def _refuse_again(folder: RoundFolder, learns: dict[str, Any]) -> None:
    last = next(iter(decided(folder.path.parent, besides=folder.number)), None)
    if last is None or last.learns != learns or last.decision is None:
        return
    made = last.decision.release
    raise NothingToDo(
        f"There is nothing new to learn: round {last.number} trained on these very rows with these settings, and "
        f"its release {made} was {last.status}. Collect more feedback, change a recipe or a limit, or compare "
        f"again with `python -m alignment.evaluate --candidate {made}`."
    )


def _note_start(
    console: Console, plan: Plan, folder: RoundFolder, champion: Subject, number: int, snapshot: Snapshot
) -> None:
    releases = Releases(home())
    found = parents(releases, plan.base, number, number if plan.start == "champion" else BASE_RELEASE)
    say_left(console, found)
    folder.note(
        base=plan.base,
        champion=champion.name,
        parents=found,
        data={kind: digest(snapshot.training(kind)) for kind in KINDS},
        code=commit(),
        versions=versions(),
    )


def _train(
    console: Console, plan: Plan, folder: RoundFolder, steps: list[Step], start: str | Path, warm: WarmStart
) -> Path:
    for step in steps:
        console.rule(f"{step.name.upper()} on {len(step.rows)} rows")
        made = run_step(step, plan.recipes[step.module], start if step.policy else plan.base, folder, warm)
        start = made if step.policy else start
    assert isinstance(start, Path)
    return start
