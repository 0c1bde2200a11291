"""columns that copy what the row above them says need no key of their own: the row above them has it"""

from collections.abc import Sequence

from alembic import op

revision: str = "8f2c6a41d7e3"
down_revision: str | None = "5b8e13c9d740"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COPIES = (
    ("assignment", "project_id", "project"),
    ("judgment", "project_id", "project"),
    ("judgment", "item_id", "item"),
    ("judgment", "user_id", "user"),
    ("preference", "project_id", "project"),
    ("preference", "item_id", "item"),
    ("preference", "prompt_id", "prompt"),
)


def upgrade() -> None:
    for table, column, _ in COPIES:
        op.drop_constraint(op.f(f"fk_{table}_{column}"), table, type_="foreignkey")


def downgrade() -> None:
    for table, column, target in COPIES:
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, target, [column], ["id"])
