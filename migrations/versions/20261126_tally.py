"""what is judged, added up as it comes in, so that whoever watches a project asks a few rows"""

# ruff: noqa: S608 -- what is put together here are constants of this file

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b41f7e0c5a92"
down_revision: str | None = "2f6b0d81c7a5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The number is `tally.LOCK`: nothing is added up while somebody changes what was added up before.
STILL = "PERFORM pg_advisory_xact_lock_shared(7210563)"
# A judgment is counted or not when it is stored; making its item gold, or ordinary again, changes that. Whoever made it is
# added up anew.
COUNTED = f"""
CREATE FUNCTION add_up_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {STILL};
    UPDATE judged SET newest = 0, turns = 0, ties = 0, skips = 0, counted = 0
        WHERE project_id = NEW.project_id AND user_id = NEW.user_id AND newest > 0;
    IF FOUND THEN
        DELETE FROM judged_hour WHERE project_id = NEW.project_id AND user_id = NEW.user_id;
    END IF;
    RETURN NULL;
END $$
"""
TOTALS = f"""
CREATE FUNCTION forget_item_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM changed WHERE wanted > 0) THEN  -- a repeat is made by a key press, and wants none
        {STILL};
        DELETE FROM item_total USING (SELECT DISTINCT project_id FROM changed) AS one
            WHERE item_total.project_id = one.project_id;
    END IF;
    RETURN NULL;
END $$
"""
TOTAL = f"""
CREATE FUNCTION forget_item_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {STILL};
    DELETE FROM item_total WHERE project_id = NEW.project_id;
    RETURN NULL;
END $$
"""
# Naming the columns keeps the triggers out of what a key press does: it changes `open_slots` and `is_current`.
TRIGGERS = (
    """CREATE TRIGGER judgment_counted AFTER UPDATE OF counted ON judgment FOR EACH ROW
    WHEN (OLD.counted <> NEW.counted) EXECUTE FUNCTION add_up_anew()""",
    """CREATE TRIGGER item_wanted AFTER UPDATE OF wanted ON item FOR EACH ROW
    WHEN (OLD.wanted <> NEW.wanted) EXECUTE FUNCTION forget_item_total()""",
    """CREATE TRIGGER item_inserted AFTER INSERT ON item REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION forget_item_totals()""",
    """CREATE TRIGGER item_deleted AFTER DELETE ON item REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION forget_item_totals()""",
)


def upgrade() -> None:
    op.create_table(
        "judged",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("turns", sa.BigInteger(), nullable=False),
        sa.Column("ties", sa.BigInteger(), nullable=False),
        sa.Column("skips", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_judged_project_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_judged_user_id")),
        sa.PrimaryKeyConstraint("project_id", "user_id", name=op.f("pk_judged")),
    )
    op.create_table(
        "judged_hour",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("turns", sa.BigInteger(), nullable=False),
        sa.Column("skips", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_judged_hour_project_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_judged_hour_user_id")),
        sa.PrimaryKeyConstraint("project_id", "hour", "user_id", name=op.f("pk_judged_hour")),
    )
    op.create_table(
        "item_total",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_item_total_project_id")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_item_total")),
    )
    op.create_index(
        op.f("ix_item_set_aside"), "item", ["project_id"], postgresql_where=sa.text("set_aside AND open_slots > 0")
    )
    for statement in (COUNTED, TOTALS, TOTAL, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER judgment_counted ON judgment")
    for trigger in ("item_wanted", "item_inserted", "item_deleted"):
        op.execute(f"DROP TRIGGER {trigger} ON item")
    for function in ("add_up_anew()", "forget_item_totals()", "forget_item_total()"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index(op.f("ix_item_set_aside"), table_name="item")
    for table in ("item_total", "judged_hour", "judged"):
        op.drop_table(table)
