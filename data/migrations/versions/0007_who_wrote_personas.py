"""Who wrote the system prompts that are not shipped: the managers who wrote a server's personas."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "seed"


def upgrade() -> None:
    """Add the columns and the table, filled in from the audit log.

    It says who wrote which persona of a server, and when. Of a text that was replaced since, only the server is
    known: its authors are all people who wrote personas there.
    """
    op.add_column("system_prompts", sa.Column("server", sa.String(length=40), nullable=True))
    op.add_column("system_prompts", sa.Column("written_at", sa.DateTime(), nullable=True))
    op.create_table(
        "system_prompt_authors",
        sa.Column("prompt_id", sa.Integer(), sa.ForeignKey("system_prompts.id"), nullable=False),
        sa.Column("person_id", sa.Integer(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("prompt_id", "person_id"),
    )
    op.create_index("ix_system_prompt_authors_person_id", "system_prompt_authors", ["person_id"])
    connection = op.get_bind()
    wrote: dict[str, dict[str, dict[int, str]]] = {}  # server -> persona -> who wrote it, and when first
    entries = connection.exec_driver_sql(
        "SELECT servers.platform_id, deeds.what, deeds.person_id, deeds.at FROM deeds"
        " JOIN servers ON servers.id = deeds.server_id WHERE deeds.deed = 'persona_write' ORDER BY deeds.id"
    )
    for server, what, person, at in entries.fetchall():
        wrote.setdefault(server, {}).setdefault(json.loads(what).get("name", ""), {}).setdefault(person, at)
    now = connection.exec_driver_sql(
        "SELECT id, scope_id, value FROM settings WHERE key = 'personas' AND scope = 'server'"
    ).fetchall()
    current: dict[str, dict[str, dict[int, str]]] = {}  # server -> text -> its authors
    for number, server, value in now:
        personas = json.loads(value)["is"]
        for name, persona in personas.items():
            authors = wrote.get(server, {}).get(name, {})
            persona["authors"] = {str(person): f"{at.replace(' ', 'T')}+00:00" for person, at in authors.items()}
            current.setdefault(server, {})[persona["system_prompt"]] = authors
        connection.execute(
            sa.text("UPDATE settings SET value = :value WHERE id = :id"),
            {"value": json.dumps({"is": personas}), "id": number},
        )
    used = connection.exec_driver_sql(
        "SELECT DISTINCT system_prompts.id, system_prompts.text, servers.platform_id FROM system_prompts"
        " JOIN generations ON generations.system_prompt_id = system_prompts.id"
        " JOIN conversations ON conversations.id = generations.conversation_id"
        " JOIN servers ON servers.id = conversations.server_id"
    ).fetchall()
    shipped = {
        each["system_prompt"]
        for path in _SEED.glob("*/persona.json")
        for each in json.loads(path.read_text(encoding="utf-8")).values()
    }
    for number, text, server in used:
        if text in shipped or not text:
            continue
        here = current.get(server, {})
        if text not in here and server not in wrote:
            continue  # nobody wrote personas there
        authors = dict(here.get(text, {}))
        if text not in here:
            for people in wrote[server].values():
                for person, at in people.items():
                    authors[person] = min(at, authors.get(person, at))
        connection.execute(
            sa.text("UPDATE system_prompts SET server = :server, written_at = CURRENT_TIMESTAMP WHERE id = :id"),
            {"server": server, "id": number},
        )
        for person, at in authors.items():
            connection.execute(
                sa.text("INSERT OR IGNORE INTO system_prompt_authors VALUES (:prompt, :person, :at)"),
                {"prompt": number, "person": person, "at": at},
            )
