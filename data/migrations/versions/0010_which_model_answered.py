"""Which model an answer of release 0 came from: a home can be switched to another base."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: SQLite changes no row for that."""
    op.add_column("generations", sa.Column("model", sa.String(length=120), nullable=True))
