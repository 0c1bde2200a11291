"""an index of the responses that our own checkpoints wrote"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c4a7e2d90b16"
down_revision: str | None = "c6d1a84e9b35"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(
        "ix_response_by_checkpoint",
        "response",
        ["model"],
        unique=False,
        postgresql_where=sa.text("model LIKE 'tiebreak/%'"),
    )


def downgrade() -> None:
    op.drop_index("ix_response_by_checkpoint", table_name="response")
