"""What a key press finds in one statement is what every other request finds in two."""

import pytest
from sqlalchemy import inspect, update
from starlette.requests import Request

from app import db
from app.access import COOKIE, browser, start_session
from app.errors import NotFound, NotSignedIn
from app.models import Membership, Project, User
from app.projects.queries import project_for
from app.projects.quick import browser_and_project, project_to_read
from tests.queued import person_of, queued, write

COLUMNS = inspect(Project).columns.keys()


def a_request(user: User | None) -> Request:
    with db.work_unit() as session:
        secret = "of nobody" if user is None else start_session(session, user)
    return Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={secret}".encode())]})


def test_it_is_the_same_person_and_the_same_project(ada: User, ben: User, cleo: User):
    queued(ben, cleo, items=0)
    with db.work_unit() as session:
        session.execute(update(Membership).where(Membership.user_id == ben.id).values(role="manager"))
        session.execute(update(User).where(User.id == ben.id).values(language="fr"))
    for user in (ada, ben, cleo):
        request = a_request(user)
        with db.quick_unit() as unit:
            person, project = browser_and_project(request, unit, "words")
            again = project_to_read(unit, person, "words")
        with db.work_unit() as session:
            usual = project_for(session, person, "words")
            assert person == browser(request, session) == request.state.person
        for found in (project, again):
            assert {name: getattr(found, name) for name in COLUMNS} == {name: getattr(usual, name) for name in COLUMNS}


def test_a_stranger_is_known_and_learns_nothing(ben: User, cleo: User):
    queued(ben, items=0)
    for slug in ("words", "none", "wo\0rds", ""):
        with pytest.raises(NotFound), db.quick_unit() as unit:
            browser_and_project(a_request(cleo), unit, slug)
    with pytest.raises(NotSignedIn), db.quick_unit() as unit:
        browser_and_project(a_request(None), unit, "words")


def test_it_goes_on_where_the_tables_have_become_wider(ben: User):
    queued(ben, items=0)

    def found() -> str:
        with db.quick_unit() as unit:
            return project_to_read(unit, person_of(ben), "words").slug

    found()
    write("ALTER TABLE project ADD COLUMN of_a_later_version bigint")
    try:
        assert found() == "words"
    finally:
        write("ALTER TABLE project DROP COLUMN of_a_later_version")
