"""What must never be in the repository: large files, weights, generated state, paths of a developer's machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def tracked() -> list[Path]:
    """Every file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    if result.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_large_files_and_no_weights() -> None:
    for path in tracked():
        assert path.stat().st_size <= 1 << 20, path
        assert path.suffix not in (".safetensors", ".gguf", ".bin", ".pt", ".db"), path


def test_no_paths_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|opt/wheels|Users/\w+)/")
    for path in tracked():
        if path != Path(__file__):
            # A picture is not text, but may contain some.
            errors = "replace" if path.suffix == ".png" else "strict"
            assert not pattern.search(path.read_text(encoding="utf-8", errors=errors)), path


def test_every_test_folder_is_a_package() -> None:
    # Otherwise a test folder with the name of one of our packages would shadow that package.
    for folder in {path.parent for path in (ROOT / "tests").rglob("*.py")}:
        assert (folder / "__init__.py").is_file(), folder
