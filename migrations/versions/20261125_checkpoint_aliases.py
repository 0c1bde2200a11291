"""aliases of checkpoints, and checkpoints whose files are gone"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "8d3f1e6c0a27"
down_revision: str | None = "8f2c6a41d7e3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "checkpoint_alias",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("moved_by", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["checkpoint.name", "checkpoint.version"],
            name=op.f("fk_checkpoint_alias_name_version"),
        ),
        sa.ForeignKeyConstraint(["moved_by"], ["user.id"], name=op.f("fk_checkpoint_alias_moved_by")),
        sa.PrimaryKeyConstraint("name", "alias", name=op.f("pk_checkpoint_alias")),
    )
    op.add_column("checkpoint", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("checkpoint", "deleted_at")
    op.drop_table("checkpoint_alias")
