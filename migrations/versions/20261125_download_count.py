"""how often checkpoints and datasets are downloaded"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a94e27c1d053"
down_revision: str | None = "c4a7e2d90b16"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "download_count",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("checkpoint_id", sa.BigInteger(), nullable=True),
        sa.Column("dataset_id", sa.BigInteger(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("num_nonnulls(checkpoint_id, dataset_id) = 1", name=op.f("ck_download_count_one_subject")),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoint.id"], name=op.f("fk_download_count_checkpoint_id")),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_download_count_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_download_count")),
    )
    op.create_index("uq_download_count_checkpoint_id_day", "download_count", ["checkpoint_id", "day"], unique=True)
    op.create_index("uq_download_count_dataset_id_day", "download_count", ["dataset_id", "day"], unique=True)


def downgrade() -> None:
    op.drop_table("download_count")
