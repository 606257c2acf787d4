"""`python -m alignment.export`: what it writes, what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from alignment.export import main
from data.errors import BadInput, NothingToDo, run
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.alignment import tiny
from tests.alignment.serving.adapters import adapter

pytestmark = pytest.mark.tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Path:
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["export", *map(str, words)])
    return main()


def test_the_command_exports_what_an_adapter_names(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    assert command(monkeypatch, "--adapter", saved, "--gguf", tmp_path / "a.gguf", "--no-check") == 0
    assert (
        command(monkeypatch, "--adapter", saved, "--merge", tmp_path / "merged", "--base", llama, "--no-check") == 0
    )
    assert "it was not checked" in capsys.readouterr().out
    assert (tmp_path / "a.gguf").is_file()
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    with pytest.raises(BadInput, match="was not added here"):
        command(monkeypatch, "--adapter", saved, "--gguf", tmp_path / "b.gguf")
    assert not (tmp_path / "b.gguf").exists()


def test_the_command_fills_in_a_releases_own_file_once(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))

    def build(folder: Path) -> ReleaseManifest:
        adapter(llama, folder / "adapter")
        return ReleaseManifest(base=str(llama))

    release = Releases(tmp_path).create(build)
    whole = Releases(tmp_path).create(lambda _: ReleaseManifest(base=str(llama), kind="model"))
    assert command(monkeypatch, "--release", release.number, "--no-check") == 0
    assert release.adapter_gguf.is_file()
    with pytest.raises(NothingToDo, match="already"):
        command(monkeypatch, "--release", release.number)
    with pytest.raises(BadInput, match="whole model"):
        command(monkeypatch, "--release", whole.number)
    with pytest.raises(BadInput, match="no release 9"):
        command(monkeypatch, "--release", 9)
    with pytest.raises(SystemExit) as stopped:
        run(lambda: command(monkeypatch, "--release", release.number))
    assert stopped.value.code == 1


@pytest.mark.parametrize(
    "words",
    [[], ["--adapter", "x"], ["--release", 1, "--base", "b"], ["--release", 1, "--gguf", "a", "--merge", "b"]],
)
def test_the_command_refuses_what_does_not_go_together(monkeypatch: pytest.MonkeyPatch, words: list) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(monkeypatch, *words)
    assert stopped.value.code == 2


@pytest.mark.process
def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, alignment.export as e; e._parser().format_help(); "
        "sys.exit(bool({'torch', 'transformers', 'peft', 'gguf', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=240).returncode == 0
