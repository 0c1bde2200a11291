"""What was done in this place, for its admins."""

from fastapi.testclient import TestClient

from app import db
from app.models import Audit, User
from app.people import service as people
from tests.conftest import token_client
from tests.queued import queued

AUDIT = "/api/v1/audit"


def done(*deeds: tuple[User | None, str, str]) -> None:
    with db.work_unit() as session:
        for user, action, subject in deeds:
            session.add(Audit(user_id=user.id if user else None, action=action, subject=subject, detail={}))
            session.flush()


def test_an_admin_reads_what_was_done_newest_first_and_page_by_page(ada: User, ada_api: TestClient):
    done((ada, "run.ordered", "pairs"), (None, "user.added", "ben@example.org"))
    first = ada_api.get(AUDIT, params={"limit": 2})
    assert [(one["action"], one["user_name"]) for one in first.json()] == [("user.added", None), ("run.ordered", "Ada")]
    rest = ada_api.get(first.links["next"]["url"]).json()
    assert [one["action"] for one in rest] == ["token.made"]


def test_what_is_done_to_people_is_told_of_whoever_did_it(ada: User, ben: User, ada_browser: TestClient):
    queued(items=0)
    ada_browser.post("/people", data={"email": "cy@example.org", "role": "annotator", "project": "words"})
    for path in ("passwords", "disable", "enable"):
        ada_browser.post(f"/people/{path}", data={"email": "ben@example.org"})
    with db.work_unit() as session:
        people.add_user(session, "dan@example.org", role="annotator")
        people.disable(session, "ben@example.org")
    page = ada_browser.get(AUDIT).json()
    told = [(one["action"], one["user_name"]) for one in reversed(page)]
    actions = ("user.added", "member.added", "user.password_set", "user.disabled", "user.enabled")
    assert told == [(action, "Ada") for action in actions] + [("user.added", None), ("user.disabled", None)]


def test_it_is_filtered_by_action_subject_person_and_time(ada: User, ben: User, ada_api: TestClient):
    done((ada, "run.ordered", "pairs"), (ben, "run.cancelled", "pairs"), (ada, "runner", "other"))

    def found(**wanted: str | int) -> list[str]:
        return [one["action"] for one in ada_api.get(AUDIT, params=wanted).json()]

    assert found(action="run") == ["run.cancelled", "run.ordered"]
    assert found(action="run.ordered") == ["run.ordered"]
    assert found(subject="other") == ["runner"]
    assert found(user=ben.id) == ["run.cancelled"]
    assert found(until="2020-01-01T00:00:00Z") == found(subject="a\0b") == []
    assert len(found(since="2020-01-01T00:00:00Z")) == 4
    assert ada_api.get(AUDIT, params={"since": "2020-01-01T00:00:00"}).status_code == 422  # in which zone?


def test_nobody_but_an_admin_reads_it(ada: User, ben_api: TestClient, ben_browser: TestClient):
    assert ben_api.get(AUDIT).status_code == 403
    assert ben_browser.get("/audit").status_code == 403
    assert token_client(ada, "read").get(AUDIT).status_code == 403


def test_the_page_shows_it_in_words_with_its_filters(ada: User, ada_browser: TestClient):
    done((ada, "project.created", "<b>words</b>"), (ada, "run.ordered", "pairs"))
    page = ada_browser.get("/audit").text
    assert "project.created: made the project" in page
    assert "&lt;b&gt;words" in page
    filtered = ada_browser.get("/audit?action=run").text
    assert "pairs" in filtered
    assert "made the project" not in filtered
    assert "after=" in ada_browser.get("/audit?limit=1").text
