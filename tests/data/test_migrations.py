import asyncio
import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from data import migrations
from data.database import NAME
from data.errors import BadInput, ParleyError
from data.schema import Base
from data.store import Store
from tests.data.talk import script


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / NAME


def tables(database: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def hidden(house: Path) -> list[Path]:
    return list(house.glob(".*"))


def revision(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version of Parley with one more migration; returns the file, to be changed."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    own = Path(migrations.__file__).parent
    for path in [own / "env.py", own / "script.py.mako", *(own / "versions").glob("*.py")]:
        (folder / path.relative_to(own)).write_text(path.read_text())
    head = ScriptDirectory(str(own)).get_current_head()
    path = folder / "versions" / "9999_later.py"
    path.write_text(
        f"from alembic import op\nrevision = '9999'\ndown_revision = '{head}'\n\n"
        "def upgrade():\n    op.execute('CREATE TABLE later (id INTEGER)')\n    op.execute('DROP TABLE settings')\n"
    )
    monkeypatch.setattr(migrations, "__file__", str(folder / "__init__.py"))
    return path


def test_the_files_are_named_after_their_revisions_in_their_order() -> None:
    scripts = [*ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()]
    assert [script.revision for script in reversed(scripts)] == migrations._revisions()


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Path) -> None:
    migrations.migrate(database)
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()
    assert tables(database) == {*Base.metadata.tables, "alembic_version"}


def test_a_second_time_changes_nothing(database: Path) -> None:
    migrations.migrate(database)
    before = database.read_bytes()
    migrations.migrate(database)
    assert database.read_bytes() == before
    assert not list(database.parent.glob("*backup*"))


async def test_a_newer_schema_is_refused_and_left_alone(house: Path) -> None:
    await (await Store.open(house)).close()
    with contextlib.closing(sqlite3.connect(house / NAME)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '8888'")
    with pytest.raises(BadInput, match=r"newer version of Parley \(schema 8888; this version knows up to 0\d{3}\)"):
        await Store.open(house)
    assert revision(house / NAME) == "8888"


async def test_a_backup_is_made_before_migrating(house: Path, request: pytest.FixtureRequest) -> None:
    store = await Store.open(house)
    before = revision(house / NAME)
    await store.person("terminal", "ada")
    request.getfixturevalue("later")
    store_after = await Store.open(house)  # while the old one is still open
    assert revision(house / NAME) == "9999"
    assert "later" in tables(house / NAME)
    backup = house / f"{NAME}.backup-{before}"
    assert revision(backup) == before
    assert "settings" in tables(backup)
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (1,)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    await store_after.close()
    await store.close()
    assert not hidden(house)


def test_a_migration_that_fails_leaves_the_database_as_it_was(database: Path, later: Path) -> None:
    own = Path(migrations.__file__).parent
    migrations.migrate(database)
    good = later.read_text()
    before_it = ScriptDirectory(str(own)).get_revision("9999").down_revision
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript("DROP TABLE later; CREATE TABLE settings (id INTEGER)")
        connection.execute("UPDATE alembic_version SET version_num = ?", (before_it,))
    before = tables(database)
    later.write_text(good + "    raise RuntimeError('half way')\n")
    with pytest.raises(RuntimeError, match="half way"):
        migrations.migrate(database)
    assert tables(database) == before
    assert revision(database) == before_it
    later.write_text(good)
    migrations.migrate(database)
    assert revision(database) == "9999"


@pytest.mark.played
@pytest.mark.parametrize("table", [1, 5, 12])
def test_a_death_in_the_first_migration_leaves_a_database_that_can_begin_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, table: int
) -> None:
    real = op.create_table
    made: list[str] = []

    def create(name: str, *columns: object, **more: object) -> object:
        made.append(name)
        if len(made) == table:
            raise SystemExit
        return real(name, *columns, **more)

    monkeypatch.setattr(op, "create_table", create)
    with pytest.raises(SystemExit):
        migrations.migrate(database)
    assert tables(database) == set()
    monkeypatch.setattr(op, "create_table", real)
    migrations.migrate(database)
    assert tables(database) >= set(Base.metadata.tables)


@pytest.mark.process
def test_processes_that_migrate_at_once_all_succeed(house: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\nfrom data.store import Store\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "async def main():\n"
        "    store = await Store.open(pathlib.Path(sys.argv[1]))\n"
        "    print(await store.person('terminal', 'ada'))\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    processes = [script(house, "-c", program, str(house)) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate() for process in processes]
    assert [out for out, _ in ends] == ["1\n"] * 2, ends
    assert not list(house.glob("*backup*"))


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_not_a_database_gives_a_sentence(house: Path, content: bytes) -> None:
    house.mkdir()
    (house / NAME).write_bytes(content)
    said = r"parley\.db cannot be read as Parley's database: .*python -m data restore"
    with pytest.raises(ParleyError, match=said):
        asyncio.run(Store.open(house))
    assert (house / NAME).read_bytes() == content
