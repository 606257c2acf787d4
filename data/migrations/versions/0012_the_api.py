"""The API: the keys of programs, and the histories by which their conversations are found again."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables, empty."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("may_chat", sa.Boolean(), nullable=False),
        sa.Column("may_feedback", sa.Boolean(), nullable=False),
        sa.Column("may_rows", sa.Boolean(), nullable=False),
        sa.Column("consent_text", sa.String(length=40), nullable=True),
        sa.Column("hourly", sa.Integer(), nullable=False),
        sa.Column("hourly_per_user", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("secret_sha256"),
    )
    op.create_table(
        "histories",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_histories_message_id", "histories", ["message_id"])
