"""What differs between the two responses of one's own turn: a fragment of the judging page, or a page without a script.

It names no model, and the two stand in the order in which they were shown.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import SignedIn
from app.db import SessionDep
from app.errors import NotFound
from app.forms import RowNumber
from app.judgments import history
from app.judgments.words import LABELS
from app.language import gettext as _
from app.models import Project
from app.pages import Page, is_fragment_wanted, render
from app.reading.difference import Side, difference

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class DifferencePage(Page):
    project: Project
    sides: tuple[Side, Side]
    labels: str = LABELS


@router.get("/turns/{assignment_id}/difference")
def difference_of_turn(request: Request, session: SessionDep, person: SignedIn, assignment_id: RowNumber) -> Response:
    project, texts = history.shown_texts(session, person, assignment_id)
    if len(texts) != 2:
        raise NotFound(_("only two responses can be compared word by word"))
    page = DifferencePage(person=person, project=project, sides=difference(*texts))
    template = "judgments/_difference.html" if is_fragment_wanted(request) else "judgments/differences.html"
    return render(request, template, page)
