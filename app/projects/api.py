"""Projects for programs: make one, list them, see one with its counts."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from app.access import MayMakeProjects, MayRead
from app.db import SessionDep
from app.keyset import After, Limit, cut, link_next
from app.models import Project
from app.projects.queries import Counts, counts, project_for, projects_page
from app.projects.service import create_project

router = APIRouter(tags=["projects"])


class NewProject(BaseModel):
    model_config = ConfigDict(extra="forbid")

    slug: str
    name: str
    kind: str
    guidelines: str = ""
    judgments_per_item: int = 1
    lease_minutes: int = 30


class CountsAnswer(BaseModel):
    items: int
    open: int
    wanted: int
    counted: int
    judgments: int
    tuples: int


class ProjectAnswer(BaseModel):
    id: int
    slug: str
    name: str
    kind: str
    guidelines: str
    judgments_per_item: int
    lease_minutes: int
    outcomes: list[str]
    created_at: datetime
    counts: CountsAnswer


def answer(project: Project, numbers: Counts) -> ProjectAnswer:
    return ProjectAnswer(
        id=project.id,
        slug=project.slug,
        name=project.name,
        kind=project.kind,
        guidelines=project.guidelines,
        judgments_per_item=project.judgments_per_item,
        lease_minutes=project.lease_minutes,
        outcomes=project.outcomes,
        created_at=project.created_at,
        counts=CountsAnswer(**asdict(numbers)),
    )


@router.post("/projects", status_code=201)
def add_project(new: NewProject, person: MayMakeProjects, session: SessionDep) -> ProjectAnswer:
    """409 when the slug is taken."""
    return answer(create_project(session, person, **new.model_dump()), Counts())


@router.get("/projects")
def list_projects(
    person: MayRead, session: SessionDep, request: Request, response: Response, after: After = None, limit: Limit = 100
) -> list[ProjectAnswer]:
    """One's own, or all of them for an admin, newest first."""
    page = cut(projects_page(session, person, after=after, limit=limit), limit, key=lambda project: project.id)
    link_next(request, response, page.next_after)
    numbers = counts(session, page.rows)
    return [answer(project, numbers[project.id]) for project in page.rows]


@router.get("/projects/{slug}")
def show_project(slug: str, person: MayRead, session: SessionDep) -> ProjectAnswer:
    project = project_for(session, person, slug)
    return answer(project, counts(session, [project])[project.id])
