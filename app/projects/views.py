"""Pages: the projects of this place, and one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from app.access import Person, SignedIn
from app.db import SessionDep
from app.keyset import After, cut
from app.kinds import KINDS, Kind, kind_named
from app.models import Dataset, Project
from app.pages import Page, go_to, ngettext, render
from app.projects import queries, reservations
from app.projects.live import Live
from app.projects.live import live as how_it_goes
from app.projects.queries import Counts, managed_project, project_for
from app.projects.tally import Progress

router = APIRouter()
SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class ProjectsPage(Page):
    projects: Sequence[Project]
    progress: Mapping[int, Progress]
    kinds: Mapping[str, Kind]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class LivePage(Page):
    """`live` is None for those who only judge: they are not told who else does, nor how fast."""

    project: Project
    live: Live | None


@dataclass(frozen=True, kw_only=True)
class ProjectPage(LivePage):
    kind: Kind
    counts: Counts
    may_manage: bool
    stuck: int
    datasets: Sequence[Dataset]


@router.get("/")
def front_page() -> Response:
    return RedirectResponse("/projects", status_code=303)


@router.get("/projects")
def projects(request: Request, session: SessionDep, person: SignedIn, after: After = None) -> Response:
    page = cut(queries.projects_page(session, person, after=after, limit=SHOWN), SHOWN, key=lambda row: row.id)
    shown = ProjectsPage(
        person=person,
        projects=page.rows,
        progress=queries.progress_for(session, person, page.rows),
        kinds={kind.NAME: kind for kind in KINDS},
        next_after=page.next_after,
    )
    return render(request, "projects/projects.html", shown)


@router.get("/projects/{slug}")
def project(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    shown = project_page(session, person, project_for(session, person, slug))
    return render(request, "projects/project.html", shown)


def project_page(session: Session, person: Person, project: Project) -> ProjectPage:
    """Annotators are not told who else judges, nor what is made of it."""
    may_manage = queries.manages(session, person, project)
    return ProjectPage(
        person=person,
        project=project,
        kind=kind_named(project.kind),
        counts=queries.counts_for(session, person, [project])[project.id],
        may_manage=may_manage,
        live=how_it_goes(session, project) if may_manage else None,
        stuck=reservations.stuck_items(session, project) if may_manage else 0,
        datasets=queries.datasets_of(session, project) if may_manage else (),
    )


@router.post("/projects/{slug}/reservations/free")
def free_stuck_items(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    project = managed_project(session, person, slug)
    n = reservations.free(session, person, project)
    words = ngettext("%(num)d item is for everybody now.", "%(num)d items are for everybody now.", n)
    return go_to(request, f"/projects/{slug}", notice=words)


@router.get("/projects/{slug}/live")
def live(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    """Asked for every few seconds while its page is in sight."""
    project = managed_project(session, person, slug)
    shown = LivePage(person=person, project=project, live=how_it_goes(session, project))
    return render(request, "projects/_live.html", shown)
