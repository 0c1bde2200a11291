"""Practice: the right answer is told afterwards, to whoever practised, and what they said stays as it is."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import Assignment, User
from tests.app.judgments.test_views import HTMX, form_of, judgments
from tests.unjudged import open_item, open_project


def practised(ben: User, *, is_training: bool = True) -> list[str]:
    """One item with a known answer that was handed to Ben; returns its responses' ids, the right one first."""
    with db.work_unit() as session:
        project = open_project(session, "school", "pair", ben)
        item = open_item(session, project, "Which is *even*?", ["two", "three"])
        keys = [str(key) for key in item.response_ids]
        item.wanted = item.open_slots = 0
        item.gold = {"outcome": "ranked", "tiers": {keys[0]: 1, keys[1]: 2}}
        item.is_training = is_training
        item.record_metadata = {"explanation": "Two is **even**."}
        reason = "training" if is_training else "gold"
        session.add(
            Assignment(
                project_id=project.id,
                item_id=item.id,
                user_id=ben.id,
                reason=reason,
                seed=1,
                shown_order=item.response_ids,
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            )
        )
    return keys


@pytest.mark.parametrize(("best", "words"), [(0, "Right, this is"), (1, "Another answer was agreed on")])
def test_practice_tells_how_it_went_and_why(ben_browser: TestClient, ben: User, best: int, words: str) -> None:
    keys = practised(ben)
    page = ben_browser.get("/projects/school/judge").text
    assert "for practice" in page
    assert "Two is" not in page
    told = ben_browser.post("/projects/school/turn", data=form_of(page) | {"choice": keys[best]}, headers=HTMX).text
    assert words in told
    assert "Two is <strong>even</strong>." in told
    assert "<dt>Agreed</dt><dd>A is better</dd>" in told
    assert 'href="/projects/school/judge"' in told


def test_practice_is_told_without_javascript_too_and_to_nobody_else(
    ben_browser: TestClient, ada_browser: TestClient, cleo_browser: TestClient, nobody: TestClient, ben: User
) -> None:
    keys = practised(ben)
    form = form_of(ben_browser.get("/projects/school/judge").text)
    path = ben_browser.post("/projects/school/turn", data=form | {"choice": keys[0]}).headers["location"]
    assert "Right, this is" in ben_browser.get(path).text
    assert [browser.get(path).status_code for browser in (ada_browser, cleo_browser, nobody)] == [404, 404, 303]


def test_a_known_answer_that_is_hidden_stays_hidden(ben_browser: TestClient, ben: User) -> None:
    keys = practised(ben, is_training=False)
    page = ben_browser.get("/projects/school/judge").text
    told = ben_browser.post("/projects/school/turn", data=form_of(page) | {"choice": keys[1]}, headers=HTMX).text
    for words in ("practice", "Two is", "agreed", "gold"):
        assert words not in page
        assert words not in told
    assert ben_browser.get(f"/projects/school/practice/{judgments()[0].id}").status_code == 404


def test_practice_is_not_changed_once_the_answer_was_told(
    ben_browser: TestClient, ben_api: TestClient, ben: User
) -> None:
    keys = practised(ben)
    form = form_of(ben_browser.get("/projects/school/judge").text)
    told = ben_browser.post("/projects/school/turn", data=form | {"choice": keys[1]}, headers=HTMX).text
    (said,) = judgments()
    own = f"/projects/school/mine/{said.assignment_id}"
    for page in (told, ben_browser.get("/projects/school/judge").text, ben_browser.get(own).text):
        assert "Practice stays as it is" in page
        assert 'id="undo"' not in page
        assert f"{own}/change" not in page
    assert ben_browser.get(f"{own}/change").headers["location"] == own
    sent = {"judgment": said.id, "key": "one"}
    refused = ben_browser.post(f"{own}/change", data=sent | {"choice": keys[0]})
    assert (refused.status_code, "practice stays as it is" in refused.text.lower()) == (409, True)
    assert ben_browser.post(f"{own}/withdraw", data=sent).status_code == 409
    for verb in ("revise", "withdraw"):
        body = {"outcome": "ranked", "tiers": {keys[0]: 1, keys[1]: 2}} if verb == "revise" else None
        answer = ben_api.post(f"/api/v1/judgments/{said.id}/{verb}", json=body, headers={"Idempotency-Key": verb})
        assert (answer.status_code, "practice" in answer.json()["detail"]) == (409, True)
    assert len(judgments()) == 1


def test_a_hidden_check_is_changed_like_any_other(ben_browser: TestClient, ben: User) -> None:
    """That it could not be would tell it from the others."""
    keys = practised(ben, is_training=False)
    form = form_of(ben_browser.get("/projects/school/judge").text)
    ben_browser.post("/projects/school/turn", data=form | {"choice": keys[1]}, headers=HTMX)
    (said,) = judgments()
    own = f"/projects/school/mine/{said.assignment_id}"
    changed = ben_browser.post(f"{own}/change", data={"judgment": said.id, "key": "one", "choice": keys[0]})
    assert changed.status_code == 303
    assert len(judgments()) == 3
