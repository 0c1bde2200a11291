"""The page people spend their day on: one turn after the other, each stored and shown back.

The page holds one fragment, the turn. Its form carries the assignment, response ids and a key drawn on the server for
this rendering, so that a double click, a reload, the back button or a second try over a bad connection stores nothing
twice. htmx is answered with the next turn; a plain form is sent back to the page, which says what was saved because it
asks the database.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Person, SignedIn
from app.db import SessionDep, Unit, commit_behind, quick_unit
from app.direct import Direct, in_thread
from app.errors import BadInput, Conflict, Mistake
from app.forms import Fields, RowNumber, quick_fields, row_number
from app.judgments import queries, service
from app.judgments.practice import Feedback, feedback
from app.judgments.progress import Progress, looking
from app.judgments.queries import Reason
from app.judgments.words import LABELS, said, skip_reasons
from app.kinds import Asked, Kind, Verdict, asked_by, kind_named
from app.models import Project
from app.pages import YEAR_S, Page, go_to, is_fragment_wanted, keep_cookie, render
from app.projects.queries import project_for
from app.projects.quick import browser_and_project
from app.queue.service import Turn, claim, claiming, renew

direct = APIRouter(route_class=Direct)
router = APIRouter()
LONGEST_LOOK_MS = 24 * 3600 * 1000
LAYOUT_COOKIE = "tiebreak_layout"
LAYOUTS = ("columns", "stacked")


@dataclass(frozen=True, kw_only=True)
class VerdictPage(Page):
    """What every page with a judging form knows. `entered` is what the form holds already."""

    project: Project
    key: str
    labels: str = LABELS
    skip_reasons: Mapping[str, str] = field(default_factory=skip_reasons)
    mistake: Mistake | None = None
    entered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TurnPage(VerdictPage):
    """`is_next`: the turn follows another one on the same page. `stored` is the assignment that was just judged.

    With `feedback` the page tells how a practice went, and there is no turn until the person goes on.
    """

    turn: Turn | None
    progress: Progress
    last: queries.Last | None
    saved: str
    reason: Reason | None
    is_next: bool
    is_practice: bool
    is_stacked: bool
    stored: int | None = None
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a form that was sent. `is_locked`: judging has taken the lock that a claim takes.

    `last` is what has just been stored; otherwise the database is asked what was said last. What follows may have been
    asked already, behind the judgment: `claimed` and `progress` wait for the answers.
    """

    assignment_id: int | None = None
    judgment_id: int | None = None
    is_practice: bool = False
    is_locked: bool = False
    mistake: Mistake | None = None
    last: queries.Last | None = None
    claimed: Callable[[], Turn | None] | None = None
    progress: Callable[[], Progress] | None = None


def turn_page(
    request: Request,
    unit: Unit,
    person: Person,
    project: Project,
    *,
    done: Done | None = None,
    form: Mapping[str, str] | None = None,
    told: Feedback | None = None,
) -> TurnPage:
    """The next turn; or, with `told`, how the last one went."""
    done = done or Done()
    if told:
        turn = None
    elif done.claimed is not None:
        turn = done.claimed()
    else:
        turn = claim(unit, person.id, project.id, is_locked=done.is_locked)
    last = done.last or queries.last_judgment(unit, person, project)
    return TurnPage(
        person=person,
        project=project,
        turn=turn,
        key=secrets.token_urlsafe(12),
        progress=(done.progress or looking(unit, person, project))(),
        last=last,
        saved=said(last) if last else "",
        reason=None if turn or told else queries.why_nothing_is_left(unit, person, project),
        is_next=is_fragment_wanted(request) or done.mistake is not None,
        is_practice=turn is not None and turn.is_training,
        is_stacked=request.cookies.get(LAYOUT_COOKIE) == "stacked",
        stored=done.assignment_id,
        mistake=done.mistake,
        entered=entered(unit, project, turn, last, form or {}) if turn else {},
        feedback=told,
    )


def entered(
    unit: Unit, project: Project, turn: Turn, last: queries.Last | None, form: Mapping[str, str]
) -> Mapping[str, str]:
    """What a form shows filled in: what was refused about this turn, or what was just taken back."""
    if form.get("assignment") == str(turn.assignment_id):
        return form
    if last is None or not last.withdrawn or last.assignment_id != turn.assignment_id:
        return {}
    verdict = queries.taken_back(unit, last)
    return kind_named(project.kind).write(verdict, asked_by(project)) if verdict else {}


@router.get("/projects/{slug}/judge")
def judge(request: Request, session: SessionDep, person: SignedIn, slug: str, layout: str | None = None) -> Response:
    """The page. `?layout=` is the link beside it, which a script answers without asking here."""
    project = project_for(session, person, slug)
    if layout in LAYOUTS:
        answer = go_to(request, f"/projects/{slug}/judge")
        keep_cookie(answer, LAYOUT_COOKIE, str(layout), YEAR_S, is_for_scripts=True)
        return answer
    page = render(request, "judgments/judge.html", turn_page(request, session, person, project))
    page.headers["cache-control"] = "no-store"  # the back button asks again, instead of showing what is judged already
    return page


@direct.post("/projects/{slug}/turn")  # noqa: FAST003 -- read by hand
async def turn(request: Request) -> Response:
    """Store what was decided, answer with the next turn. Whatever is refused is said on the page it came from.

    Every key press waits for this, so it is `Direct`, and the transaction is opened where it is needed: dependencies
    would cost three more trips to the thread pool.
    """
    return await in_thread(_turn, request, request.path_params["slug"], await quick_fields(request))


def _turn(request: Request, slug: str, form: Mapping[str, str]) -> Response:
    with quick_unit() as unit:
        person, project = browser_and_project(request, unit, slug)
        try:
            done = store(unit, person, project, form)
        except (BadInput, Conflict) as refusal:
            done = Done(mistake=refusal)
        return next_turn(request, unit, person, project, done, form)


@router.post("/projects/{slug}/turns/{assignment_id}/renew", status_code=204)
def renew_turn(session: SessionDep, person: SignedIn, slug: str, assignment_id: RowNumber) -> None:
    """Asked by the page while somebody looks at it. 409 when the turn is over: its lease ran out, or it was judged."""
    project_for(session, person, slug)
    renew(session, person.id, assignment_id)


@router.post("/projects/{slug}/undo")
def undo(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Fields) -> Response:
    project = project_for(session, person, slug)
    done = Done()
    try:
        service.withdraw(session, person, row_number(form, "judgment"), key=form.get("key", ""))
    except (BadInput, Conflict) as refusal:
        done = Done(mistake=refusal)
    return next_turn(request, session, person, project, done, {})


@router.get("/projects/{slug}/practice/{judgment_id}")
def practice(request: Request, session: SessionDep, person: SignedIn, slug: str, judgment_id: RowNumber) -> Response:
    """How one's practice went, for whoever came here by a plain form."""
    project = project_for(session, person, slug)
    told = feedback(session, person, project, judgment_id)
    return render(request, "judgments/judge.html", turn_page(request, session, person, project, told=told))


def store(unit: Unit, person: Person, project: Project, form: Mapping[str, str]) -> Done:
    assignment_id = row_number(form, "assignment")
    looked = form.get("duration_ms", "")
    duration_ms = min(int(looked), LONGEST_LOOK_MS) if looked.isdecimal() and len(looked) < 12 else None

    def read(kind: Kind, response_ids: Sequence[UUID], asked: Asked) -> Verdict:
        return kind.read(form, response_ids, asked)

    following: list[tuple[Callable[[], Turn | None], Callable[[], Progress]]] = []

    def ask_what_follows(project_id: int, reason: str) -> None:
        if project_id == project.id and reason != "training":
            following.append((claiming(unit, person.id, project_id), looking(unit, person, project)))
            commit_behind(unit)

    key = form.get("key", "")
    stored = service.judge(
        unit, person, assignment_id, read, key=key, duration_ms=duration_ms, meanwhile=ask_what_follows
    )
    claimed, told = following[-1] if following else (None, None)
    is_here, is_practice = stored.project_id == project.id, stored.reason == "training"
    is_new = is_here and not stored.replayed
    return Done(
        assignment_id=assignment_id,
        judgment_id=stored.judgment["id"],
        is_practice=is_practice,
        is_locked=is_here,
        last=queries.just_stored(stored.judgment, stored.shown, project, is_practice=is_practice) if is_new else None,
        claimed=claimed,
        progress=told,
    )


def next_turn(
    request: Request, unit: Unit, person: Person, project: Project, done: Done, form: Mapping[str, str]
) -> Response:
    mistake = done.mistake
    told = feedback(unit, person, project, done.judgment_id) if done.is_practice and done.judgment_id else None
    if is_fragment_wanted(request) or isinstance(mistake, BadInput):
        page = turn_page(request, unit, person, project, done=done, form=form if mistake else None, told=told)
        template = "judgments/_turn.html" if is_fragment_wanted(request) else "judgments/judge.html"
        return render(request, template, page, status=mistake.status if isinstance(mistake, BadInput) else 200)
    path = f"practice/{told.judgment_id}" if told else "judge"
    return go_to(request, f"/projects/{project.slug}/{path}", notice=mistake.message if mistake else "")
