"""Indexes by which a deletion, a purge and the counts stay fast however much is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them, in place of one that the first of them holds."""
    op.create_index("ix_ratings_current", "ratings", ["generation_id", "rater_id", "kind", "other_id", "value"])
    op.drop_index("ix_ratings_generation_id", "ratings")
    op.create_index("ix_ratings_void", "ratings", ["generation_id"], sqlite_where=sa.text("kind = 'void'"))
    corrected = sa.text("text_version_id IS NOT NULL")
    op.create_index("ix_ratings_text_version_id", "ratings", ["text_version_id"], sqlite_where=corrected)
    op.create_index("ix_generations_system_prompt_id", "generations", ["system_prompt_id"])
    op.create_index("ix_conversations_server_id", "conversations", ["server_id"])
    kept = sa.text("text IS NOT NULL")
    op.create_index("ix_message_versions_kept", "message_versions", ["created_at", "author_id"], sqlite_where=kept)
