"""The page people spend their day on: one turn after the other, each stored and shown back.

The page holds one fragment, the turn. Its form carries the assignment, response ids and a key drawn on the server for
this rendering, so that a double click, a reload or the back button stores nothing twice. htmx is answered with the next
turn; a plain form is sent back to the page, which says what was saved because it asks the database.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake
from app.forms import Fields, row_number
from app.judgments import queries, service
from app.judgments.queries import Progress, Reason
from app.judgments.words import LABELS, said
from app.kinds import asked_by, kind_named
from app.models import Project
from app.pages import Page, go_to, is_fragment_wanted, render
from app.projects.queries import project_for
from app.queue.service import Turn, claim

router = APIRouter()
LONGEST_LOOK_MS = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True)
class TurnPage(Page):
    """`is_next`: the turn follows another one on the same page. `entered` is what a refused form held."""

    project: Project
    turn: Turn | None
    key: str
    progress: Progress
    last: queries.Last | None
    saved: str
    reason: Reason | None
    is_next: bool
    labels: str = LABELS
    mistake: Mistake | None = None
    entered: Mapping[str, str] = field(default_factory=dict)


def turn_page(
    session: SessionDep,
    person: Person,
    project: Project,
    *,
    is_next: bool = False,
    mistake: Mistake | None = None,
    entered: Mapping[str, str] | None = None,
) -> TurnPage:
    turn = claim(session, person.id, project.id)
    last = queries.last_judgment(session, person, project)
    return TurnPage(
        person=person,
        project=project,
        turn=turn,
        key=secrets.token_urlsafe(12),
        progress=queries.progress(session, person, project),
        last=last,
        saved=said(last) if last else "",
        reason=None if turn else queries.why_nothing_is_left(session, person, project),
        is_next=is_next,
        mistake=mistake,
        entered=entered or {},
    )


@router.get("/projects/{slug}/judge")
def judge(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    project = project_for(session, person, slug)
    return render(request, "judgments/judge.html", turn_page(session, person, project))


@router.post("/projects/{slug}/turn")
def turn(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Fields) -> Response:
    """Store what was decided, answer with the next turn. Whatever is refused is said on the page it came from."""
    project = project_for(session, person, slug)
    mistake: Mistake | None = None
    try:
        store(session, person, project, form)
    except (BadInput, Conflict) as refusal:
        mistake = refusal
    return next_turn(request, session, person, project, mistake, form)


@router.post("/projects/{slug}/undo")
def undo(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Fields) -> Response:
    project = project_for(session, person, slug)
    mistake: Mistake | None = None
    try:
        service.withdraw(session, person, row_number(form, "judgment"), key=form.get("key", ""))
    except (BadInput, Conflict) as refusal:
        mistake = refusal
    return next_turn(request, session, person, project, mistake, form)


def store(session: SessionDep, person: Person, project: Project, form: Mapping[str, str]) -> None:
    assignment_id = row_number(form, "assignment")
    shown = queries.shown_order(session, person, assignment_id)
    verdict = kind_named(project.kind).read(form, shown, asked_by(project))
    looked = form.get("duration_ms", "")
    duration_ms = min(int(looked), LONGEST_LOOK_MS) if looked.isdecimal() and len(looked) < 12 else None
    service.judge(session, person, assignment_id, verdict, key=form.get("key", ""), duration_ms=duration_ms)


def next_turn(
    request: Request,
    session: SessionDep,
    person: Person,
    project: Project,
    mistake: Mistake | None,
    form: Mapping[str, str],
) -> Response:
    if is_fragment_wanted(request) or isinstance(mistake, BadInput):
        page = turn_page(session, person, project, is_next=True, mistake=mistake, entered=form if mistake else None)
        template = "judgments/_turn.html" if is_fragment_wanted(request) else "judgments/judge.html"
        return render(request, template, page, status=mistake.status if isinstance(mistake, BadInput) else 200)
    return go_to(request, f"/projects/{project.slug}/judge", notice=mistake.message if mistake else "")
