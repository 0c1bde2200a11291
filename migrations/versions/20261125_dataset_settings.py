"""how judgments became a dataset's rows, what its page draws, and the key of annotators' pseudonyms"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "3be90a7c5d12"
down_revision: str | None = "5b0e9d27c4f1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for name in ("settings", "summary"):
        column = sa.Column(
            name, postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        )
        op.add_column("dataset", column)
    key = sa.Column(
        "pseudonym_key", sa.LargeBinary(), server_default=sa.text("uuid_send(gen_random_uuid())"), nullable=False
    )
    op.add_column("project", key)


def downgrade() -> None:
    op.drop_column("project", "pseudonym_key")
    op.drop_column("dataset", "summary")
    op.drop_column("dataset", "settings")
