"""Which files may import which, read from the source: no arrow points up, no circle, no torch in `bot` and `data`.

An arrow is any import of one of our own files by another: at the top, under TYPE_CHECKING, or inside a function.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors", "bitsandbytes"}
FORBIDDEN = {
    "bot": {*TRAINING, "alignment"},
    "alignment": {"bot", "discord"},
    "data": {*TRAINING, "alignment", "bot", "discord", "openai", "xllamacpp"},
}
# Functions whose first argument is a module's name.
BY_CALL = ("import_module", "__import__", "run_module", "find_spec")
# The one place outside `alignment` that calls the library `datasets`, inside a function: it reads tables.
READS_DATASETS = ("data/reading.py", "datasets", "_library")

# The floors of the house, the lowest first. A file belongs to the longest name that its own begins with, so "bot" is
# every file of bot/ that no other line names. A file imports from its own room and from lower floors only; rooms on
# one floor do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("data",),
    # what talks
    ("bot.texts",),
    ("bot.access", "bot.rate_limit", "bot.settings"),
    ("bot.answers",),
    ("bot.engine", "bot.moderation"),
    ("bot",),  # the pure core
    ("bot.discord", "bot.terminal", "bot.web"),
    ("bot.__main__", "parley"),
    # what learns
    ("alignment.gpu", "alignment.intervals", "alignment.quiet"),
    ("alignment.convert", "alignment.rows"),
    ("alignment.templates",),
    ("alignment.models",),
    ("alignment.fast",),
    ("alignment.training",),
    ("alignment.rewards", "alignment.serving"),
    ("alignment.conversion", "alignment.evaluation"),
    ("alignment.rl", "alignment.search", "alignment.shelf"),
    ("alignment.stages",),
    ("alignment.rounds", "alignment.watching"),
    ("alignment.influence",),
    ("alignment",),  # the commands
)

# The files whose functions import our own modules: how many functions, and why. All other imports are at the top.
INSIDE: dict[str, tuple[int, str]] = {
    "parley.py": (1, "discord.py and the bot are loaded only after the check that the packages are ours"),
    "bot/__main__.py": (2, "--help needs no pydantic, and no platform needs what is only for another one"),
    "bot/terminal/start.py": (1, "a pipe needs no prompt_toolkit"),
    "data/figures.py": (1, "the bot starts without numpy"),
    "data/review_beside.py": (2, "the bot starts without numpy"),
    "data/__main__.py": (1, "--help needs no SQLAlchemy"),
    "alignment/bases.py": (1, "--help needs neither SQLAlchemy nor rich"),
    "alignment/command.py": (1, "--help of the stages needs no torch"),
    "alignment/sft.py": (1, "--help needs no torch; one import, of the stage"),
    "alignment/dpo.py": (1, "--help needs no torch; one import, of the stage"),
    "alignment/kto.py": (1, "--help needs no torch; one import, of the stage"),
    "alignment/reward.py": (1, "--help needs no torch; one import, of the stage"),
    "alignment/ppo.py": (1, "--help needs no torch; one import, of the stage"),
    "alignment/evaluate.py": (1, "--help needs no scipy"),
    "alignment/round.py": (1, "--help needs no SQLAlchemy and no scipy"),
    "alignment/rounds/plan.py": (1, "--help needs no numpy"),
    "alignment/release.py": (1, "--help needs no SQLAlchemy and no rich"),
    "alignment/promote.py": (1, "--help needs no SQLAlchemy"),
    "alignment/demo.py": (1, "the first answer comes before torch is loaded"),
    "alignment/why.py": (1, "--help needs neither torch nor SQLAlchemy"),
    "alignment/evaluation/likelihood.py": (1, "--help of the commands needs neither torch nor TRL"),
    "alignment/evaluation/judges.py": (1, "only a reward model as judge needs torch"),
    "alignment/evaluation/best_of.py": (1, "only a reward model as judge needs torch"),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name in full (`data.errors.BadInput`), its line, and the function it stands in ("" for none)."""

    name: str
    line: int
    function: str

    @property
    def package(self) -> str:
        """The first part of the name; `?` for a relative import that leaves the repository."""
        return self.name.partition(".")[0]


def imports(
    path: Path, tree: ast.AST, function: str = "", scope: str = "", *, calls: bool = True
) -> Iterator[Import]:
    """Every import in a file, wherever it stands: at the top, under TYPE_CHECKING, in a function, as a string.

    `function` and `scope` are for the recursion: the outermost function around `tree`, and the class. Without `calls`
    no expression is read: a file that has none of the names in `BY_CALL` imports by statements alone.
    """
    for node in ast.iter_child_nodes(tree):
        if not calls and isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(path, node)
            yield from (Import(f"{source}.{alias.name}", node.lineno, function) for alias in node.names)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in BY_CALL:
                for argument in node.args[:1]:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield Import(argument.value, node.lineno, function)
        if isinstance(node, ast.ClassDef) and not function:
            yield from imports(path, node, "", f"{scope}{node.name}.", calls=calls)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(path, node, function or f"{scope}{node.name}", scope, calls=calls)
        else:
            yield from imports(path, node, function, scope, calls=calls)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    """The module that a `from` names, with the dots of a relative import resolved."""
    if not node.level:
        return node.module or ""
    folders = path.relative_to(ROOT).parts[:-1]
    if node.level > len(folders):
        return "?"
    return ".".join([*folders[: len(folders) + 1 - node.level], *filter(None, [node.module])])


def module_of(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def source() -> Mapping[str, tuple[Path, tuple[Import, ...]]]:
    """Every module of ours with its file and its imports. Each file is parsed once."""
    paths = [ROOT / "parley.py", *(path for package in FORBIDDEN for path in sorted((ROOT / package).rglob("*.py")))]
    return {module_of(path): (path, tuple(_read(path))) for path in paths}


def _read(path: Path) -> Iterator[Import]:
    text = path.read_text(encoding="utf-8")
    return imports(path, ast.parse(text), calls=any(name in text for name in BY_CALL))


def own(name: str, modules: Mapping[str, object]) -> str | None:
    """The module of ours that an imported name is, or is in; None for a library's."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Which modules of ours each module imports."""
    modules = source()
    return {
        name: frozenset(found for each in imported if (found := own(each.name, modules)) not in (None, name))
        for name, (_, imported) in modules.items()
    }


def file_of(module: str) -> str:
    """The path of a module's file, from the repository's root."""
    return source()[module][0].relative_to(ROOT).as_posix()


def test_the_packages_import_only_what_they_may() -> None:
    assert set(FORBIDDEN) < {name.partition(".")[0] for name in source()}
    for module, (path, imported) in source().items():
        package = module.partition(".")[0]
        for each in imported:
            place = f"{path.relative_to(ROOT)}, line {each.line}"
            excepted = (path.relative_to(ROOT).as_posix(), each.name, each.function) == READS_DATASETS
            assert excepted or each.package not in FORBIDDEN.get(package, ()), (
                f"{place}: {package} must not import {each.package}"
            )
            assert each.package not in ("tests", "?"), f"{place}: imports {each.package}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import torch.nn as x", {"torch.nn"}),
        ("from trl.trainer import y", {"trl.trainer.y"}),
        ("def f():\n    import bot.engine", {"bot.engine"}),
        ("if TYPE_CHECKING:\n    from alignment import z", {"alignment.z"}),
        ("importlib.import_module('peft.utils')", {"peft.utils"}),
        ("__import__('torch')", {"torch"}),
        ("from . import errors\nfrom .errors import x", {"data.errors", "data.errors.x"}),
        ("from .. import bot", {"?.bot"}),
        ("import json, torch", {"json", "torch"}),
    ],
)
def test_no_way_to_import_is_overlooked(text: str, names: set[str]) -> None:
    assert {each.name for each in imports(ROOT / "data" / "file.py", ast.parse(text))} == names


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("import data.home", ""),
        ("if TYPE_CHECKING:\n    import data.home", ""),
        ("class A:\n    import data.home", ""),
        ("def f():\n    if x:\n        import data.home", "f"),
        ("def f():\n    def g():\n        import data.home", "f"),
        ("class A:\n    async def f(self):\n        import data.home", "A.f"),
    ],
)
def test_imports_inside_functions_are_told_from_others(text: str, function: str) -> None:
    assert [each.function for each in imports(ROOT / "data" / "file.py", ast.parse(text))] == [function]


# -- circles --------------------------------------------------------------------------------------------------------


def circles(graph: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """The groups of nodes in which each reaches every other, by Tarjan's algorithm; single nodes are left out."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for below in sorted(graph[node]):
            if below not in index:
                visit(below)
                lowest[node] = min(lowest[node], lowest[below])
            elif below in stack:
                lowest[node] = min(lowest[node], index[below])
        if lowest[node] == index[node]:
            start = stack.index(node)
            group = sorted(stack[start:])
            del stack[start:]
            if len(group) > 1:
                found.append(group)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def way_round(graph: Mapping[str, frozenset[str]], group: list[str]) -> list[str]:
    """A shortest way from a node of a circle back to it, that node at both ends."""
    ways = []
    for start in group:
        queue, seen = [[start]], {start}
        while queue:
            way = queue.pop(0)
            if start in graph[way[-1]]:
                ways.append([*way, start])
                break
            following = [below for below in sorted(graph[way[-1]]) if below in group and below not in seen]
            seen.update(following)
            queue += [[*way, below] for below in following]
    return min(ways, key=len)


def test_a_circle_is_found_and_named() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"e"}, "e": {"d"}, "d": {"b"}, "f": {"a"}}
    frozen = {node: frozenset(below) for node, below in graph.items()}
    assert circles(frozen) == [["b", "c", "d", "e"]]
    assert way_round(frozen, ["b", "c", "d", "e"]) == ["b", "d", "b"]
    assert circles({"a": frozenset("b"), "b": frozenset()}) == []


def test_there_is_no_import_circle() -> None:
    found = []
    for group in circles(arrows()):
        way = " -> ".join(map(file_of, way_round(arrows(), group)))
        found.append(f"{len(group)} files: {', '.join(map(file_of, group))}\n    the shortest way round: {way}")
    assert not found, "import circles:\n  " + "\n  ".join(found)


# -- floors ---------------------------------------------------------------------------------------------------------


def room_of(module: str) -> tuple[int, str]:
    """The floor and the room that a module is in."""
    rooms = {room: floor for floor, row in enumerate(FLOORS) for room in row}
    room = max((name for name in rooms if module == name or module.startswith(f"{name}.")), key=len)
    return rooms[room], room


def test_no_arrow_points_to_a_higher_floor() -> None:
    up = set()
    for module, below in arrows().items():
        floor, room = room_of(module)
        for other in below:
            theirs, other_room = room_of(other)
            if other_room != room and theirs >= floor:
                up.add((file_of(module), file_of(other)))
    found = [f"{one} imports {other}" for one, other in sorted(up)]
    assert not found, "from a lower floor (or a room beside it) to a higher one:\n  " + "\n  ".join(found)


def test_every_room_of_the_floors_is_there() -> None:
    rooms = {room for row in FLOORS for room in row}
    assert rooms == {room_of(module)[1] for module in source()}


# -- imports inside functions ---------------------------------------------------------------------------------------


def test_own_modules_are_imported_at_the_top() -> None:
    modules = source()
    found = {
        file_of(module): sorted({each.function for each in imported if each.function and own(each.name, modules)})
        for module, (_, imported) in modules.items()
    }
    beyond = [
        f"{file}: in {', '.join(functions)}"
        for file, functions in found.items()
        if len(functions) > INSIDE.get(file, (0, ""))[0]
    ]
    assert not beyond, "imports of own modules inside functions, beyond what INSIDE allows:\n  " + "\n  ".join(beyond)
    fewer = {file: len(found.get(file, ())) for file, (count, _) in INSIDE.items()}
    fewer = {file: count for file, count in fewer.items() if count < INSIDE[file][0]}
    assert not fewer, f"fewer functions than INSIDE says; write these numbers, or drop those with 0: {fewer}"


# -- what is loaded -------------------------------------------------------------------------------------------------


def loaded(*modules: str) -> set[str]:
    """Which packages are loaded in a fresh process that imports these modules."""
    program = f"import sys, {', '.join(modules)}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def importable(package: str) -> list[str]:
    """The modules of a package, without its entries and what alembic runs by itself."""
    return [
        name
        for name in source()
        if name.startswith(f"{package}.") and not name.endswith(("__main__", ".env")) and ".versions." not in name
    ]


@pytest.mark.process
@pytest.mark.parametrize("package", ["data", "bot"])
def test_neither_bot_nor_data_loads_torch(package: str) -> None:
    # Every module of the package in one process: what one of them loads, directly or not, is found.
    assert loaded(package, *importable(package)).isdisjoint(FORBIDDEN[package])


@pytest.mark.process
def test_the_bot_starts_without_what_only_rows_and_migrations_need() -> None:
    found = loaded("bot.terminal.chat", "bot.discord.client")
    assert found.isdisjoint({"numpy", "scipy", "datasketch", "alembic", "matplotlib"})
