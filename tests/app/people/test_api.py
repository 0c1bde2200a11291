"""The people of this place, for programs of its admins."""

from fastapi.testclient import TestClient

from app.models import User
from tests.conftest import client
from tests.queued import queued


def enter(email: str, password: str) -> int:
    return client().post("/sign-in", data={"email": email, "password": password}).status_code


def test_an_account_is_made_listed_shut_out_and_let_in_again(ada: User, ada_api: TestClient):
    queued(items=0)
    made = ada_api.post("/api/v1/people", json={"email": "Dan@example.org", "project": "words"})
    dan = made.json()
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert enter("dan@example.org", dan["password"]) == 303
    assert [one["email"] for one in ada_api.get("/api/v1/people").json()] == ["ada@example.org", "dan@example.org"]
    place = f"/api/v1/people/{dan['id']}"
    assert ada_api.get(place).json()["projects"] == [{"project": "words", "role": "annotator"}]
    assert ada_api.patch(place, json={"disabled": True}).json()["disabled"] is True
    assert enter("dan@example.org", dan["password"]) == 422
    assert ada_api.patch(place, json={"disabled": False}).json()["disabled"] is False
    assert ada_api.post("/api/v1/people", json={"email": "dan@example.org"}).status_code == 409


def test_a_new_password_is_told_once_and_the_old_one_is_dead(ada_api: TestClient, ben: User):
    place = f"/api/v1/people/{ben.id}/password"
    made = ada_api.post(place, json={}).json()["password"]
    assert (enter("ben@example.org", made), enter("ben@example.org", "ben-password")) == (303, 422)
    assert ada_api.post(place, json={"password": "short"}).json()["field"] == "password"
    assert ada_api.post("/api/v1/people/999/password", json={}).status_code == 404


def test_nobody_shuts_themselves_out(ada: User, ada_api: TestClient):
    assert ada_api.patch(f"/api/v1/people/{ada.id}", json={"disabled": True}).status_code == 409


def test_a_link_makes_an_admin_until_it_is_revoked(ada_api: TestClient):
    made = ada_api.post("/api/v1/invitations", json={"note": "Eve", "days": 3}).json()
    assert [one["note"] for one in ada_api.get("/api/v1/invitations").json()] == ["Eve"]
    assert "link" not in ada_api.get("/api/v1/invitations").json()[0]
    place = made["link"].partition("/join/")[2]
    assert client().get(f"/join/{place}").status_code == 200
    assert ada_api.delete(f"/api/v1/invitations/{made['id']}").status_code == 204
    assert ada_api.delete(f"/api/v1/invitations/{made['id']}").status_code == 404
    assert client().get(f"/join/{place}").status_code != 200
