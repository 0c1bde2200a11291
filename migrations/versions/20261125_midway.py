"""what a run's model says midway: its questions, and what it said to each after how many steps"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "7c20e5b9a4d1"
down_revision: str | None = "5d0c7be3a914"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "run_question",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("asked", JSON, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_question_run_id")),
        sa.PrimaryKeyConstraint("run_id", "place", name=op.f("pk_run_question")),
    )
    op.create_table(
        "run_sample",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("said", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "place"],
            ["run_question.run_id", "run_question.place"],
            name=op.f("fk_run_sample_run_id_place"),
        ),
        sa.PrimaryKeyConstraint("run_id", "place", "step", name=op.f("pk_run_sample")),
    )


def downgrade() -> None:
    for table in ("run_sample", "run_question"):
        op.drop_table(table)
