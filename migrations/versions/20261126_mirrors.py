"""how far a run has been told to each tracking server, for its page"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9d1c4e7a30b8"
down_revision: str | None = "b41f7e0c5a92"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "run_mirror",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_mirror_run_id")),
        sa.PrimaryKeyConstraint("run_id", "target", name=op.f("pk_run_mirror")),
    )


def downgrade() -> None:
    op.drop_table("run_mirror")
