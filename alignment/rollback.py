"""`python -m alignment.rollback`: go back to the champion before this one, or only end a trial."""

import argparse

from alignment.conversion.merged_release import prepare
from data.errors import run
from data.home import home
from data.release_address import not_reached
from data.releases import Releases


def main() -> int:
    """Move the pointer back by one promotion."""
    parser = argparse.ArgumentParser(
        prog="python -m alignment.rollback",
        description="Go back to the champion before this one. Running bots take it over by themselves.",
    )
    parser.add_argument("--trial", action="store_true", help="only end the trial of a candidate; the champion stays")
    releases = Releases(home())
    if parser.parse_args().trial:
        ended = releases.end_trial()
        print("No release was on trial." if ended is None else f"Release {ended} is not on trial any more.")
        return 0 if ended is not None else 1
    before = releases.champion()
    number = releases.rollback()
    print(f"The champion is release {number} again; release {before} stays on disk.", flush=True)
    # It serves already, with its adapter. Running bots take the merged file when it is there.
    prepare(releases, number)
    if sentence := not_reached():
        print(sentence)
    return 0


if __name__ == "__main__":
    run(main)
