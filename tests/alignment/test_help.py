"""`--help` of the commands: it answers at once, so it loads nothing that takes long."""

import subprocess
import sys

import pytest

from tests.test_arrows import INSIDE, ROOT

# Importing these takes from half a second (SQLAlchemy) to many (torch).
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "sqlalchemy", "scipy", "datasketch", "matplotlib"}
# All but `watch`, which counts new feedback in the database at once and loads SQLAlchemy for that.
COMMANDS = [
    "sft",
    "dpo",
    "kto",
    "reward",
    "ppo",
    "round",
    "evaluate",
    "suites",
    "why",
    "export",
    "release",
    "promote",
]
COMMANDS += ["rollback", "bases", "demo"]


@pytest.mark.process
def test_help_of_no_command_loads_what_takes_long() -> None:
    program = (
        "import contextlib, io, runpy, sys\n"
        "for name in sys.argv[1].split():\n"
        "    sys.argv = [name, '--help']\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as said:\n"
        "        try:\n            runpy.run_module(f'alignment.{name}', run_name='__main__')\n"
        "        except SystemExit as end:\n            assert not end.code, name\n"
        "    assert '--' in said.getvalue(), name\n"
        f"    print(name, *sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, " ".join(COMMANDS)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == COMMANDS


def test_every_command_with_imports_inside_a_function_is_tried() -> None:
    commands = {
        file.removeprefix("alignment/").removesuffix(".py") for file in INSIDE if file.startswith("alignment/")
    }
    assert {name for name in commands if "/" not in name} - {"command"} <= set(COMMANDS)
