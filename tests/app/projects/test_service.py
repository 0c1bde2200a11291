"""Making projects, changing what they want, saying who takes part."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import BadInput, Conflict, NotFound
from app.models import Audit, Membership, Project
from app.people import service as people
from app.projects import service
from app.projects.service import change_settings, create_project, slug_of
from tests.conftest import somebody
from tests.queued import person_of


@pytest.fixture
def ada(session: Session) -> Person:
    user = somebody("ada", "admin")
    session.add(user)
    session.flush()
    return person_of(user)


def made(session: Session, ada: Person, **fields: Any) -> Project:
    return create_project(session, ada, **{"slug": "p", "name": "P", "kind": "pair", **fields})


def test_it_makes_a_project_and_leaves_a_trace(session: Session, ada: Person):
    project = made(session, ada, slug="my-words-2", name="  Words ", guidelines="Be\r\nkind. ", judgments_per_item=3)
    assert (project.slug, project.name, project.guidelines) == ("my-words-2", "Words", "Be\nkind.")
    assert (project.judgments_per_item, project.lease_minutes) == (3, 30)
    assert project.outcomes == ["ranked", "tie", "all_bad", "skip"]
    trace = session.scalars(select(Audit).where(Audit.action == "project.created")).one()
    assert (trace.user_id, trace.subject) == (ada.id, "my-words-2")


def test_a_slug_is_taken_once(session: Session, ada: Person):
    made(session, ada)
    with pytest.raises(Conflict, match="“p” already") as refusal:
        made(session, ada, name="Another")
    assert refusal.value.field == "slug"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("slug", slug) for slug in ("", "P", "-p", "p q", "p/q", "é", "p\n", "p\0", "x" * 64, "new")),
        *(("name", name) for name in ("", "  ", "x" * 201, "a\0b", "a\ud800")),
        *(("kind", kind) for kind in ("", "banana", "Pair", "pair\0")),
        *(("guidelines", words) for words in ("x" * 50_001, "a\0b")),
        *(("judgments_per_item", number) for number in (0, -1, 1001, 10**30)),
        *(("lease_minutes", number) for number in (0, -1, 10_081, 10**30)),
    ],
)
def test_it_says_which_field_is_wrong(session: Session, ada: Person, field: str, value: Any):
    with pytest.raises(BadInput) as refusal:
        made(session, ada, **{field: value})
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("name", "slug"),
    [("My Words, 2nd!", "my-words-2nd"), ("Größe", "groe"), ("漢字", ""), ("x" * 70, "x" * 63), ("-", "")],
)
def test_it_makes_a_slug_from_a_name(name: str, slug: str):
    assert slug_of(name) == slug


def items(session: Session, project: Project, *slots: tuple[int, int]) -> None:
    """Items by wanted and open slots."""
    for number, (wanted, open_slots) in enumerate(slots):
        session.execute(
            text(
                "WITH p AS (INSERT INTO prompt (project_id, messages, content_hash) VALUES (:project, '[]', :hash) "
                "RETURNING id) INSERT INTO item (project_id, prompt_id, response_ids, content_hash, wanted, open_slots) "
                "SELECT :project, id, '{}', :hash, :wanted, :open FROM p"
            ),
            {"project": project.id, "hash": bytes([number]), "wanted": wanted, "open": open_slots},
        )


def settings(project: Project, **changed: Any) -> dict[str, Any]:
    names = ("name", "guidelines", "judgments_per_item", "lease_minutes")
    return {name: getattr(project, name) for name in names} | changed


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (5, [(5, 5), (5, 4), (5, 2), (5, 1)]),
        (3, [(3, 3), (3, 2), (3, 0), (4, 0)]),
        (1, [(1, 1), (1, 0), (3, 0), (4, 0)]),
    ],
)
def test_items_follow_the_number_wanted_as_far_as_their_slots_are_free(
    session: Session, ada: Person, wanted: int, expected: list[tuple[int, int]]
):
    project = made(session, ada, judgments_per_item=4)
    items(session, project, (4, 4), (4, 3), (4, 1), (4, 0))
    change_settings(session, ada, project, **settings(project, judgments_per_item=wanted))
    rows = session.execute(text("SELECT wanted, open_slots FROM item ORDER BY content_hash")).all()
    assert [tuple(row) for row in rows] == expected
    taken = [4 - free for free in (4, 3, 1, 0)]
    assert [row.wanted - row.open_slots for row in rows] == taken


def test_settings_are_checked_and_traced(session: Session, ada: Person):
    project = made(session, ada)
    with pytest.raises(BadInput):
        change_settings(session, ada, project, **settings(project, name=""))
    change_settings(session, ada, project, **settings(project))
    change_settings(session, ada, project, **settings(project, name="Q", lease_minutes=5))
    assert (project.name, project.lease_minutes) == ("Q", 5)
    trace = session.scalars(select(Audit.detail).where(Audit.action == "project.changed")).one()
    assert trace == {"changed": ["name", "lease_minutes"], "values": {"name": ["P", "Q"], "lease_minutes": [30, 5]}}


def test_members_come_and_go(session: Session, ada: Person):
    project = made(session, ada)
    people.add_user(session, "ben@example.org", role="annotator")
    ben = service.add_member(session, ada, project, " Ben@example.org ")
    assert service.add_member(session, ada, project, "ben@example.org").id == ben.id
    assert session.scalars(select(Membership.user_id)).all() == [ben.id]
    service.remove_member(session, ada, project, ben.id)
    assert session.scalars(select(Membership.user_id)).all() == []
    with pytest.raises(NotFound):
        service.remove_member(session, ada, project, ben.id)
    with pytest.raises(NotFound, match="no account"):
        service.add_member(session, ada, project, "nobody@example.org")
