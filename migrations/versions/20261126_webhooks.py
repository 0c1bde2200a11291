"""webhooks, what each is to be told, and triggers that write it in the transaction of the thing that happened"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "b7d20c81f4e9"
down_revision: str | None = "7c20e5b9a4d1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TELL = """
CREATE FUNCTION tell_webhooks(happened text, project bigint, facts jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO delivery (webhook_id, event, data) SELECT id, happened, facts FROM webhook
    WHERE happened = ANY (events) AND (project_id IS NULL OR project_id = project)
$$
"""
DATASET = """
CREATE FUNCTION tell_of_dataset() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tell_webhooks('dataset.ready', NEW.project_id, jsonb_build_object(
        'id', NEW.id, 'name', NEW.name, 'version', NEW.version, 'sha256', NEW.sha256,
        'project', (SELECT slug FROM project WHERE id = NEW.project_id)));
    RETURN NULL;
END $$
"""
# What a run says about its end begins with words for people; below them may be its log, which is not for others.
RUN = """
CREATE FUNCTION tell_of_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tell_webhooks('run.' || NEW.state, project.id, jsonb_build_object(
        'id', NEW.id, 'state', NEW.state, 'method', NEW.method, 'checkpoint_name', NEW.checkpoint_name,
        'dataset', NEW.dataset_id, 'project', project.slug, 'error', split_part(NEW.error, E'\\n\\n', 1)))
    FROM dataset JOIN project ON project.id = dataset.project_id WHERE dataset.id = NEW.dataset_id;
    RETURN NULL;
END $$
"""
CHECKPOINT = """
CREATE FUNCTION tell_of_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tell_webhooks('checkpoint.published', project.id, jsonb_build_object(
        'id', NEW.id, 'name', NEW.name, 'version', NEW.version, 'kind', NEW.kind, 'sha256', NEW.sha256,
        'run', NEW.run_id, 'project', project.slug))
    FROM run JOIN dataset ON dataset.id = run.dataset_id JOIN project ON project.id = dataset.project_id
    WHERE run.id = NEW.run_id;
    RETURN NULL;
END $$
"""
RUN_TRIGGER = """
CREATE TRIGGER run_over AFTER UPDATE OF state ON run FOR EACH ROW
WHEN (OLD.state <> NEW.state AND NEW.state IN ('finished', 'failed', 'cancelled')) EXECUTE FUNCTION tell_of_run()
"""
TRIGGERS = (
    "CREATE TRIGGER dataset_ready AFTER INSERT ON dataset FOR EACH ROW EXECUTE FUNCTION tell_of_dataset()",
    RUN_TRIGGER,
    "CREATE TRIGGER checkpoint_published AFTER INSERT ON checkpoint FOR EACH ROW EXECUTE FUNCTION tell_of_checkpoint()",
)


def upgrade() -> None:
    _webhook()
    _delivery()
    _count()
    for statement in (TELL, DATASET, RUN, CHECKPOINT, *TRIGGERS):
        op.execute(statement)


def _webhook() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("judgment_counts", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("judgments_every", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("off_reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'off')", name=op.f("ck_webhook_state")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_webhook_project_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_webhook_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(op.f("ix_webhook_project_id"), "webhook", ["project_id"])


def _delivery() -> None:
    message_id = sa.text("('msg_'::text || replace((gen_random_uuid())::text, '-'::text, ''::text))")
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Text(), server_default=message_id, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_code", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("error_detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name=op.f("ck_delivery_state")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_delivery_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index("ix_delivery_due", "delivery", ["due_at"], postgresql_where=sa.text("state = 'waiting'"))
    op.create_index("ix_delivery_webhook_id", "delivery", ["webhook_id", "id"])


def _count() -> None:
    op.create_table(
        "webhook_count",
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("highest", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("judgments", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("newest_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_count_webhook_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_webhook_count_project_id")),
        sa.PrimaryKeyConstraint("webhook_id", "project_id", name=op.f("pk_webhook_count")),
    )
    op.create_index(op.f("ix_webhook_count_project_id"), "webhook_count", ["project_id"])


def downgrade() -> None:
    for trigger, table in (("dataset_ready", "dataset"), ("run_over", "run"), ("checkpoint_published", "checkpoint")):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in ("tell_of_dataset()", "tell_of_run()", "tell_of_checkpoint()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION tell_webhooks(text, bigint, jsonb)")
    for table in ("webhook_count", "delivery", "webhook"):
        op.drop_table(table)
