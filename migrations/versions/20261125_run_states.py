"""states of a run that tell claimed from running and cancelling from either, moves between them, states kept to resume from"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c6d1a84e9b35"
down_revision: str | None = "3be90a7c5d12"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = "state IN ('queued', 'running', 'finished', 'failed', 'cancelled')"
AFTER = "state IN ('queued', 'claimed', 'running', 'cancelling', 'cancelled', 'failed', 'finished')"
LIVE_BEFORE = "state IN ('queued', 'running')"
LIVE_AFTER = "state IN ('queued', 'claimed', 'running', 'cancelling')"
REFUSE = """
CREATE FUNCTION refuse_run_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('queued', 'claimed'), ('queued', 'cancelled'),
        ('claimed', 'running'), ('claimed', 'cancelling'), ('claimed', 'queued'), ('claimed', 'failed'),
        ('running', 'finished'), ('running', 'cancelling'), ('running', 'queued'), ('running', 'failed'),
        ('cancelling', 'cancelled'), ('cancelling', 'failed'), ('cancelling', 'finished'),
        ('cancelled', 'queued'), ('failed', 'queued'), ('finished', 'queued')
    ) THEN
        RAISE EXCEPTION 'a run does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER run_move BEFORE UPDATE OF state ON run FOR EACH ROW WHEN (OLD.state <> NEW.state)
EXECUTE FUNCTION refuse_run_move()
"""


def upgrade() -> None:
    op.create_table(
        "run_keep",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("files", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("told", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("measured", sa.Float(), nullable=True),
        sa.Column("is_best", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_keep_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_keep")),
    )
    op.create_index("uq_run_keep_run_id_step", "run_keep", ["run_id", "step"], unique=True)
    op.create_index("uq_run_keep_best", "run_keep", ["run_id"], unique=True, postgresql_where=sa.text("is_best"))
    op.add_column("run", sa.Column("in_vain", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    _states(AFTER, LIVE_AFTER)
    op.execute("UPDATE run SET state = 'cancelling' WHERE state = 'running' AND cancel_requested_at IS NOT NULL")
    op.execute("UPDATE run SET in_vain = attempt")
    op.execute(REFUSE)
    op.execute(TRIGGER)
    op.drop_index("uq_checkpoint_run_id", table_name="checkpoint")
    op.create_index("uq_checkpoint_run_id_prefix", "checkpoint", ["run_id", "prefix"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_checkpoint_run_id_prefix", table_name="checkpoint")
    op.create_index("uq_checkpoint_run_id", "checkpoint", ["run_id"], unique=True)
    op.execute("DROP TRIGGER run_move ON run")
    op.execute("DROP FUNCTION refuse_run_move()")
    op.execute("UPDATE run SET state = 'running' WHERE state IN ('claimed', 'cancelling')")
    _states(BEFORE, LIVE_BEFORE)
    op.drop_column("run", "in_vain")
    op.drop_table("run_keep")


def _states(known: str, live: str) -> None:
    op.drop_constraint(op.f("ck_run_state"), "run", type_="check")
    op.create_check_constraint(op.f("ck_run_state"), "run", known)
    op.drop_index("ix_run_live", table_name="run")
    op.create_index("ix_run_live", "run", ["state", "id"], unique=False, postgresql_where=sa.text(live))
