"""Arrows point down only: `bot -> data`, `alignment -> data`. Nothing that serves or remembers loads torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors", "bitsandbytes"}
FORBIDDEN = {
    "bot": {*TRAINING, "alignment"},
    "alignment": {"bot", "discord"},
    "data": {*TRAINING, "alignment", "bot", "discord", "openai", "xllamacpp"},
}


def imported(path: Path, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every package that a file names in an import, wherever it stands: at the top, in a function, as a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # from . import x: counted from the folder that the file is in
                here = path.relative_to(ROOT).parts
                yield here[max(0, len(here) - 1 - node.level)] if node.level < len(here) else "?", node.lineno
            else:
                yield (node.module or "").partition(".")[0], node.lineno
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__", "run_module", "find_spec"):
                for argument in node.args[:1]:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value.partition(".")[0], node.lineno


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", FORBIDDEN)
def test_arrows_point_down_only(package: str) -> None:
    assert files(package)
    for path in files(package):
        for name, line in imported(path, ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(ROOT)}, line {line}"
            assert name not in FORBIDDEN[package], f"{place}: {package} must not import {name}"
            assert name not in ("tests", "?"), f"{place}: imports {name}"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import torch.nn as x", {"torch"}),
        ("from trl.trainer import y", {"trl"}),
        ("def f():\n    import bot.engine", {"bot"}),
        ("if TYPE_CHECKING:\n    from alignment import z", {"alignment"}),
        ("importlib.import_module('peft.utils')", {"peft"}),
        ("__import__('torch')", {"torch"}),
        ("from . import errors\nfrom .errors import x", {"data"}),
        ("from .. import bot", {"?"}),
        ("import json, torch", {"json", "torch"}),
    ],
)
def test_no_way_to_import_is_overlooked(source: str, names: set[str]) -> None:
    assert {name for name, _ in imported(ROOT / "data" / "file.py", ast.parse(source))} == names


def loaded(*modules: str) -> set[str]:
    """Which packages are loaded in a fresh process that imports these modules."""
    program = f"import sys, {', '.join(modules)}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def modules(package: str) -> list[str]:
    """The modules of a package, without its entries and what alembic runs by itself."""
    found = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files(package)]
    return [
        name for name in found if not name.endswith(("__main__", "__init__", ".env")) and ".versions." not in name
    ]


@pytest.mark.parametrize("package", ["data", "bot"])
def test_what_remembers_and_talks_loads_no_torch(package: str) -> None:
    # Every module of the package in one process: what one of them loads, directly or not, is found.
    assert loaded(package, *modules(package)).isdisjoint(FORBIDDEN[package] - {"discord", "openai", "xllamacpp"})


def test_the_store_loads_no_torch() -> None:
    assert loaded("data.store").isdisjoint(FORBIDDEN["data"])
