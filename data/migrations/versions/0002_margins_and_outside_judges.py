"""Margins of graded preferences, and the consent to an outside judge."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add nullable columns: existing rows have no margin, and nobody was asked about an outside judge."""
    op.add_column("imported_rows", sa.Column("margin", sa.Double(), nullable=True))
    op.add_column("imported_rows", sa.Column("outside_judge", sa.Boolean(), nullable=True))
    op.add_column("consents", sa.Column("outside_judge", sa.Boolean(), nullable=True))
