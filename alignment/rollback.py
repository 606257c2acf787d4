"""`python -m alignment.rollback`: go back to the champion before this one."""

import argparse

from data.errors import run
from data.home import home
from data.releases import Releases


def main() -> int:
    """Move the pointer back by one promotion."""
    argparse.ArgumentParser(
        prog="python -m alignment.rollback",
        description="Go back to the champion before this one. Running bots take it over by themselves.",
    ).parse_args()
    releases = Releases(home())
    before = releases.champion()
    number = releases.rollback()
    print(f"The champion is release {number} again; release {before} stays on disk.")
    return 0


if __name__ == "__main__":
    run(main)
