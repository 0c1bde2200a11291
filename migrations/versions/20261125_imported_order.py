"""the queue in the order of the import"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5b8e13c9d740"
down_revision: str | None = "c71d0f6a2b94"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

QUEUED = sa.text("open_slots > 0 AND NOT set_aside AND reserved_for IS NULL")
SLOTLESS = "(gold IS NULL AND repeat_of IS NULL) = (wanted > 0)"


def upgrade() -> None:
    op.create_index(
        "ix_item_imported", "item", ["project_id", "created_at", "id"], unique=False, postgresql_where=QUEUED
    )
    op.drop_constraint(op.f("ck_item_gold_has_no_slots"), "item", type_="check")
    op.create_check_constraint(op.f("ck_item_only_ordinary_items_have_slots"), "item", SLOTLESS)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_item_only_ordinary_items_have_slots"), "item", type_="check")
    op.create_check_constraint(op.f("ck_item_gold_has_no_slots"), "item", "gold IS NULL OR wanted = 0")
    op.drop_index("ix_item_imported", table_name="item", postgresql_where=QUEUED)
