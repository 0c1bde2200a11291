"""Who reaches a project, and how far."""

import pytest
from sqlalchemy import update

from app import db
from app.errors import NotAllowed, NotFound
from app.models import Membership, User
from app.projects.queries import managed_project
from tests.queued import person_of, queued


def made_manager(user: User) -> None:
    with db.work_unit() as session:
        session.execute(update(Membership).where(Membership.user_id == user.id).values(role="manager"))


def test_a_manager_manages_their_project_and_no_other(ben: User):
    queued(ben, items=0)
    queued(slug="other", items=0)
    made_manager(ben)
    with db.work_unit() as session:
        assert managed_project(session, person_of(ben), "words").slug == "words"
        with pytest.raises(NotFound):
            managed_project(session, person_of(ben), "other")


def test_an_admin_manages_every_project(ada: User):
    queued(items=0)
    with db.work_unit() as session:
        assert managed_project(session, person_of(ada), "words").slug == "words"


def test_an_annotator_is_told_and_a_stranger_learns_nothing(ben: User, cleo: User):
    queued(ben, items=0)
    with db.work_unit() as session:
        with pytest.raises(NotAllowed, match="managers of the project"):
            managed_project(session, person_of(ben), "words")
        with pytest.raises(NotFound):
            managed_project(session, person_of(cleo), "words")
        with pytest.raises(NotFound):
            managed_project(session, person_of(cleo), "wo\0rds")
