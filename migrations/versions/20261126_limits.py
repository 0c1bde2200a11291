"""how many requests of a token each window has had, and answers kept for whoever asks again with the same key"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "d27c90b4e1f6"
down_revision: str | None = "e41b7d9052fa"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("api_token", sa.Column("rate_limit", sa.BigInteger(), nullable=True))
    op.create_table(
        "token_window",
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_token.id"], name=op.f("fk_token_window_token_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_token_window")),
    )
    op.create_table(
        "kept_answer",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_kept_answer")),
    )
    op.create_index(op.f("ix_kept_answer_created_at"), "kept_answer", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("kept_answer")
    op.drop_table("token_window")
    op.drop_column("api_token", "rate_limit")
