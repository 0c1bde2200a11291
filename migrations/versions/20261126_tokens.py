"""tokens bound to projects, and when each was used last"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "5d0c7be3a914"
down_revision: str | None = "5d0f3ab7c914"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("api_token", sa.Column("project_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True))
    op.add_column("api_token", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_api_token_bound_to_something"), "api_token", "cardinality(project_ids) > 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_api_token_bound_to_something"), "api_token", type_="check")
    op.drop_column("api_token", "last_used_at")
    op.drop_column("api_token", "project_ids")
