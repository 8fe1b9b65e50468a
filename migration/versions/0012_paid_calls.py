"""Paid calls: the journal of answers, usage and cost, budgets and what is reserved from them

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None

_NOW = sa.text("now()")
_NOUGHT = sa.text("0")


def _money(name: str, *, nullable: bool = False, counts: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Numeric(20, 10), nullable=nullable, server_default=_NOUGHT if counts else None)


def _tokens(name: str, *, nullable: bool = False, counts: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=_NOUGHT if counts else None)


def _time(name: str, *, is_now: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=_NOW if is_now else None)


def upgrade() -> None:
    op.create_table(
        "paid_calls",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _time("created_at"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_paid_calls_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "step", "input_hash", "ordinal", name=op.f("pk_paid_calls")),
    )
    op.create_table(
        "usage_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        _tokens("input_tokens"),
        _tokens("output_tokens"),
        _tokens("cached_tokens"),
        _money("cost"),
        sa.Column("is_cached", sa.Boolean(), nullable=False),
        sa.Column("is_estimated", sa.Boolean(), nullable=False),
        _time("started_at", is_now=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_records")),
    )
    op.create_index("ix_usage_records_tenant_id", "usage_records", ["tenant_id", "started_at"], unique=False)
    op.create_index("ix_usage_records_owner_id", "usage_records", ["owner_id", "started_at"], unique=False)
    op.create_index("ix_usage_records_started_at", "usage_records", ["started_at"], unique=False)
    _create_budgets()


def _create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("period", sa.Text(), nullable=False),
        _money("max_cost", nullable=True),
        _tokens("max_tokens", nullable=True),
        sa.Column("is_imposed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _time("window_start", is_now=False),
        _money("spent_cost", counts=True),
        _tokens("spent_tokens", counts=True),
        _money("reserved_cost", counts=True),
        _tokens("reserved_tokens", counts=True),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("period IN ('day', 'month')", name=op.f("ck_budgets_period")),
        sa.CheckConstraint("max_cost IS NOT NULL OR max_tokens IS NOT NULL", name=op.f("ck_budgets_limit")),
        sa.CheckConstraint("reserved_cost >= 0 AND reserved_tokens >= 0", name=op.f("ck_budgets_reserved")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
    )
    op.create_index(
        "uq_budgets_tenant_id", "budgets", ["tenant_id", sa.text("coalesce(model, '')"), "period"], unique=True
    )
    op.create_table(
        "budget_reservations",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _time("window_start", is_now=False),
        _money("cost"),
        _tokens("tokens"),
        _time("created_at"),
        sa.ForeignKeyConstraint(
            ["budget_id"],
            ["budgets.id"],
            name=op.f("fk_budget_reservations_budget_id_budgets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("call_id", "budget_id", name=op.f("pk_budget_reservations")),
    )
    op.create_index("ix_budget_reservations_job_id", "budget_reservations", ["job_id"], unique=False)


def downgrade() -> None:
    for table in ("budget_reservations", "budgets", "usage_records", "paid_calls"):
        op.drop_table(table)
