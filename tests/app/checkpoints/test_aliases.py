"""Aliases: words that stand for one version of a name."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import db
from app.access import Person
from app.checkpoints import aliases
from app.checkpoints.queries import version_by_alias
from app.models import Audit, CheckpointAlias, User
from tests.conftest import token_client
from tests.trained import make_checkpoint, make_run

ALIASES = "/api/v1/checkpoints/pairs-dpo/aliases"


@pytest.fixture
def three(ada: User) -> None:
    """Three versions of one name, one of another."""
    with db.work_unit() as session:
        for _ in range(3):
            make_checkpoint(session, make_run(session))
        make_checkpoint(session, make_run(session), name="other")


def stands_for(alias: str, name: str = "pairs-dpo") -> int | None:
    with db.work_unit() as session:
        found = version_by_alias(session, Person(0, "Ada", "admin"), name, alias)
    return found.version if found is not None else None


def test_it_points_and_moves_and_is_taken_away(ada_api: TestClient, three: None):
    assert stands_for("production") is None
    first = ada_api.put(f"{ALIASES}/production", json={"version": 1}).json()
    assert (first["name"], first["alias"], first["version"]) == ("pairs-dpo", "production", 1)
    assert ada_api.put(f"{ALIASES}/production", json={"version": 3}).json()["version"] == 3
    assert (stands_for("production"), stands_for("production", "other")) == (3, None)
    assert ada_api.get("/api/v1/checkpoints/3").json()["aliases"] == ["production"]
    assert [one["aliases"] for one in ada_api.get("/api/v1/checkpoints").json()] == [[], ["production"], [], []]
    assert ada_api.delete(f"{ALIASES}/production").status_code == 204
    assert (stands_for("production"), ada_api.get(ALIASES).json()) == (None, [])


def test_several_words_may_stand_for_one_version(ada_api: TestClient, three: None):
    for alias in ("production", "candidate", "eu.blue-2"):
        assert ada_api.put(f"{ALIASES}/{alias}", json={"version": 2}).status_code == 200
    assert [one["alias"] for one in ada_api.get(ALIASES).json()] == ["candidate", "eu.blue-2", "production"]
    assert ada_api.get("/api/v1/checkpoints/2").json()["aliases"] == ["candidate", "eu.blue-2", "production"]


def test_every_move_is_recorded_with_both_versions(ada_api: TestClient, ada: User, three: None):
    for version in (1, 2, 2):
        ada_api.put(f"{ALIASES}/production", json={"version": version})
    ada_api.delete(f"{ALIASES}/production")
    with db.work_unit() as session:
        deeds = session.scalars(select(Audit).where(Audit.subject == "pairs-dpo").order_by(Audit.id)).all()
    assert [(deed.action, deed.user_id, deed.detail["from"], deed.detail["to"]) for deed in deeds] == [
        ("checkpoint.alias_moved", ada.id, None, 1),
        ("checkpoint.alias_moved", ada.id, 1, 2),
        ("checkpoint.alias_removed", ada.id, 2, None),
    ]


@pytest.mark.parametrize("alias", ["main", "newest", "v3", "Production", "3rd", "a" * 64, "ab" * 20, "a b", "..", "é"])
def test_words_that_mean_something_else_are_refused(ada_api: TestClient, three: None, alias: str):
    answer = ada_api.put(f"{ALIASES}/{alias}", json={"version": 1})
    if alias == "..":  # which addresses resolve themselves
        assert answer.status_code == 405
    else:
        assert (answer.status_code, answer.json()["field"]) == (422, "alias")


def test_it_needs_a_version_that_is_there(ada_api: TestClient, three: None):
    assert ada_api.put(f"{ALIASES}/production", json={"version": 4}).status_code == 404
    assert ada_api.put("/api/v1/checkpoints/none/aliases/production", json={"version": 1}).status_code == 404
    assert ada_api.put(f"{ALIASES}/production", json={"version": 0}).status_code == 422
    assert ada_api.put(f"{ALIASES}/production", json={}).status_code == 422
    missing = ada_api.delete(f"{ALIASES}/production")
    assert (missing.status_code, "it has: none" in missing.json()["detail"]) == (404, True)


def test_the_database_itself_knows_no_alias_of_a_version_that_is_not_there(session: Session, three: None, ada: User):
    session.add(CheckpointAlias(name="other", alias="production", version=2, moved_by=ada.id))
    with pytest.raises(IntegrityError):
        session.flush()


def test_two_who_move_it_at_once_leave_one_of_their_versions(ada: User, three: None):
    person = Person(ada.id, ada.name, ada.role)

    def move(version: int) -> None:
        with db.work_unit() as session:
            aliases.point(session, person, "pairs-dpo", "production", version)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(move, [1, 2, 3] * 3))
    with db.work_unit() as session:
        steps = session.scalars(select(Audit.detail).where(Audit.action == aliases.MOVED).order_by(Audit.id)).all()
    assert [step["from"] for step in steps] == [None, *(step["to"] for step in steps[:-1])]
    assert stands_for("production") == steps[-1]["to"]


def test_it_is_not_for_annotators_nor_for_programs_that_only_read(
    ben_api: TestClient, ada: User, nobody: TestClient, three: None
):
    reader = token_client(ada, "read")
    for path, given in ((f"{ALIASES}/production", {"version": 1}),):
        assert [one.put(path, json=given).status_code for one in (ben_api, reader, nobody)] == [403, 403, 401]
        assert [one.delete(path).status_code for one in (ben_api, reader, nobody)] == [403, 403, 401]
    assert [one.get(ALIASES).status_code for one in (ben_api, reader, nobody)] == [403, 200, 401]
