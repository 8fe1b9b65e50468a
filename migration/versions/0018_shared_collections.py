"""Collections that everybody of a tenant may read

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    private = sa.text("'private'")
    op.add_column("collections", sa.Column("visibility", sa.Text(), server_default=private, nullable=False))
    op.create_check_constraint(op.f("ck_collections_visibility"), "collections", "visibility IN ('private', 'tenant')")
    op.create_index(
        "ix_collections_shared",
        "collections",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("visibility = 'tenant' AND deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_collections_shared", table_name="collections")
    op.drop_constraint(op.f("ck_collections_visibility"), "collections", type_="check")
    op.drop_column("collections", "visibility")
