"""Sessions keep the token version of their login

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "login_sessions", sa.Column("token_version", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.execute("UPDATE login_sessions SET token_version = users.token_version FROM users WHERE users.id = owner_id")


def downgrade() -> None:
    op.drop_column("login_sessions", "token_version")
