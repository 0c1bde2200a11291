"""Questions about datasets: which judged groups go into one, and which are there."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from app.access import Person
from app.datasets.files import Row
from app.datasets.order import Filters
from app.errors import BadInput, NotFound
from app.language import gettext
from app.models import Dataset, Item, Judgment, Project, Prompt, Response, Run
from app.projects.queries import managed

FETCH_ROWS = 500
_LONGEST_NUMBER = 19


def judged_groups(session: Session, project_id: int, filters: Filters) -> Generator[Row]:
    """Every judged group, through a cursor on the server: one statement, so one consistent cut, in constant memory.

    Close it when you stop early. The groups of a prompt come in a row. Left out is what was skipped, withdrawn, superseded or
    beyond the number wanted, and so gold and repeats, which want none.
    """
    statement = (
        select(
            Judgment.id,
            Judgment.item_id,
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
        .where(
            Judgment.project_id == project_id,
            Judgment.is_current,
            ~Judgment.withdrawn,
            Judgment.counted,
            Item.wanted > 0,
            Judgment.outcome.in_(filters.outcomes),
            Judgment.judge_kind.in_(filters.judge_kinds),
        )
        .order_by(Prompt.content_hash, Judgment.item_id, Judgment.id)
    )
    session.execute(text("SET LOCAL statement_timeout = 0"))  # sorting a million groups takes its time
    with session.execute(statement, execution_options={"yield_per": FETCH_ROWS}) as rows:
        yield from _weighed(rows)


def _weighed(found: Iterable[Any]) -> Iterator[Row]:
    """Each judgment counts its share of its item, whose judgments come in a row: an item counts as one, however many judged it."""
    for _, same_item in groupby(found, key=attrgetter("item_id")):
        judgments = list(same_item)
        yield from (_row(judgment, weight=1 / len(judgments)) for judgment in judgments)


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


def _row(found: Any, *, weight: float) -> Row:
    return {
        "group": found.item_id,
        "judgment": found.id,
        "prompt": [{"role": message["role"], "content": message["content"]} for message in found.messages],
        "responses": [words for _, words, _, _ in found.responses],
        "tiers": [found.tiers.get(response_id) for response_id, _, _, _ in found.responses],
        "outcome": found.outcome,
        "margin": None if found.strength is None else float(found.strength),
        "weight": weight,
        "judge_kind": found.judge_kind,
        "scores": [None if score is None else float(score) for _, _, _, score in found.responses],
        "models": [model for _, _, model, _ in found.responses],
        "metadata": orjson.dumps(found.record, option=orjson.OPT_SORT_KEYS).decode(),
        "prompt_hash": found.content_hash.hex(),
    }


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


def dataset_asked_for(session: Session, given: int | str) -> Dataset:
    """The same for programs, which may also send a number."""
    return dataset_by_id(session, given) if isinstance(given, int) else dataset_named(session, given)


def newest_version(session: Session, name: str) -> Dataset | None:
    return session.scalars(
        select(Dataset).where(Dataset.name == name).order_by(Dataset.version.desc()).limit(1)
    ).one_or_none()


def datasets_page(session: Session, person: Person, *, after: int | None, limit: int) -> Sequence[tuple[Dataset, str]]:
    """Datasets of the projects that this person manages, with the project's slug, newest first; one more than `limit`
    when there are more.
    """
    statement = managed(person).join(Dataset, Dataset.project_id == Project.id).with_only_columns(Dataset, Project.slug)
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
