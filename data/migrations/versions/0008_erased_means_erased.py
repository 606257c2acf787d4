"""Nothing tells erased words or people who left: keyed hashes, tombstones without times, a fingerprint of the key."""

import hashlib
import hmac
import itertools
import re
import secrets
import unicodedata
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NO_TIME = "2000-01-01 00:00:00.000000"
_MAY_BE_CONTENT = re.compile(r"[0-9a-f]{32}|\d+-[0-9a-f]{12}")


def upgrade() -> None:
    """Key what was not, and remove what should have gone with the texts.

    Without the key, which the store asks for before, hashes are keyed with one that nobody knows afterwards.
    """
    connection = op.get_bind()
    found = _key(connection)
    key = found or secrets.token_bytes(32)
    op.create_table("key_print", sa.Column("fingerprint", sa.String(length=64), primary_key=True))
    if found is not None:
        _run(connection, "INSERT INTO key_print VALUES (:it)", it=_keyed(found, "fingerprint"))
    functions = {
        "keyed": lambda rendered: _keyed(key, "prompt", rendered),
        "opening": lambda text: _keyed(key, "text", _normalised(text or "")),
        "rekeyed": lambda source: _rekeyed(key, source),
        "renamed": _renamed({}),
    }
    for name, function in functions.items():
        connection.connection.dbapi_connection.create_function(name, 1, function)  # type: ignore[union-attr]  # connected here
    _key_prompts(connection)
    _note_openings(connection, key)
    _forget_imported(connection)
    _forget_openings(connection, found)
    _unlink(connection)
    _replace_tombstones(connection)


def _key(connection: sa.Connection) -> bytes | None:
    """The key that lies beside the database; None without one."""
    databases = connection.exec_driver_sql("PRAGMA database_list").fetchall()
    path = Path(next(file for _, name, file in databases if name == "main") or ".").with_name("key")
    return path.read_bytes() if path.is_file() else None


def _key_prompts(connection: sa.Connection) -> None:
    _run(connection, "UPDATE generations SET rendered_sha256 = keyed(rendered_sha256)")
    _run(
        connection,
        "UPDATE generations SET rendered_sha256 = '' WHERE version_id IN"
        " (SELECT id FROM message_versions WHERE text IS NULL) OR id IN"
        " (SELECT generation_id FROM generation_context JOIN message_versions ON message_versions.id = version_id"
        " WHERE text IS NULL) OR system_prompt_id IN"
        " (SELECT id FROM system_prompts WHERE text = '' AND sha256 <> :empty)",
        empty=hashlib.sha256(b"").hexdigest(),
    )


def _note_openings(connection: sa.Connection, key: bytes) -> None:
    """Answers learn how their prompts open, as long as all of a prompt is there."""
    op.add_column("generations", sa.Column("opening", sa.String(length=64), nullable=True))
    op.create_index("ix_generations_opening", "generations", ["opening"])
    turns = connection.exec_driver_sql(
        "SELECT generation_id, role, message_versions.author_id, text FROM generation_context JOIN message_versions"
        " ON message_versions.id = version_id LEFT JOIN messages ON messages.id = message_id"
        " ORDER BY generation_id, position"
    )
    # Read as it comes, since all contexts of a large home are far more than its memory.
    found: list[tuple[str, int]] = []
    for number, context in itertools.groupby(turns, key=lambda turn: turn[0]):
        said = [(role or "user", author, text) for _, role, author, text in context]
        if all(text is not None for *_, text in said):
            found.append((_keyed(key, "text", _normalised(_opening(said))), number))
    if found:
        connection.exec_driver_sql("UPDATE generations SET opening = ? WHERE id = ?", found)


def _opening(said: list[tuple[str, int | None, str]]) -> str:
    """The first thing that people say, with the speakers' names where several speak."""
    people = list(dict.fromkeys(author for role, author, _ in said if role == "user"))
    names = {author: f"Person {number}: " for number, author in enumerate(people, 1)} if len(people) > 1 else {}
    first = itertools.dropwhile(lambda turn: turn[0] != "user", said)
    run = itertools.takewhile(lambda turn: turn[0] == "user", first)
    return "\n".join(f"{names.get(author, '')}{text}" for _, author, text in run)


def _forget_imported(connection: sa.Connection) -> None:
    """Imported rows learn how they open; of an erased one, the rater and a plain hash of its content go."""
    op.add_column("imported_rows", sa.Column("opening", sa.String(length=64), nullable=True))
    op.create_index("ix_imported_rows_opening", "imported_rows", ["opening"])
    _run(
        connection,
        "UPDATE imported_rows SET opening = opening((SELECT text FROM imported_texts JOIN message_versions ON"
        " message_versions.id = version_id WHERE row_id = imported_rows.id AND part IN ('messages', 'prompt') AND"
        " imported_texts.role = 'user' ORDER BY position LIMIT 1))",
    )
    _run(
        connection,
        "UPDATE imported_rows SET opening = NULL, rater = NULL, source_id = rekeyed(source_id) WHERE id IN"
        " (SELECT row_id FROM imported_texts JOIN message_versions ON message_versions.id = version_id"
        " WHERE text IS NULL)",
    )


def _forget_openings(connection: sa.Connection, key: bytes | None) -> None:
    """Groups lose names that are made of texts, and texts that open nothing any more lose their signatures."""
    _run(connection, "UPDATE fold_members SET group_id = renamed(group_id)")
    _run(connection, "UPDATE folds SET group_id = renamed(group_id)")
    if key is None:
        return
    _run(
        connection,
        "DELETE FROM fold_members WHERE length(signature) > 0 AND fingerprint NOT IN"
        " (SELECT opening FROM generations WHERE opening IS NOT NULL"
        " UNION SELECT opening FROM imported_rows WHERE opening IS NOT NULL)",
    )


def _unlink(connection: sa.Connection) -> None:
    """People who were forgotten lose the times and links of what was theirs.

    They are those who refused at the moment of a tombstone and of whom nothing is left.
    """
    for change in (
        "CREATE TEMPORARY TABLE gone AS SELECT DISTINCT person_id AS id FROM consents JOIN tombstones ON"
        " kind = 'person' AND abs(julianday(consents.at) - julianday(tombstones.at)) < 2 / 86400.0"
        " WHERE NOT granted AND person_id NOT IN (SELECT rater_id FROM ratings) AND person_id NOT IN"
        " (SELECT author_id FROM message_versions WHERE text IS NOT NULL AND author_id IS NOT NULL)",
        "CREATE TEMPORARY TABLE theirs AS SELECT id, message_id FROM message_versions"
        " WHERE author_id IN (SELECT id FROM gone)",
        "INSERT INTO theirs SELECT answers.id, answers.message_id FROM generations"
        " JOIN message_versions AS answers ON answers.id = generations.version_id AND answers.text IS NULL"
        " WHERE generations.id IN (SELECT generation_id FROM generation_context WHERE version_id IN"
        " (SELECT id FROM theirs))",
        "UPDATE message_versions SET erased_at = substr(erased_at, 1, 10) || ' 00:00:00.000000'"
        " WHERE erased_at IS NOT NULL",
        "UPDATE message_versions SET created_at = :none, erased_at = :none WHERE id IN (SELECT id FROM theirs)",
        "UPDATE generations SET created_at = :none WHERE version_id IN (SELECT id FROM theirs)",
        "UPDATE conversations SET created_at = :none WHERE id IN"
        " (SELECT conversation_id FROM messages WHERE author_id IN (SELECT id FROM gone))",
        "DELETE FROM platform_messages WHERE message_id IN (SELECT message_id FROM theirs)",
        "UPDATE messages SET created_at = :none WHERE id IN (SELECT message_id FROM theirs)",
        "UPDATE messages SET author_id = NULL WHERE author_id IN (SELECT id FROM gone)",
        "UPDATE message_versions SET author_id = NULL WHERE author_id IN (SELECT id FROM gone)",
        "DELETE FROM consents WHERE person_id IN (SELECT id FROM gone) AND id NOT IN"
        " (SELECT max(id) FROM consents GROUP BY person_id)",
        "UPDATE consents SET at = :none WHERE person_id IN (SELECT id FROM gone)",
        "UPDATE people SET created_at = :none WHERE id IN (SELECT id FROM gone)",
        "UPDATE deeds SET at = substr(at, 1, 10) || ' 00:00:00.000000' WHERE person_id IN (SELECT id FROM gone)",
        "DROP TABLE temp.theirs",
        "DROP TABLE temp.gone",
    ):
        _run(connection, change, **({"none": _NO_TIME} if ":none" in change else {}))


def _replace_tombstones(connection: sa.Connection) -> None:
    """Only the ids of rows, and of texts that were erased by an earlier version, are still needed."""
    op.drop_index("ix_tombstones_ref_hash", "tombstones")
    op.rename_table("tombstones", "older_tombstones")
    op.create_table(
        "tombstones",
        sa.Column("ref_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("ref_hash", "kind", "reason"),
        sqlite_with_rowid=False,
    )
    _run(
        connection,
        "INSERT OR IGNORE INTO tombstones SELECT ref_hash, kind, reason FROM older_tombstones"
        " WHERE kind IN ('row', 'text')",
    )
    op.drop_table("older_tombstones")


def _run(connection: sa.Connection, statement: str, **values: str) -> None:
    if values:
        connection.execute(sa.text(statement), values)
    else:
        connection.exec_driver_sql(statement)


def _renamed(names: dict[str, str]) -> Callable[[str], str]:
    """A function that gives each name a random one, always the same; `names` keeps them."""
    return lambda name: names.setdefault(name, secrets.token_hex(32))


# As these were when this migration was written: what is stored must not change with the code.
def _keyed(key: bytes, *parts: str) -> str:
    message = b"".join(len(raw).to_bytes(8, "big") + raw for raw in (part.encode() for part in parts))
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def _normalised(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(re.findall(r"\w+", plain)) or plain.strip()


def _rekeyed(key: bytes, source: str) -> str:
    start, _, row_id = source.partition(":")[2].partition(":")
    if not _MAY_BE_CONTENT.fullmatch(row_id):
        return source
    number, dash, content = row_id.rpartition("-")
    return f"import:{start}:{number}{dash}{_keyed(key, 'content', content)[: len(content)]}"
