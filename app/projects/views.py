"""Pages: the projects of this place, one of them, a new one, its settings and members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from app.access import Admin, Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake, NotFound
from app.forms import Fields, RowNumber, whole_number
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


@dataclass(frozen=True, kw_only=True)
class ProjectFormPage(Page):
    """A new project, when `project` is None, or the settings of one. `entered` is what stands in the fields."""

    project: Project | None
    entered: Mapping[str, object]
    kinds: Sequence[Kind] = KINDS
    mistake: Mistake | None = None
    limits: Mapping[str, int] = field(
        default_factory=lambda: {
            "name": service.LONGEST_NAME,
            "guidelines": service.LONGEST_GUIDELINES,
            "judgments_per_item": service.MOST_JUDGMENTS,
            "lease_minutes": service.LONGEST_LEASE,
        }
    )


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


@router.get("/projects/new")
def new_project(request: Request, person: Admin) -> Response:
    usual = {"kind": KINDS[0].NAME, "judgments_per_item": 1, "lease_minutes": 30}
    return render(request, "projects/project_form.html", ProjectFormPage(person=person, project=None, entered=usual))


@router.post("/projects")
def create_project(request: Request, session: SessionDep, person: Admin, form: Fields) -> Response:
    try:
        project = service.create_project(
            session,
            person,
            slug=form.get("slug", "").strip() or service.slug_of(form.get("name", "")),
            name=form.get("name", ""),
            kind=form.get("kind", ""),
            guidelines=form.get("guidelines", ""),
            judgments_per_item=whole_number(form, "judgments_per_item"),
            lease_minutes=whole_number(form, "lease_minutes"),
        )
    except (BadInput, Conflict) as mistake:
        page = ProjectFormPage(person=person, project=None, entered=form, mistake=mistake)
        return render(request, "projects/project_form.html", page, status=mistake.status)
    return go_to(request, f"/projects/{project.slug}", notice=_("The project is there. Now bring in its prompts."))


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


@router.get("/projects/{slug}/settings")
def settings(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    project = managed_project(session, person, slug)
    page = ProjectFormPage(person=person, project=project, entered=vars(project))
    return render(request, "projects/project_form.html", page)


@router.post("/projects/{slug}/settings")
def change_settings(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Fields) -> Response:
    project = managed_project(session, person, slug)
    try:
        service.change_settings(
            session,
            person,
            project,
            name=form.get("name", ""),
            guidelines=form.get("guidelines", ""),
            judgments_per_item=whole_number(form, "judgments_per_item"),
            lease_minutes=whole_number(form, "lease_minutes"),
        )
    except BadInput as mistake:
        page = ProjectFormPage(person=person, project=project, entered=form, mistake=mistake)
        return render(request, "projects/project_form.html", page, status=mistake.status)
    return go_to(request, f"/projects/{slug}", notice=_("Saved."))


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
