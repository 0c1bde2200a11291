"""what shares of a run's steps measured, so that long curves are read from a few rows"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5d0f3ab7c914"
down_revision: str | None = "d27c90b4e1f6"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OF_STEPS = """
    INSERT INTO run_share (run_id, width, first, name, step, n, total, low, high)
    SELECT run_id, 16, step / 16 * 16, name, max(step), count(number), coalesce(sum(number), 0), min(number), max(number)
    FROM (
        SELECT m.run_id, m.step, name,
            CASE WHEN jsonb_typeof(value) = 'number' THEN CAST(value AS double precision) END AS number
        FROM run_metric AS m
        JOIN (SELECT run_id, max(step) + 1 AS n FROM run_metric GROUP BY run_id) AS told ON told.run_id = m.run_id
        CROSS JOIN LATERAL jsonb_each(m."values") AS one (name, value)
        WHERE jsonb_typeof(value) IN ('number', 'null') AND m.step < told.n / 16 * 16
    ) AS each GROUP BY 1, 3, 4"""
OF_SHARES = """
    INSERT INTO run_share (run_id, width, first, name, step, n, total, low, high)
    SELECT s.run_id, :width, s.first / :width * :width, s.name, max(s.step), sum(s.n), sum(s.total), min(s.low), max(s.high)
    FROM run_share AS s
    JOIN (SELECT run_id, max(step) + 1 AS n FROM run_metric GROUP BY run_id) AS told ON told.run_id = s.run_id
    WHERE s.width = :part AND s.first < told.n / :width * :width GROUP BY 1, 3, 4"""


def upgrade() -> None:
    op.create_table(
        "run_share",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_share_run_id")),
        sa.PrimaryKeyConstraint("run_id", "width", "first", "name", name=op.f("pk_run_share")),
    )
    op.execute(OF_STEPS)
    for part, width in ((16, 128), (128, 1024), (1024, 8192), (8192, 65536)):
        op.execute(sa.text(OF_SHARES).bindparams(part=part, width=width))


def downgrade() -> None:
    op.drop_table("run_share")
