"""Which incarnations are of one worker process.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("process_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "process_id")
