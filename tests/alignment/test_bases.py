"""The command line of `python -m alignment.bases`, and what `add` refuses before it loads anything."""

import subprocess
import sys

import pytest

from alignment import bases as command
from data.errors import BadInput


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    return tmp_path / "bases"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("smollm2-135m", "is the bundled base model, which is fetched by `make setup`"),
        ("../fern", "cannot be the name of a base"),
        (".fern", "cannot be the name of a base"),
        ("f" * 65, "cannot be the name of a base"),
    ],
)
def test_names_that_cannot_be_added_are_refused_first(name, sentence, shelf):
    with pytest.raises(BadInput, match=sentence):
        command.main(["add", name, "--model", "/no/such/folder"])
    assert not shelf.exists()


@pytest.mark.parametrize("flags", [["--gguf", "f", "--no_gguf"], ["--quantise", "q8_0", "--gguf", "f"], []])
def test_flags_that_exclude_each_other_are_refused(flags, capsys):
    model = ["--model", "m"] if flags else []
    with pytest.raises(SystemExit):
        command.main(["add", "fern", *model, *flags])
    assert "--model" in (error := capsys.readouterr().err) or "not allowed with" in error


@pytest.mark.process
def test_help_loads_neither_torch_nor_rich():
    program = (
        "import sys, alignment.bases as b\ntry: b.main(['--help'])\nexcept SystemExit: pass\n"
        "print({'torch', 'transformers', 'rich', 'gguf', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240)
    assert result.stdout.splitlines()[-1] == "set()"
