from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table

OUTCOMES = ("ranked", "tie", "all_bad", "skip")
COMMENTS = ("off", "optional", "required")
ORDERS = ("random", "imported", "priority")


class Project(Table):
    """What is judged, and how.

    `outcomes` are those offered; without `tie` a ranking has no shared places. `asks_strength`, `dimensions` and
    `comments` say what the page asks for besides the choice; a required comment has at least `comment_min_length`
    characters. `item_order` is the order in which items are handed out. `gold_share` and `repeat_share` are the shares
    of turns that are spent on known answers and on items that the same person has judged before. `pseudonym_key` is what
    annotators' pseudonyms in exports are made with; nobody is ever shown it.
    """

    __tablename__ = "project"
    __table_args__ = (
        Index("uq_project_slug", "slug", unique=True),
        CheckConstraint("judgments_per_item BETWEEN 1 AND 1000", name="judgments_per_item"),
        CheckConstraint("lease_minutes BETWEEN 1 AND 10080", name="lease_minutes"),
        CheckConstraint("comments IN ('off', 'optional', 'required')", name="comments"),
        CheckConstraint("comment_min_length BETWEEN 0 AND 10000", name="comment_min_length"),
        CheckConstraint("item_order IN ('random', 'imported', 'priority')", name="item_order"),
        CheckConstraint("gold_share BETWEEN 0 AND 0.5", name="gold_share"),
        CheckConstraint("repeat_share BETWEEN 0 AND 0.5", name="repeat_share"),
    )

    id: Mapped[RowId]
    slug: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    guidelines: Mapped[str] = mapped_column(default="")
    judgments_per_item: Mapped[int] = mapped_column(default=1)
    lease_minutes: Mapped[int] = mapped_column(default=30)
    outcomes: Mapped[list[str]] = mapped_column(ARRAY(TEXT), default=lambda: list(OUTCOMES))
    asks_strength: Mapped[bool] = mapped_column(server_default=text("false"))
    dimensions: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    comments: Mapped[str] = mapped_column(server_default=text("'optional'"))
    comment_min_length: Mapped[int] = mapped_column(server_default=text("0"))
    item_order: Mapped[str] = mapped_column(server_default=text("'random'"))
    gold_share: Mapped[float] = mapped_column(server_default=text("0.05"))
    repeat_share: Mapped[float] = mapped_column(server_default=text("0"))
    pseudonym_key: Mapped[bytes] = mapped_column(server_default=text("uuid_send(gen_random_uuid())"))
    created_at: Mapped[CreatedAt]
