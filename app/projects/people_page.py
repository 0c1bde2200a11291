"""Pages: who takes part in a project, the links that invite into it, and what was done to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Person, SignedIn
from app.db import SessionDep
from app.deeds import Deed, told
from app.errors import BadInput, Mistake, NotFound
from app.forms import Fields, RowNumber
from app.keyset import After, cut
from app.language import gettext as _
from app.models import Audit, Invitation, Membership, Project, User
from app.models.membership import ROLES
from app.pages import Page, go_to, render, shown_once
from app.people import invitations
from app.people.entrance import link_to
from app.projects import queries, reservations, service
from app.projects.queries import managed_project

router = APIRouter()
SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class ProjectPeoplePage(Page):
    """`link` is shown this once, to whoever had it made; `form` is the one that was refused: "add" or "invite"."""

    project: Project
    members: Sequence[tuple[User, Membership]]
    pending: Sequence[tuple[Invitation, str]]
    roles: Sequence[str] = ROLES
    form: str = ""
    mistake: Mistake | None = None
    email: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class HistoryPage(Page):
    project: Project
    deeds: Sequence[Deed]
    next_after: int | None


def people_page(session: Session, person: Person, project: Project, **shown: Any) -> ProjectPeoplePage:
    return ProjectPeoplePage(
        person=person,
        project=project,
        members=queries.members(session, project),
        pending=invitations.pending(session, project),
        **shown,
    )


@router.get("/projects/{slug}/people")
def people(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    page = people_page(session, person, managed_project(session, person, slug))
    return render(request, "projects/people.html", page)


@router.post("/projects/{slug}/members")
def add_member(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Fields) -> Response:
    project = managed_project(session, person, slug)
    email, role = form.get("email", ""), form.get("role", "annotator")
    try:
        user = service.add_member(session, person, project, email, role)
    except (BadInput, NotFound) as mistake:
        page = people_page(session, person, project, mistake=mistake, form="add", email=email)
        return render(request, "projects/people.html", page, status=422)
    words = _("%(name)s manages this project now.") if role == "manager" else _("%(name)s may judge here now.")
    return go_to(request, f"/projects/{slug}/people", notice=words % {"name": user.name})


@router.post("/projects/{slug}/members/{user_id}/role")
def change_role(
    request: Request, session: SessionDep, person: SignedIn, slug: str, user_id: RowNumber, form: Fields
) -> Response:
    project = managed_project(session, person, slug)
    role = form.get("role", "")
    user = service.change_role(session, person, project, user_id, role)
    words = _("%(name)s manages this project now.") if role == "manager" else _("%(name)s judges here, and no more.")
    # whoever gives up the project themselves may not look at this page again
    place = f"/projects/{slug}" if user_id == person.id and role != "manager" else f"/projects/{slug}/people"
    return go_to(request, place, notice=words % {"name": user.name})


@router.post("/projects/{slug}/members/{user_id}/remove")
def remove_member(request: Request, session: SessionDep, person: SignedIn, slug: str, user_id: RowNumber) -> Response:
    project = managed_project(session, person, slug)
    user = service.remove_member(session, person, project, user_id)
    words = _("%(name)s is out of the project; what they judged stays, and open turns go to others.", name=user.name)
    if reservations.stuck_items(session, project):
        words = f"{words} {_('Items that were reserved for them wait: free them on the page of the project.')}"
    left = user_id == person.id and not person.is_admin
    return go_to(request, "/projects" if left else f"/projects/{slug}/people", notice=words)


@router.get("/projects/{slug}/invitations")
def invited_before(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    """The address of a link that was shown once, opened again: the way back to the forms."""
    return go_to(request, f"/projects/{managed_project(session, person, slug).slug}/people")


@router.post("/projects/{slug}/invitations")
def invite(
    request: Request,
    session: SessionDep,
    person: SignedIn,
    slug: str,
    role: Annotated[str, Form()] = "annotator",
    note: Annotated[str, Form()] = "",
    days: Annotated[int, Form()] = invitations.USUAL_DAYS,
) -> Response:
    project = managed_project(session, person, slug)
    try:
        secret = invitations.invite(session, person, project, role=role, days=days, note=note)
    except BadInput as mistake:
        page = people_page(session, person, project, mistake=mistake, form="invite")
        return render(request, "projects/people.html", page, status=422)
    page = people_page(session, person, project, link=link_to(request, secret))
    return shown_once(render(request, "projects/people.html", page))


@router.post("/projects/{slug}/invitations/{invitation_id}/revoke")
def revoke(request: Request, session: SessionDep, person: SignedIn, slug: str, invitation_id: RowNumber) -> Response:
    project = managed_project(session, person, slug)
    try:
        invitations.revoke(session, person, project, invitation_id)
    except NotFound as mistake:
        return go_to(request, f"/projects/{slug}/people", notice=mistake.message)
    return go_to(request, f"/projects/{slug}/people", notice=_("The link works no more."))


@router.get("/projects/{slug}/history")
def history(request: Request, session: SessionDep, person: SignedIn, slug: str, after: After = None) -> Response:
    project = managed_project(session, person, slug)
    rows: Sequence[tuple[Audit, str | None]] = queries.history(session, project, after=after, limit=SHOWN)
    page = cut(rows, SHOWN, key=lambda row: row[0].id)
    deeds = [told(audit, name) for audit, name in page.rows]
    return render(
        request,
        "projects/history.html",
        HistoryPage(person=person, project=project, deeds=deeds, next_after=page.next_after),
    )
