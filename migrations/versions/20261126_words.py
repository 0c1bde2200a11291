"""what every key press writes is checked without parsing the check: words in domains"""

from collections.abc import Sequence

from alembic import op

revision: str = "6d0f3a92be15"
down_revision: str | None = "9d1c4e7a30b8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# domain, its words, and the column that is of it
WORDS = (
    ("assignment_state", "'open', 'done', 'expired', 'released'", "assignment", "state"),
    (
        "assignment_reason",
        "'random', 'imported', 'priority', 'urgent', 'reserved', 'gold', 'training', 'repeat', 'file'",
        "assignment",
        "reason",
    ),
    ("judgment_outcome", "'ranked', 'tie', 'all_bad', 'skip'", "judgment", "outcome"),
    ("judge_kind", "'human', 'imported', 'rule', 'model'", "judgment", "judge_kind"),
)


def upgrade() -> None:
    for domain, words, table, column in WORDS:
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table)
        op.execute(f"CREATE DOMAIN {domain} AS text CONSTRAINT {domain} CHECK (VALUE IN ({words}))")
    _change_types({(table, column): domain for domain, _, table, column in WORDS})
    op.drop_constraint(op.f("ck_item_wanted"), "item")  # 0 ≤ open slots ≤ wanted says it already


def downgrade() -> None:
    op.create_check_constraint(op.f("ck_item_wanted"), "item", "wanted >= 0")
    _change_types({(table, column): "text" for _, _, table, column in WORDS})
    for domain, words, table, column in WORDS:
        op.execute(f"DROP DOMAIN {domain}")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({words})")


def _change_types(types: dict[tuple[str, str], str]) -> None:
    """Each table is written anew once."""
    for changed in sorted({table for table, _ in types}):
        parts = [f"ALTER {column} TYPE {kind}" for (table, column), kind in types.items() if table == changed]
        op.execute(f"ALTER TABLE {changed} {', '.join(parts)}")
