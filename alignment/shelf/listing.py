"""The table of the bases on this machine."""

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from alignment.shelf.copying import amount
from alignment.shelf.using import users_of
from data.bases import BUNDLED, base_info, known_bases
from data.console import PlainConsole
from data.errors import BadInput
from data.home import bases_dir, home

_HEADINGS = ("name", "type", "context", "languages", "on disk", "served by", "licence", "thinks", "used by")
_WIDE = 120  # columns that the table needs
_BUNDLED_TYPES = {"smollm2-135m": "llama"}  # their base.json of earlier versions does not say it


def show(console: PlainConsole | None = None) -> None:
    """Print a line for each base, or a few on a narrow terminal, and a sentence for each that cannot be used."""
    console = console or PlainConsole()
    rows, problems = [], []
    for name in known_bases():
        try:
            rows.append(_row(name, home()))
        except BadInput as error:
            problems.append(str(error))
    if console.width < _WIDE:
        for name, *facts in rows:
            said = [f"{heading}: {fact}" for heading, fact in zip(_HEADINGS[1:], facts, strict=True) if fact]
            console.print(name, *(f"  {'; '.join(said[at : at + 3])}" for at in range(0, len(said), 3)), sep="\n")
    else:
        table = Table(title=f"Base models in {bases_dir()}", title_justify="left")
        for heading in _HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for problem in [*problems, *_unknown()]:
        console.print(problem, highlight=False)


def _row(name: str, where: Path) -> list[str]:
    folder, bundled = bases_dir() / name, BUNDLED.get(name)
    if not (folder / "base.json").is_file():
        return [name, _BUNDLED_TYPES.get(name, ""), "", "", "not here: `make setup`", "", "", "", ""]
    info = base_info(name)
    kind = info.quantisation or _of_bundled(name) or "own GGUF"
    return [
        name,
        info.architecture or _BUNDLED_TYPES.get(name, "unknown"),
        f"{info.context_length:,}",
        _languages(info.languages) or ("en" if bundled else "unknown"),
        amount(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())),
        f"embedded ({kind}{', merged' if info.merges else ''}), others" if info.gguf_sha256 else "others",
        info.licence or (bundled.licence if bundled else "unknown"),
        "switched off" if info.thinks else "no",
        ", ".join(users_of(name, where)) or "nothing here",
    ]


def _languages(codes: tuple[str, ...]) -> str:
    return ", ".join(codes[:4]) + (f" and {len(codes) - 4} more" if len(codes) > 4 else "")


def _of_bundled(name: str) -> str:
    return BUNDLED[name].member.rpartition(".gguf")[0].rpartition(".")[2].lower() if name in BUNDLED else ""


def _unknown() -> Iterator[str]:
    """Folders that look like bases and are none."""
    folder = bases_dir()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.name.startswith(".") and not (path / "base.json").is_file():
            yield f"{path} is not a base: it has no base.json. Nothing uses it; move it away."
