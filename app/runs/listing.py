"""Which runs a list shows: the same filters for the page and for programs, newest first, page by page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app.access import Person, within
from app.models import Checkpoint, Dataset, Run
from app.prompts.search import has
from app.runs.queries import Listed, newest_of

State = Literal["", "queued", "claimed", "running", "cancelling", "cancelled", "failed", "finished"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What is empty is not asked for. `dataset` is a name, or name@v2; `words` stand in a name, a note or a base model."""

    method: str = ""
    state: str = ""
    dataset: str = ""
    tag: str = ""
    words: str = ""

    def address(self, **more: Any) -> str:
        """As it stands after the question mark."""
        return urlencode({name: value for name, value in {**asdict(self), **more}.items() if value not in {"", None}})

    def conditions(self) -> list[ColumnElement[bool]]:
        name, _, version = self.dataset.partition("@v")
        found = [
            Run.method == self.method if self.method else None,
            Run.state == self.state if self.state else None,
            Run.tags.contains([self.tag]) if self.tag else None,
            Dataset.name == name if name else None,
            Dataset.version == int(version) if version.isdecimal() and len(version) < 10 else None,
            or_(*(has(text, self.words) for text in _TEXTS)) if self.words.strip() else None,
        ]
        return [each for each in found if each is not None]


_TEXTS = (Run.checkpoint_name, Run.base_model, Run.note, Dataset.name)


def filters_asked_for(
    method: Annotated[str, Query(max_length=100, description="Only runs of this method.")] = "",
    state: Annotated[State, Query(description="Only runs in this state.")] = "",
    dataset: Annotated[str, Query(max_length=120, description="Only runs on this dataset: name, or name@v2.")] = "",
    tag: Annotated[str, Query(max_length=100, description="Only runs with this tag.")] = "",
    words: Annotated[str, Query(max_length=200, description="In the name, the note, the base or the dataset.")] = "",
) -> Filters:
    return Filters(method, state, dataset.strip(), tag.strip(), words)


Filtered = Annotated[Filters, Depends(filters_asked_for)]


def runs_page(session: Session, person: Person, filters: Filters, *, after: int | None, limit: int) -> Sequence[Listed]:
    """Newest first; one more than `limit` when there are more."""
    statement = (
        select(Run, Dataset, Checkpoint)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .outerjoin(Checkpoint, Checkpoint.id == newest_of(Run.id))
        .where(within(person, Dataset.project_id), *filters.conditions())
    )
    if after is not None:
        statement = statement.where(Run.id < after)
    return [Listed(*row) for row in session.execute(statement.order_by(Run.id.desc()).limit(limit + 1))]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to choose from, in the order of the alphabet."""

    methods: Sequence[str]
    datasets: Sequence[str]
    tags: Sequence[str]


def known_to_runs(session: Session) -> Known:
    methods = session.scalars(select(Run.method).distinct().order_by(Run.method)).all()
    used = select(Run.dataset_id)
    datasets = session.scalars(select(Dataset.name).where(Dataset.id.in_(used)).distinct().order_by(Dataset.name)).all()
    return Known(methods, datasets, tags_in_use(session))


def tags_in_use(session: Session) -> Sequence[str]:
    tag = func.unnest(Run.tags).label("tag")
    return session.scalars(select(tag).where(func.cardinality(Run.tags) > 0).distinct().order_by(tag)).all()
