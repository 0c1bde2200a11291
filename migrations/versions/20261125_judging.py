"""what judging asks for, the order of the queue, gold and repeats, invitations"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "ada45fbdee92"
down_revision: str | None = "f4de22abb32a"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

QUEUED = sa.text("open_slots > 0 AND NOT set_aside AND reserved_for IS NULL")
REASONS = "'random', 'imported', 'priority', 'urgent', 'reserved', 'gold', 'training', 'repeat', 'file'"
# (table, name of the constraint, what holds)
CHECKS = (
    ("project", "comments", "comments IN ('off', 'optional', 'required')"),
    ("project", "comment_min_length", "comment_min_length BETWEEN 0 AND 10000"),
    ("project", "item_order", "item_order IN ('random', 'imported', 'priority')"),
    ("project", "gold_share", "gold_share BETWEEN 0 AND 0.5"),
    ("project", "repeat_share", "repeat_share BETWEEN 0 AND 0.5"),
    ("item", "gold_has_no_slots", "gold IS NULL OR wanted = 0"),
    ("item", "training_is_gold", "gold IS NOT NULL OR NOT is_training"),
    ("item", "repeat_is_reserved", "repeat_of IS NULL OR reserved_for IS NOT NULL"),
    ("assignment", "reason", f"reason IN ({REASONS})"),
    ("membership", "role", "role IN ('annotator', 'manager')"),
)


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("invited_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(role = 'admin') = (project_id IS NULL)", name=op.f("ck_invitation_role_has_its_project")),
        sa.CheckConstraint("role IN ('annotator', 'manager', 'admin')", name=op.f("ck_invitation_role")),
        sa.ForeignKeyConstraint(["invited_by"], ["user.id"], name=op.f("fk_invitation_invited_by")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_invitation_project_id")),
        sa.ForeignKeyConstraint(["used_by"], ["user.id"], name=op.f("fk_invitation_used_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
    )
    op.create_index("ix_invitation_project_id", "invitation", ["project_id"], unique=False)
    op.create_index("uq_invitation_token_hash", "invitation", ["token_hash"], unique=True)
    op.add_column("assignment", sa.Column("reason", sa.Text(), server_default=sa.text("'random'"), nullable=False))
    op.add_column("item", sa.Column("set_aside", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("item", sa.Column("reserved_for", sa.BigInteger(), nullable=True))
    op.add_column("item", sa.Column("gold", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True))
    op.add_column("item", sa.Column("is_training", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("item", sa.Column("repeat_of", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_item_gold",
        "item",
        ["project_id", "is_training", "id"],
        unique=False,
        postgresql_where=sa.text("gold IS NOT NULL"),
    )
    op.create_index(
        "ix_item_repeat_of", "item", ["repeat_of"], unique=False, postgresql_where=sa.text("repeat_of IS NOT NULL")
    )
    op.create_index(
        "ix_item_reserved",
        "item",
        ["project_id", "reserved_for", "priority", "id"],
        unique=False,
        postgresql_where=sa.text("open_slots > 0 AND NOT set_aside AND reserved_for IS NOT NULL"),
    )
    op.create_foreign_key(op.f("fk_item_repeat_of"), "item", "item", ["repeat_of"], ["id"])
    op.create_foreign_key(op.f("fk_item_reserved_for"), "item", "user", ["reserved_for"], ["id"])
    op.add_column(
        "judgment",
        sa.Column(
            "dimensions",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column("judgment", sa.Column("skip_reason", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("membership", sa.Column("role", sa.Text(), server_default=sa.text("'annotator'"), nullable=False))
    op.add_column("project", sa.Column("asks_strength", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(
        "project", sa.Column("dimensions", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("project", sa.Column("comments", sa.Text(), server_default=sa.text("'optional'"), nullable=False))
    op.add_column(
        "project", sa.Column("comment_min_length", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("project", sa.Column("item_order", sa.Text(), server_default=sa.text("'random'"), nullable=False))
    op.add_column("project", sa.Column("gold_share", sa.Double(), server_default=sa.text("0.05"), nullable=False))
    op.add_column("project", sa.Column("repeat_share", sa.Double(), server_default=sa.text("0"), nullable=False))
    op.add_column("user", sa.Column("language", sa.Text(), nullable=True))
    op.execute(
        "UPDATE assignment SET reason = 'file' FROM \"user\" WHERE \"user\".id = user_id AND judge_kind = 'imported'"
    )
    op.drop_index("ix_item_queue", table_name="item", postgresql_where=sa.text("open_slots > 0"))
    op.create_index("ix_item_queue", "item", ["project_id", "priority", "id"], unique=False, postgresql_where=QUEUED)
    for table, name, holds in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, holds)


def downgrade() -> None:
    for table, name, _ in CHECKS:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.drop_index("ix_item_queue", table_name="item", postgresql_where=QUEUED)
    op.create_index(
        "ix_item_queue",
        "item",
        ["project_id", "priority", "id"],
        unique=False,
        postgresql_where=sa.text("open_slots > 0"),
    )
    op.drop_column("user", "language")
    op.drop_column("project", "repeat_share")
    op.drop_column("project", "gold_share")
    op.drop_column("project", "item_order")
    op.drop_column("project", "comment_min_length")
    op.drop_column("project", "comments")
    op.drop_column("project", "dimensions")
    op.drop_column("project", "asks_strength")
    op.drop_column("membership", "role")
    op.drop_column("judgment", "skip_reason")
    op.drop_column("judgment", "dimensions")
    op.drop_constraint(op.f("fk_item_reserved_for"), "item", type_="foreignkey")
    op.drop_constraint(op.f("fk_item_repeat_of"), "item", type_="foreignkey")
    op.drop_index(
        "ix_item_reserved",
        table_name="item",
        postgresql_where=sa.text("open_slots > 0 AND NOT set_aside AND reserved_for IS NOT NULL"),
    )
    op.drop_index("ix_item_repeat_of", table_name="item", postgresql_where=sa.text("repeat_of IS NOT NULL"))
    op.drop_index("ix_item_gold", table_name="item", postgresql_where=sa.text("gold IS NOT NULL"))
    op.drop_column("item", "repeat_of")
    op.drop_column("item", "is_training")
    op.drop_column("item", "gold")
    op.drop_column("item", "reserved_for")
    op.drop_column("item", "set_aside")
    op.drop_column("assignment", "reason")
    op.drop_index("uq_invitation_token_hash", table_name="invitation")
    op.drop_index("ix_invitation_project_id", table_name="invitation")
    op.drop_table("invitation")
