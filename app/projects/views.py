"""Pages: the projects of this place, and one of them with its members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from app.access import Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Mistake, NotFound
from app.forms import Fields, RowNumber
from app.keyset import After, cut
from app.kinds import KINDS, Kind, kind_named
from app.models import Dataset, Project, User
from app.pages import Page, go_to, render
from app.pages import gettext as _
from app.projects import queries, service
from app.projects.queries import Counts, managed_project, project_for

router = APIRouter()
SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class ProjectsPage(Page):
    projects: Sequence[Project]
    counts: Mapping[int, Counts]
    kinds: Mapping[str, Kind]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class ProjectPage(Page):
    project: Project
    kind: Kind
    counts: Counts
    may_manage: bool
    members: Sequence[User]
    datasets: Sequence[Dataset]
    mistake: Mistake | None = None
    email: str = ""


@router.get("/")
def front_page() -> Response:
    return RedirectResponse("/projects", status_code=303)


@router.get("/projects")
def projects(request: Request, session: SessionDep, person: SignedIn, after: After = None) -> Response:
    page = cut(queries.projects_page(session, person, after=after, limit=SHOWN), SHOWN, key=lambda row: row.id)
    shown = ProjectsPage(
        person=person,
        projects=page.rows,
        counts=queries.counts(session, page.rows),
        kinds={kind.NAME: kind for kind in KINDS},
        next_after=page.next_after,
    )
    return render(request, "projects/projects.html", shown)


@router.get("/projects/{slug}")
def project(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    shown = project_page(session, person, project_for(session, person, slug))
    return render(request, "projects/project.html", shown)


def project_page(
    session: Session, person: Person, project: Project, *, mistake: Mistake | None = None, email: str = ""
) -> ProjectPage:
    """Annotators are not told who else judges, nor what is made of it."""
    may_manage = queries.manages(session, person, project)
    return ProjectPage(
        person=person,
        project=project,
        kind=kind_named(project.kind),
        counts=queries.counts(session, [project])[project.id],
        may_manage=may_manage,
        members=queries.members(session, project) if may_manage else (),
        datasets=queries.datasets_of(session, project) if may_manage else (),
        mistake=mistake,
        email=email,
    )


@router.post("/projects/{slug}/members")
def add_member(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Fields) -> Response:
    project = managed_project(session, person, slug)
    try:
        user = service.add_member(session, person, project, form.get("email", ""))
    except (BadInput, NotFound) as mistake:
        page = project_page(session, person, project, mistake=mistake, email=form.get("email", ""))
        return render(request, "projects/project.html", page, status=422)
    return go_to(request, f"/projects/{slug}#members", notice=_("%(name)s may judge here now.") % {"name": user.name})


@router.post("/projects/{slug}/members/{user_id}/remove")
def remove_member(request: Request, session: SessionDep, person: SignedIn, slug: str, user_id: RowNumber) -> Response:
    service.remove_member(session, person, managed_project(session, person, slug), user_id)
    return go_to(request, f"/projects/{slug}#members", notice=_("Taken out of the project; what they judged stays."))
