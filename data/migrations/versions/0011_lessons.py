"""Lessons: corrections and FAQ entries that stand in the prompts of similar questions."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables, empty: people who corrected answers before were not told of lessons."""
    op.create_table(
        "lessons",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rating_id", sa.Integer(), nullable=True),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("platform", sa.String(length=20), nullable=True),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("persona", sa.String(length=40), nullable=True),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("borne_out", sa.Boolean(), nullable=False),
        sa.Column("everybody_sees", sa.Boolean(), nullable=False),
        sa.Column("entry", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["rating_id"], ["ratings.id"]),
        sa.ForeignKeyConstraint(["question_id"], ["message_versions.id"]),
        sa.ForeignKeyConstraint(["answer_id"], ["message_versions.id"]),
        sa.ForeignKeyConstraint(["author_id"], ["people.id"]),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("rating_id"),
    )
    for column in ("question_id", "answer_id", "author_id", "server_id"):
        op.create_index(f"ix_lessons_{column}", "lessons", [column])
    op.create_index("ix_lessons_everywhere", "lessons", ["id"], sqlite_where=sa.text("scope = 'everywhere'"))
    op.create_index("ix_lessons_borne_out", "lessons", ["borne_out"], sqlite_where=sa.text("borne_out = 1"))
    op.create_table(
        "generation_lessons",
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("lesson_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"]),
        sa.ForeignKeyConstraint(["lesson_id"], ["lessons.id"]),
        sa.PrimaryKeyConstraint("generation_id", "position"),
    )
    op.create_index("ix_generation_lessons_lesson_id", "generation_lessons", ["lesson_id"])
