"""tags and a note for a run, what its supervisor sees of it, its tests by prompt, how busy a trainer's machine is"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "e41b7d9052fa"
down_revision: str | None = "a94e27c1d053"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    op.add_column("run", sa.Column("tags", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("run", sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_index("ix_run_tags", "run", ["tags"], postgresql_using="gin")
    op.add_column("trainer", sa.Column("usage", JSON, server_default=sa.text("'{}'"), nullable=False))
    op.create_table(
        "run_watch",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("usage", JSON, nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_watch_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_watch")),
    )
    op.create_table(
        "run_test",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("prompts", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_test_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_test")),
    )


def downgrade() -> None:
    for table in ("run_test", "run_watch"):
        op.drop_table(table)
    op.drop_column("trainer", "usage")
    op.drop_index("ix_run_tags", "run")
    op.drop_column("run", "note")
    op.drop_column("run", "tags")
