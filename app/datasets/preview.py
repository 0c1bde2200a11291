"""What a dataset would hold if it were frozen now, counted by the database: for the form, which asks again at every change.

Answers are told apart as they are stored, and not as `combine.py` does after taking the gaps out of tiers; so the rows of
“weights” and the agreement of rankings with gaps are estimates. The rest is exact.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CTE, Float, Integer, cast, func, select
from sqlalchemy.orm import Session

from app.datasets.order import Order
from app.datasets.queries import passing
from app.datasets.summary import TENTHS
from app.models import Item, Judgment, Project


@dataclass(frozen=True, slots=True)
class Preview:
    """`per_item` is {judgments: items}, `agreement` {tenths: items that several people judged}."""

    prompts: int
    items: int
    judgments: int
    rows: int
    annotators: int
    outcomes: dict[str, int] = field(default_factory=dict)
    per_item: dict[int, int] = field(default_factory=dict)
    agreement: dict[int, int] = field(default_factory=dict)


def preview(session: Session, project: Project, order: Order) -> Preview:
    answers, items = _counted(project, order)
    told = session.execute(
        select(
            func.count(func.distinct(items.c.prompt_id)),
            func.count(),
            func.coalesce(func.sum(items.c.judgments), 0),
            func.coalesce(func.sum(items.c.answers), 0),
        )
    ).one()
    prompts, n_items, judgments, different = (int(number) for number in told)
    rows = {"each": judgments, "majority": n_items, "weights": different}[order.combine]
    outcomes = select(answers.c.outcome, func.sum(answers.c.same)).join(items, items.c.item_id == answers.c.item_id)
    agreement = func.floor(items.c.most * TENTHS / items.c.judgments)
    people = select(func.count(func.distinct(Judgment.user_id))).join(Item, Item.id == Judgment.item_id)
    return Preview(
        prompts,
        n_items,
        judgments,
        rows,
        session.scalar(people.where(Judgment.project_id == project.id, *passing(order.filters))) or 0,
        _numbers(session, outcomes.group_by(answers.c.outcome)),
        _numbers(session, select(items.c.judgments, func.count()).group_by(items.c.judgments)),
        _numbers(session, select(agreement, func.count()).where(items.c.judgments > 1).group_by(agreement)),
    )


def _counted(project: Project, order: Order) -> tuple[CTE, CTE]:
    """The different answers to each item with how many gave them; and the items that have enough of both."""
    filters = order.filters
    answers = (
        select(Judgment.item_id, Item.prompt_id, Judgment.outcome, func.count().label("same"))
        .join(Item, Item.id == Judgment.item_id)
        .where(Judgment.project_id == project.id, *passing(filters, combine=order.combine))
        .group_by(Judgment.item_id, Item.prompt_id, Judgment.outcome, Judgment.tiers)
        .cte("answers")
    )
    total, most = func.sum(answers.c.same), func.max(answers.c.same)
    items = (
        select(
            answers.c.item_id,
            answers.c.prompt_id,
            cast(total, Integer).label("judgments"),
            cast(most, Integer).label("most"),
            func.count().label("answers"),
        )
        .group_by(answers.c.item_id, answers.c.prompt_id)
        .having(total >= filters.min_judgments, cast(most, Float) / total >= filters.min_agreement)
        .cte("items")
    )
    return answers, items


def _numbers(session: Session, statement: Any) -> dict[Any, int]:
    found = ((int(key) if not isinstance(key, str) else key, int(count)) for key, count in session.execute(statement))
    return dict(sorted(found))
