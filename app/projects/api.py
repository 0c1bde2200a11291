"""Projects for programs: make one, change it, list them, see one with its counts."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.access import MayAdminister, MayRead, MayRunPlace
from app.db import SessionDep
from app.idempotency import once
from app.keyset import Paging
from app.models import Project
from app.projects import reservations
from app.projects.queries import (
    Counts,
    counts,
    counts_for,
    managed_among,
    managed_project,
    manages,
    project_for,
    projects_page,
)
from app.projects.service import change_settings, create_project
from app.projects.settings import USUAL, settings_of

router = APIRouter(tags=["projects"])


class SettingsGiven(BaseModel):
    """What may be set; all of it has a usual value."""

    model_config = ConfigDict(extra="forbid")

    guidelines: str = USUAL.guidelines
    judgments_per_item: int = USUAL.judgments_per_item
    lease_minutes: int = USUAL.lease_minutes
    outcomes: list[str] = list(USUAL.outcomes)
    asks_strength: bool = USUAL.asks_strength
    dimensions: list[str] = list(USUAL.dimensions)
    comments: str = USUAL.comments
    comment_min_length: int = USUAL.comment_min_length
    item_order: str = USUAL.item_order
    gold_share: float = USUAL.gold_share
    repeat_share: float = USUAL.repeat_share


class NewProject(SettingsGiven):
    slug: str
    name: str
    kind: str


class ProjectChanges(SettingsGiven):
    """What is left out stays as it is."""

    name: str = ""


class CountsAnswer(BaseModel):
    items: int
    open: int
    wanted: int
    counted: int
    judgments: int
    tuples: int


class ProjectAnswer(BaseModel):
    """Whoever judges is not told how often they are tried: the two shares are null for them, and counts come in tens."""

    id: int
    slug: str
    name: str
    kind: str
    guidelines: str
    judgments_per_item: int
    lease_minutes: int
    outcomes: list[str]
    asks_strength: bool
    dimensions: list[str]
    comments: str
    comment_min_length: int
    item_order: str
    gold_share: float | None
    repeat_share: float | None
    created_at: datetime
    counts: CountsAnswer


def answer(project: Project, numbers: Counts, *, tells_all: bool = True) -> ProjectAnswer:
    settings = settings_of(project).as_columns()
    if not tells_all:
        settings |= {"gold_share": None, "repeat_share": None}
    return ProjectAnswer(
        id=project.id,
        slug=project.slug,
        kind=project.kind,
        created_at=project.created_at,
        counts=CountsAnswer(**asdict(numbers)),
        **settings,
    )


@router.post("/projects", status_code=201)
@once
def add_project(new: NewProject, person: MayRunPlace, session: SessionDep) -> ProjectAnswer:
    """Make a project; 409 when the slug is taken."""
    return answer(create_project(session, person, **new.model_dump()), Counts())


@router.get("/projects")
def list_projects(person: MayRead, session: SessionDep, paging: Paging) -> list[ProjectAnswer]:
    """List one's own projects, or all of them for an admin, newest first."""
    rows = paging.cut(
        projects_page(session, person, after=paging.after, limit=paging.limit), key=lambda project: project.id
    )
    numbers, ours = counts_for(session, person, rows), managed_among(session, person, rows)
    return [answer(project, numbers[project.id], tells_all=project.id in ours) for project in rows]


@router.get("/projects/{slug}")
def show_project(slug: str, person: MayRead, session: SessionDep) -> ProjectAnswer:
    """Show a project with its settings and counts; 404 also for one that is not yours."""
    project = project_for(session, person, slug)
    numbers = counts_for(session, person, [project])[project.id]
    return answer(project, numbers, tells_all=manages(session, person, project))


class FreedAnswer(BaseModel):
    freed: int


@router.post("/projects/{slug}/reservations/free")
def free_stuck_items(slug: str, person: MayAdminister, session: SessionDep) -> FreedAnswer:
    """Give items to everybody that are reserved for somebody who cannot judge them; `stuck` lists them."""
    return FreedAnswer(freed=reservations.free(session, person, managed_project(session, person, slug)))


@router.patch("/projects/{slug}")
def change_project(slug: str, changes: ProjectChanges, person: MayAdminister, session: SessionDep) -> ProjectAnswer:
    """Change settings; those that are left out stay. Items follow the number of judgments wanted."""
    project = managed_project(session, person, slug)
    change_settings(session, person, project, **changes.model_dump(exclude_unset=True))
    session.flush()
    return answer(project, counts(session, [project])[project.id])
