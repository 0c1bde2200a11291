"""Choosing the language of one's pages: kept by the browser, and by the account of whoever is signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import update

from app import language as spoken
from app.access import COOKIE, person_of_cookie
from app.db import SessionDep
from app.errors import BadInput
from app.models import User
from app.pages import go_to
from app.people.views import own_path
from app.settings import get_settings

router = APIRouter()
_KEPT_S = 365 * 86400


@router.post("/language")
def choose_language(
    request: Request,
    session: SessionDep,
    language: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 -- the field's name
) -> Response:
    if language not in spoken.LANGUAGES:
        raise BadInput(
            spoken.gettext(
                "this place does not speak “%(language)s”; it speaks %(languages)s",
                language=language,
                languages=", ".join(spoken.LANGUAGES.values()),
            ),
            field="language",
        )
    person = person_of_cookie(session, request.cookies.get(COOKIE, ""))
    if person is not None:
        session.execute(update(User).where(User.id == person.id).values(language=language))
    answer = go_to(request, own_path(next))
    secure = get_settings().secure_cookies
    answer.set_cookie(spoken.COOKIE, language, max_age=_KEPT_S, httponly=True, samesite="lax", secure=secure)
    return answer
