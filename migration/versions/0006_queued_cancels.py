"""An index, empty as long as all is well, of waiting jobs whose cancel was requested.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

_WHERE = "status = 'queued' AND cancel_requested_at IS NOT NULL"


def upgrade() -> None:
    op.create_index("ix_jobs_cancelled", "jobs", ["id"], unique=False, postgresql_where=sa.text(_WHERE))


def downgrade() -> None:
    op.drop_index("ix_jobs_cancelled", table_name="jobs", postgresql_where=sa.text(_WHERE))
