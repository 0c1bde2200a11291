"""Questions about datasets: which judged groups go into one, and which are there."""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, Text, any_, exists, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.orm import Session

from app.access import Person
from app.datasets.combine import rows_of_prompt
from app.datasets.order import OUTCOMES, Combine, Filters, Order
from app.datasets.row import Row
from app.db import among
from app.errors import BadInput, NotFound
from app.judgments.pseudonyms import pseudonym
from app.language import gettext
from app.models import Assignment, Dataset, Item, Judgment, Project, Prompt, Response, Run
from app.projects.queries import managed

FETCH_ROWS = 500
_LONGEST_NUMBER = 19


def judged_groups(session: Session, project: Project, order: Order) -> Generator[Row]:
    """The rows of a dataset, through a cursor on the server: one statement, so one consistent snapshot, in constant memory.

    Close it when you stop early. The groups of a prompt come in a row. Left out is what was skipped, withdrawn, superseded or
    beyond the number wanted, and so gold and repeats, which want none.
    """
    statement = (
        select(
            Judgment.id,
            Judgment.item_id,
            Judgment.user_id,
            Judgment.outcome,
            Judgment.tiers,
            Judgment.strength,
            Judgment.judge_kind,
            Item.record_metadata.label("record"),
            Prompt.messages,
            Prompt.content_hash,
            _responses().label("responses"),
        )
        .select_from(Judgment)
        .join(Item, Item.id == Judgment.item_id)
        .join(Prompt, Prompt.id == Item.prompt_id)
        .where(Judgment.project_id == project.id, *passing(order.filters, combine=order.combine))
        .order_by(Prompt.content_hash, Judgment.item_id, Judgment.id)
    )
    session.execute(text("SET LOCAL statement_timeout = 0"))  # sorting a million groups takes its time
    with session.execute(statement, execution_options={"yield_per": FETCH_ROWS}) as found:
        rows = (_row(judgment, project, order) for judgment in found)
        for _, same_prompt in groupby(rows, key=itemgetter("prompt_hash")):
            items = [list(same_item) for _, same_item in groupby(same_prompt, key=itemgetter("group"))]
            yield from rows_of_prompt(items, order)


def passing(filters: Filters, *, combine: Combine = "each") -> list[ColumnElement[bool]]:
    """What a judgment (joined with its item) must be to be let through. A majority is asked of all outcomes, and filtered after."""
    outcomes = OUTCOMES if combine == "majority" else filters.outcomes
    conditions: list[ColumnElement[bool]] = [
        Judgment.is_current.is_(True),
        Judgment.withdrawn.is_(False),
        Judgment.counted.is_(True),
        Item.wanted > 0,
        Judgment.outcome.in_(outcomes),
        Judgment.judge_kind.in_(filters.judge_kinds),
    ]
    if filters.first_day is not None:
        conditions.append(Judgment.created_at >= datetime.combine(filters.first_day, time.min, UTC))
    if filters.last_day is not None:
        conditions.append(Judgment.created_at < datetime.combine(filters.last_day + timedelta(days=1), time.min, UTC))
    if filters.annotators:
        conditions.append(among(Judgment.user_id, filters.annotators))
    if filters.min_strength is not None:
        conditions.append(Judgment.strength >= filters.min_strength)
    if filters.models:
        wrote = exists().where(Response.id == any_(Item.response_ids), among(Response.model, filters.models))
        conditions.append(wrote.correlate(Item))
    if filters.sources:
        conditions.append(Item.record_metadata["source"].astext.in_(filters.sources))
    if filters.tags:
        conditions.append(Item.record_metadata["tags"].has_any(array(filters.tags, type_=Text)))
    return conditions


def _responses() -> ColumnElement[Any]:
    """The item's responses in its own order, as [[id, text, model, score], …]."""
    shown = func.unnest(Item.response_ids).table_valued("id", with_ordinality="place").render_derived("shown")
    one = func.json_build_array(Response.id, Response.text, Response.model, Response.score)
    return (
        select(func.json_agg(aggregate_order_by(one, shown.c.place), type_=JSON))
        .select_from(shown.join(Response, Response.id == shown.c.id))
        .correlate(Item)
        .scalar_subquery()
    )


def _row(found: Any, project: Project, order: Order) -> Row:
    margins = order.margins
    return {
        "group": found.item_id,
        "judgment": found.id,
        "prompt": [{"role": message["role"], "content": message["content"]} for message in found.messages],
        "responses": [words for _, words, _, _ in found.responses],
        "tiers": [found.tiers.get(response_id) for response_id, _, _, _ in found.responses],
        "outcome": found.outcome,
        "margin": None if found.strength is None or margins is None else margins[found.strength - 1],
        "weight": 1.0,
        "judge_kind": found.judge_kind,
        "scores": [None if score is None else float(score) for _, _, _, score in found.responses],
        "models": [model for _, _, model, _ in found.responses],
        "metadata": _sorted_json(found.record),
        "prompt_hash": found.content_hash.hex(),
        "judgments": 1,
        "agreement": 1.0,
        "annotator": pseudonym(project, found.user_id),
    }


def log_of(session: Session, project: Project) -> Generator[dict[str, Any]]:
    """Every judgment of the project in the order in which they were made, whatever became of it."""
    statement = (
        select(Judgment, Assignment.shown_order, Assignment.reason)
        .join(Assignment, Assignment.id == Judgment.assignment_id)
        .where(Judgment.project_id == project.id)
        .order_by(Judgment.id)
    )
    with session.execute(statement, execution_options={"yield_per": FETCH_ROWS}) as found:
        for judgment, shown, reason in found:
            yield {
                "judgment": judgment.id,
                "group": judgment.item_id,
                "annotator": pseudonym(project, judgment.user_id),
                "judge_kind": judgment.judge_kind,
                "reason": reason,
                "shown": [str(key) for key in shown],
                "outcome": judgment.outcome,
                "tiers": _sorted_json(judgment.tiers),
                "dimensions": _sorted_json(judgment.dimensions),
                "strength": judgment.strength,
                "comment": judgment.comment,
                "skip_reason": judgment.skip_reason,
                "duration_ms": judgment.duration_ms,
                "revision": judgment.revision,
                "current": judgment.is_current,
                "withdrawn": judgment.withdrawn,
                "counted": judgment.counted,
                "judged_at": judgment.created_at.isoformat().replace("+00:00", "Z"),
            }
            session.expunge(judgment)


def _sorted_json(value: dict[str, Any]) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def dataset_by_id(session: Session, dataset_id: int) -> Dataset:
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFound(gettext("There is no dataset %(dataset_id)s.", dataset_id=dataset_id))
    return dataset


def dataset_for(session: Session, person: Person, dataset_id: int) -> tuple[Dataset, Project]:
    """A dataset of a project that this person manages. Raises NotFound for what is not theirs."""
    ours = managed(person).join(Dataset, Dataset.project_id == Project.id).where(Dataset.id == dataset_id)
    project = session.scalars(ours).one_or_none()
    if project is None:
        raise NotFound(gettext("There is no dataset %(dataset_id)s that you may see.", dataset_id=dataset_id))
    return dataset_by_id(session, dataset_id), project


def dataset_named(session: Session, name: str) -> Dataset:
    """The dataset that somebody means by `name` (its newest version), `name@v2`, or an id in digits."""
    if name.isdecimal() and len(name) < _LONGEST_NUMBER:
        return dataset_by_id(session, int(name))
    bare, _, version = name.partition("@v")
    if version and not (version.isdecimal() and len(version) < _LONGEST_NUMBER):
        raise BadInput(
            gettext(
                "“%(name)s” is no dataset: write its name, its name with a version as in %(bare)s@v2, or its id.",
                name=name,
                bare=bare,
            )
        )
    statement = select(Dataset).where(Dataset.name == bare).order_by(Dataset.version.desc()).limit(1)
    if version:
        statement = statement.where(Dataset.version == int(version))
    dataset = session.scalars(statement).one_or_none()
    if dataset is None:
        raise NotFound(
            gettext("There is no dataset “%(name)s”. GET /api/v1/datasets lists those that are there.", name=name)
        )
    return dataset


def dataset_asked_for(session: Session, person: Person, given: int | str) -> Dataset:
    """The same for programs, which may also send a number, and whose token may be bound to projects."""
    dataset = dataset_by_id(session, given) if isinstance(given, int) else dataset_named(session, given)
    if not person.reaches(dataset.project_id):
        raise NotFound(gettext("There is no dataset %(dataset_id)s that you may see.", dataset_id=given))
    return dataset


def newest_version(session: Session, name: str) -> Dataset | None:
    return session.scalars(
        select(Dataset).where(Dataset.name == name).order_by(Dataset.version.desc()).limit(1)
    ).one_or_none()


def datasets_page(
    session: Session, person: Person, *, name: str = "", after: int | None, limit: int
) -> Sequence[tuple[Dataset, str]]:
    """Datasets of the projects that this person manages, with the project's slug, newest first, of one name or all; one
    more than `limit` when there are more.
    """
    statement = managed(person).join(Dataset, Dataset.project_id == Project.id).with_only_columns(Dataset, Project.slug)
    if name:
        statement = statement.where(Dataset.name == name)
    if after is not None:
        statement = statement.where(Dataset.id < after)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(Dataset.id.desc()).limit(limit + 1))]


def newest_datasets(session: Session) -> Sequence[Dataset]:
    """The newest version of each name, newest first."""
    newest = select(func.max(Dataset.id)).group_by(Dataset.name)
    return session.scalars(select(Dataset).where(Dataset.id.in_(newest)).order_by(Dataset.id.desc()).limit(200)).all()


def other_versions(session: Session, dataset: Dataset) -> Sequence[Dataset]:
    """The other versions of the same name, newest first."""
    same_name = (Dataset.name == dataset.name, Dataset.id != dataset.id)
    return session.scalars(select(Dataset).where(*same_name).order_by(Dataset.version.desc()).limit(50)).all()


def runs_on(session: Session, dataset: Dataset) -> Sequence[Run]:
    """What was trained on it, newest first."""
    return session.scalars(select(Run).where(Run.dataset_id == dataset.id).order_by(Run.id.desc()).limit(50)).all()
