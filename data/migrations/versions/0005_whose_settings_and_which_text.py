"""The servers that channels' settings belong to, and when each version of the consent text came into use."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both, filled in as far as the old data tells, and stop servers that the bot has left from teaching."""
    op.add_column("settings", sa.Column("server", sa.String(length=40), nullable=True))
    # A conversation's key begins with its channel, or with its thread's channel and the thread.
    op.execute("""
        UPDATE settings SET server = (
            SELECT servers.platform_id FROM conversations JOIN servers ON servers.id = conversations.server_id
            WHERE conversations.key LIKE settings.scope_id || ':%'
                OR conversations.key LIKE settings.scope_id || '/%'
                OR conversations.key LIKE '%/' || settings.scope_id || ':%'
            LIMIT 1
        ) WHERE scope = 'channel'
    """)
    op.create_table(
        "consent_texts",
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.execute("INSERT INTO consent_texts SELECT text_version, MIN(at) FROM consents GROUP BY text_version")
    op.execute("UPDATE servers SET may_teach = 0 WHERE left_at IS NOT NULL")
