"""tries of passwords, whom an invitation is for, and indexes for a project's owner: what was done to it, what happened lately"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c71d0f6a2b94"
down_revision: str | None = "ada45fbdee92"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "sign_in_attempt",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_attempt")),
    )
    op.add_column("invitation", sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_index("ix_audit_subject", "audit", ["subject", "id"], unique=False)
    op.create_index("ix_judgment_created_at", "judgment", ["created_at"], unique=False, postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_judgment_created_at", table_name="judgment", postgresql_using="brin")
    op.drop_index("ix_audit_subject", table_name="audit")
    op.drop_column("invitation", "note")
    op.drop_table("sign_in_attempt")
