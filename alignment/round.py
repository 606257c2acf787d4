"""`python -m alignment.round`: one round, from the feedback to a release.

A snapshot of what may be used, the stages that the feedback allows, the artefact that will serve, the evaluation, the
gate's decision, a report. An interrupted round continues where it stopped.
"""

from collections.abc import Sequence

from alignment.rounds.plan import check_settings, read_plan
from alignment.serving.server import server_for
from data.chosen_base import home_base
from data.errors import NothingToDo, ParleyError, run
from data.home import home
from data.rounds import pause_path, paused_since


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and run the round; 0 when the candidate became the champion, 1 when it did not."""
    plan = read_plan(argv)
    _respect_pause(even_if_paused=plan.even_if_paused)
    server = server_for(plan.base, lambda sentence: print(sentence, flush=True))
    home_base(home(), plan.base, pin=True)
    # These load rich, SQLAlchemy, numpy and scipy, which takes seconds; `--help` does without.
    from alignment.rounds.manifest import RoundFolder
    from alignment.rounds.one_round import run_round

    check_settings(plan)
    with RoundFolder.open(home() / "rounds") as folder:
        try:
            return run_round(plan, folder, server)
        except ParleyError as error:
            folder.end("stopped", str(error))
            raise


def _respect_pause(*, even_if_paused: bool) -> None:
    """Raise `NothingToDo` while an operator has paused rounds; with `even_if_paused`, only print that."""
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


if __name__ == "__main__":
    run(main)
