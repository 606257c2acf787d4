"""`python -m alignment.promote N`: make a release the champion by hand, or with `--trial` let people try it first.

Running bots pick up both changes by themselves.
"""

import argparse

from alignment.conversion.merged_release import prepare
from data.chosen_base import home_base
from data.errors import run
from data.home import home
from data.pasted import pasted
from data.release_address import not_reached
from data.releases import BASE_RELEASE, Releases


def main() -> int:
    """Read the command line and move the pointer."""
    parser = argparse.ArgumentParser(
        prog="python -m alignment.promote",
        description="Make a release the champion. The gate is not asked; running bots take it over by themselves.",
    )
    parser.add_argument("release", type=int, metavar="N", help="the release's number; 0 is the base model")
    parser.add_argument(
        "--trial",
        action="store_true",
        help="only put it on trial: the champion serves, and people compare the answers of both",
    )
    options = parser.parse_args()
    # This loads SQLAlchemy; `--help` does without.
    from data.promotion import promote_alone

    home_base(home(), pin=True)
    number: int = options.release
    releases = Releases(home())
    _prepare(releases, number)
    if options.trial:
        releases.put_on_trial(number)
        print(
            f"Release {number} is on trial, and release {releases.champion()} goes on serving. When people have "
            "compared answers of the two, ask the gate:"
        )
        print(pasted(f"  python -m alignment.evaluate --candidate {number} --limit 0"))
    else:
        before = releases.champion()
        promote_alone(home(), number)
        print(f"The champion is release {number} now; before it was release {before}.")
    if sentence := not_reached():
        print(sentence)
    return 0


def _prepare(releases: Releases, number: int) -> None:
    """Make what the release is served from, before anybody is served from it."""
    if number != BASE_RELEASE:
        releases.refuse_other_base(number)
        prepare(releases, number)


if __name__ == "__main__":
    run(main)
