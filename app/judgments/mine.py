"""Pages: one's own judgments of a project, one of them with its revisions, and the form that changes it.

Everybody sees their own judgments and nobody else's, admins included. A change is a new revision and so is a withdrawal;
both keep what was there.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake
from app.forms import Fields, RowNumber, row_number
from app.judgments import history, service
from app.judgments.history import Found, Mine, Shown, Wanted
from app.judgments.queries import verdict_of
from app.judgments.views import VerdictPage
from app.judgments.words import answer, skip_reasons
from app.keyset import After
from app.kinds import asked_by, kind_named
from app.language import gettext as _
from app.models import Judgment, Project
from app.pages import Page, go_to, render
from app.preference import has_order
from app.projects.queries import project_for
from app.prompts.queries import checked_words

router = APIRouter()
SHOWN = 20
SHOWN_OF_PROMPT = 240
Words = Annotated[str, Query(alias="q")]


@dataclass(frozen=True, kw_only=True)
class MinePage(Page):
    """`entered` is what stands in the fields of the search, `older` the query of the next page."""

    project: Project
    found: Found
    entered: Mapping[str, str]
    is_search: bool
    older: str
    after: int | None
    mistake: Mistake | None = None
    looked_through: int = history.LOOKED_THROUGH
    said: Callable[[Mine], str]
    asked_for: Callable[[Mine], str]


@dataclass(frozen=True, kw_only=True)
class OwnJudgmentPage(VerdictPage):
    """`turn` is what was shown, in the shape that a kind's template takes."""

    turn: Shown
    said: Callable[[Judgment], str]
    dimensions: Callable[[Judgment], list[tuple[str, str]]]


@router.get("/projects/{slug}/mine")
def mine(
    request: Request,
    session: SessionDep,
    person: SignedIn,
    slug: str,
    words: Words = "",
    outcome: str = "",
    since: str = "",
    until: str = "",
    after: After = None,
) -> Response:
    project = project_for(session, person, slug)
    entered = {"q": words, "outcome": outcome, "since": since, "until": until}
    mistake: Mistake | None = None
    try:
        wanted = Wanted(checked_words(words, field="q"), _outcome(outcome), _day(since, "since"), _day(until, "until"))
        found = history.mine(session, person, project, wanted, after=after, limit=SHOWN)
    except BadInput as refusal:
        mistake, found = refusal, Found((), None, stopped_early=False)
    filled = {name: value for name, value in entered.items() if value}
    page = MinePage(
        person=person,
        project=project,
        found=found,
        entered=entered,
        is_search=bool(filled),
        older=urlencode(filled | {"after": found.next_after}),
        after=after,
        mistake=mistake,
        said=lambda one: said(one, one.shown),
        asked_for=lambda one: asked_for(one.messages),
    )
    return render(request, "judgments/mine.html", page, status=mistake.status if mistake else 200)


def _outcome(outcome: str) -> str:
    if outcome and outcome not in history.OUTCOMES:
        raise BadInput(_("there is no such outcome"), field="outcome")
    return outcome


def _day(words: str, name: str) -> date | None:
    if not words:
        return None
    try:
        day = date.fromisoformat(words)
    except ValueError:
        day = date.max
    if not 1900 <= day.year <= 9000:
        raise BadInput(_("please enter a day as year-month-day, such as 2026-03-01"), field=name)
    return day


@router.get("/projects/{slug}/mine/{assignment_id}")
def own_judgment(
    request: Request, session: SessionDep, person: SignedIn, slug: str, assignment_id: RowNumber
) -> Response:
    return render(request, "judgments/own_judgment.html", _page(session, person, slug, assignment_id))


@router.get("/projects/{slug}/mine/{assignment_id}/change")
def change_form(
    request: Request, session: SessionDep, person: SignedIn, slug: str, assignment_id: RowNumber
) -> Response:
    page = _page(session, person, slug, assignment_id)
    if page.turn.current is None or page.turn.is_practice:
        return go_to(request, f"/projects/{slug}/mine/{assignment_id}")
    return render(request, "judgments/change.html", page)


@router.post("/projects/{slug}/mine/{assignment_id}/change")
def change(
    request: Request, session: SessionDep, person: SignedIn, slug: str, assignment_id: RowNumber, form: Fields
) -> Response:
    page = _page(session, person, slug, assignment_id)
    try:
        verdict = kind_named(page.project.kind).read(form, page.turn.response_ids, asked_by(page.project))
        with session.begin_nested():  # what is refused must not have taken the old one back
            service.revise(session, person, _judgment_of(page.turn, form), verdict, key=form.get("key", ""))
    except (BadInput, Conflict) as mistake:
        refused = _page(session, person, slug, assignment_id, mistake=mistake, entered=form)
        return render(request, "judgments/change.html", refused, status=mistake.status)
    return go_to(request, f"/projects/{slug}/mine/{assignment_id}", notice=_("Changed. What you said before is kept."))


@router.post("/projects/{slug}/mine/{assignment_id}/withdraw")
def withdraw(
    request: Request, session: SessionDep, person: SignedIn, slug: str, assignment_id: RowNumber, form: Fields
) -> Response:
    page = _page(session, person, slug, assignment_id)
    service.withdraw(session, person, _judgment_of(page.turn, form), key=form.get("key", ""))
    return go_to(request, f"/projects/{slug}/judge", notice=_("Taken back. You may judge it again."))


def _judgment_of(turn: Shown, form: Mapping[str, str]) -> int:
    """The judgment that the form is about, if it is one of this turn."""
    wanted = row_number(form, "judgment")
    if wanted not in {one.id for one in turn.revisions}:
        raise Conflict(_("this judgment is not one of this turn; reload the page and try again"))
    return wanted


def _page(
    session: Session,
    person: Person,
    slug: str,
    assignment_id: int,
    *,
    mistake: Mistake | None = None,
    entered: Mapping[str, str] | None = None,
) -> OwnJudgmentPage:
    project = project_for(session, person, slug)
    turn = history.shown(session, person, project, assignment_id)
    shown = [key for key, _text in turn.responses]
    return OwnJudgmentPage(
        person=person,
        project=project,
        turn=turn,
        key=secrets.token_urlsafe(12),
        mistake=mistake,
        entered=entered if entered is not None else _entered(project, turn),
        said=lambda one: said(one, shown),
        dimensions=lambda one: [(name, _dimension(tiers, shown)) for name, tiers in one.dimensions.items()],
    )


def _entered(project: Project, turn: Shown) -> dict[str, str]:
    """The judgment in force as its form would have sent it."""
    if turn.current is None:
        return {}
    return kind_named(project.kind).write(verdict_of(turn.current), asked_by(project))


def said(one: Mine | Judgment, shown: Sequence[str]) -> str:
    """A judgment in words, as the beginning of a line."""
    if one.withdrawn:
        return _("Taken back")
    words = answer(one.outcome, one.tiers, shown, one.strength)
    if one.skip_reason:
        words = _("%(what)s: %(why)s", what=words, why=skip_reasons().get(one.skip_reason, one.skip_reason))
    return words[:1].upper() + words[1:]


def _dimension(tiers: Mapping[str, int], shown: Sequence[str]) -> str:
    return answer("ranked" if has_order(list(tiers.values())) else "tie", tiers, shown)


def asked_for(messages: Sequence[Mapping[str, str]]) -> str:
    """What a prompt asks for: the last turn of its user, in one line and not all of it."""
    texts = [one["content"] for one in messages if one["role"] == "user"] or [one["content"] for one in messages]
    line = " ".join((texts[-1] if texts else "")[: 2 * SHOWN_OF_PROMPT].split())
    return line if len(line) <= SHOWN_OF_PROMPT else line[: SHOWN_OF_PROMPT - 1] + "…"
