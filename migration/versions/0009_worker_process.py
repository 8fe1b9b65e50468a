"""Which incarnations are of one worker process.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("process_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "process_id")
