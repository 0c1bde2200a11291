"""checkpoints and datasets on their way to a hub or a bucket of somebody's own"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "7c90b1e4d2f6"
down_revision: str | None = "b7d20c81f4e9"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
STATES = "'queued', 'running', 'cancelling', 'cancelled', 'failed', 'finished'"
UNDER_WAY = "state IN ('queued', 'running', 'cancelling')"
MOMENT = sa.DateTime(timezone=True)
NONE_YET = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "publication",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("checkpoint_id", sa.BigInteger()),
        sa.Column("dataset_id", sa.BigInteger()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("options", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("state", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=NONE_YET, nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default=NONE_YET, nullable=False),
        sa.Column("in_vain", sa.BigInteger(), server_default=NONE_YET, nullable=False),
        sa.Column("most_files", sa.BigInteger(), server_default=NONE_YET, nullable=False),
        sa.Column("lease_until", MOMENT),
        sa.Column("waiting_since", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("not_before", MOMENT),
        sa.Column("paths", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.Column("done_files", sa.BigInteger(), server_default=NONE_YET, nullable=False),
        sa.Column("done_bytes", sa.BigInteger(), server_default=NONE_YET, nullable=False),
        sa.Column("doing", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("commit", sa.Text()),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint("kind IN ('hub', 's3')", name=op.f("ck_publication_kind")),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_publication_state")),
        sa.CheckConstraint("(checkpoint_id IS NULL) <> (dataset_id IS NULL)", name=op.f("ck_publication_one_subject")),
        sa.CheckConstraint(f"secret IS NULL OR {UNDER_WAY}", name=op.f("ck_publication_no_secret_left")),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoint.id"], name=op.f("fk_publication_checkpoint_id")),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_publication_dataset_id")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_publication_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
    )
    op.create_index(op.f("ix_publication_checkpoint_id"), "publication", ["checkpoint_id"])
    op.create_index(op.f("ix_publication_dataset_id"), "publication", ["dataset_id"])
    op.create_index(
        "uq_publication_place_under_way",
        "publication",
        ["kind", "endpoint", "place"],
        unique=True,
        postgresql_where=sa.text(UNDER_WAY),
    )


def downgrade() -> None:
    op.drop_table("publication")
