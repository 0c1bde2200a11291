"""Members and invitations for programs: what the pages can do, and no more."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import Project, User
from tests.app.projects.test_queries import made_manager
from tests.conftest import account, client, token_client
from tests.queued import claimed, queued, slots_that_do_not_add_up, value

HERE = "/api/v1/projects/words"


@pytest.fixture
def ben_manages(ben: User) -> TestClient:
    """Ben's program; Ben manages the project."""
    queued(ben, items=2)
    made_manager(ben)
    return token_client(ben, "read", "admin", "judge")


def test_a_manager_lets_somebody_in_changes_their_role_and_takes_them_out(
    ben_manages: TestClient, ben: User, cleo: User
):
    added = ben_manages.post(f"{HERE}/members", json={"email": "CLEO@example.org"})
    told = added.json()
    assert (added.status_code, told["user"], told["role"], told["disabled"]) == (201, cleo.id, "annotator", False)
    assert [one["user"] for one in ben_manages.get(f"{HERE}/members").json()] == [ben.id, cleo.id]
    changed = ben_manages.patch(f"{HERE}/members/{cleo.id}", json={"role": "manager"})
    assert (changed.status_code, changed.json()) == (200, told | {"role": "manager"})
    again = ben_manages.post(f"{HERE}/members", json={"email": "cleo@example.org"})
    assert again.json()["role"] == "manager", "whoever is asked in as an annotator stays what they are"
    assert ben_manages.delete(f"{HERE}/members/{cleo.id}").status_code == 204
    assert [one["user"] for one in ben_manages.get(f"{HERE}/members").json()] == [ben.id]
    assert ben_manages.delete(f"{HERE}/members/{cleo.id}").status_code == 404
    assert ben_manages.patch(f"{HERE}/members/{cleo.id}", json={"role": "manager"}).status_code == 404
    assert value("SELECT count(*) FROM audit WHERE action LIKE 'member.%'") == 4


def test_who_is_taken_out_keeps_no_turn(ben_manages: TestClient, cleo: User):
    ben_manages.post(f"{HERE}/members", json={"email": "cleo@example.org"})
    project_id = value("SELECT id FROM project")
    claimed(cleo, Project(id=project_id, slug="words"))
    ben_manages.delete(f"{HERE}/members/{cleo.id}")
    assert value("SELECT count(*) FROM assignment WHERE state = 'open' AND expires_at > now()") == 0
    assert slots_that_do_not_add_up() == []


def test_members_come_in_pages(ben_manages: TestClient, ben: User, cleo: User):
    ben_manages.post(f"{HERE}/members", json={"email": "cleo@example.org"})
    first = ben_manages.get(f"{HERE}/members", params={"limit": 1})
    assert [one["name"] for one in first.json()] == ["Ben"]
    second = ben_manages.get(first.links["next"]["url"])
    assert ([one["name"] for one in second.json()], second.links) == (["Cleo"], {})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"email": "a\0@b"}, "email"),
        ({"email": "cleo@example.org", "role": "admin"}, "role"),
        ({"email": "cleo@example.org", "rule": "manager"}, "rule"),
        ({}, "email"),
    ],
)
def test_it_says_what_is_wrong_with_a_member(ben_manages: TestClient, cleo: User, body: dict[str, Any], field: str):
    answer = ben_manages.post(f"{HERE}/members", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert value("SELECT count(*) FROM membership") == 1


def test_somebody_without_an_account_is_not_found(ben_manages: TestClient):
    answer = ben_manages.post(f"{HERE}/members", json={"email": "dan@example.org"})
    assert (answer.status_code, "dan@example.org" in answer.json()["detail"]) == (404, True)


def test_a_link_is_told_once_works_once_and_can_be_revoked(ben_manages: TestClient):
    made = ben_manages.post(f"{HERE}/invitations", json={"role": "annotator", "days": 2, "note": "Dora"})
    told = made.json()
    link = told.pop("link")
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert (told["note"], told["role"], told["invited_by"]) == ("Dora", "annotator", "Ben")
    assert ben_manages.get(f"{HERE}/invitations").json() == [told]
    other = ben_manages.post(f"{HERE}/invitations", json={}).json()
    assert ben_manages.delete(f"{HERE}/invitations/{other['id']}").status_code == 204
    assert ben_manages.delete(f"{HERE}/invitations/{other['id']}").status_code == 404
    assert client().get("/join/" + other["link"].rpartition("/")[2]).status_code == 404
    form = {"email": "dora@example.org", "name": "Dora", "password": "dora-password"}
    assert client().post("/join/" + link.rpartition("/")[2], data=form).status_code == 303
    assert ben_manages.get(f"{HERE}/invitations").json() == []
    assert {one["name"] for one in ben_manages.get(f"{HERE}/members").json()} == {"Ben", "Dora"}


@pytest.mark.parametrize(
    ("body", "field"),
    [({"days": 0}, "days"), ({"days": 10**30}, "days"), ({"role": "admin"}, "role"), ({"note": "a\nb"}, "note")],
)
def test_it_says_what_is_wrong_with_a_link(ben_manages: TestClient, body: dict[str, Any], field: str):
    answer = ben_manages.post(f"{HERE}/invitations", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_link_of_another_project_is_not_there(ben_manages: TestClient, ada: User):
    queued(slug="other", items=0)
    ada_program = token_client(ada, "read", "admin")
    made = ada_program.post("/api/v1/projects/other/invitations", json={}).json()
    assert ben_manages.delete(f"{HERE}/invitations/{made['id']}").status_code == 404
    assert [one["id"] for one in ada_program.get("/api/v1/projects/other/invitations").json()] == [made["id"]]


def test_strangers_and_annotators_get_nowhere(ben_manages: TestClient, ben: User, cleo: User):
    fay = account("fay", "annotator")
    ben_manages.post(f"{HERE}/members", json={"email": "fay@example.org"})
    for user, status in ((cleo, 404), (fay, 403)):
        program = token_client(user, "read")
        assert program.get(f"{HERE}/members").status_code == status
        assert program.get(f"{HERE}/invitations").status_code == status
    program = token_client(cleo, "read", "admin")
    assert program.post(f"{HERE}/members", json={"email": "cleo@example.org"}).status_code == 403
    assert program.delete(f"{HERE}/members/{ben.id}").status_code == 403
    assert value("SELECT count(*) FROM membership") == 2
