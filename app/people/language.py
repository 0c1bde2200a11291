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
from app.pages import YEAR_S, go_to, keep_cookie
from app.people.entrance import own_path

router = APIRouter()


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
    keep_cookie(answer, spoken.COOKIE, language, YEAR_S)
    return answer
