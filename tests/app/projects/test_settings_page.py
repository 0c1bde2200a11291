"""Pages: the form of a new project and of its settings."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db
from app.models import Project, User
from app.projects.settings import NAMES, settings_of
from tests.app.projects.test_queries import made_manager
from tests.queued import queued

FORM: dict[str, Any] = {
    "boxes": "1",
    "name": "Words",
    "guidelines": "Be **kind**.",
    "judgments_per_item": "2",
    "lease_minutes": "5",
    "outcomes": ["tie", "skip"],
    "asks_strength": "1",
    "dimensions": "honest\r\neasy to read\r\n",
    "comments": "required",
    "comment_min_length": "12",
    "item_order": "imported",
    "gold_share": "2,5",
    "repeat_share": "10",
}
SETTINGS: dict[str, Any] = {
    "name": "Words",
    "guidelines": "Be **kind**.",
    "judgments_per_item": 2,
    "lease_minutes": 5,
    "outcomes": ["ranked", "tie", "skip"],
    "asks_strength": True,
    "dimensions": ["honest", "easy to read"],
    "comments": "required",
    "comment_min_length": 12,
    "item_order": "imported",
    "gold_share": 0.025,
    "repeat_share": 0.1,
}


def stored() -> dict[str, Any]:
    with db.work_unit() as session:
        return settings_of(session.scalars(select(Project)).one()).as_columns()


def test_every_setting_can_be_changed_and_is_there_again(ben: User, ben_browser: TestClient):
    queued(ben, items=1)
    made_manager(ben)
    answer = ben_browser.post("/projects/words/settings", data=FORM)
    assert answer.headers["location"] == "/projects/words"
    assert set(SETTINGS) == set(NAMES)
    assert stored() == SETTINGS
    page = ben_browser.get("/projects/words/settings").text
    assert 'name="outcomes" value="tie" checked' in page
    assert 'name="outcomes" value="all_bad"><' in page
    assert "honest\neasy to read" in page
    assert 'value="2.5"' in page
    ben_browser.post("/projects/words/settings", data=FORM)
    assert stored() == SETTINGS


def test_a_project_is_made_with_all_of_it(ada_browser: TestClient):
    ada_browser.post("/projects", data=FORM | {"kind": "pair"})
    assert stored() == SETTINGS


def test_it_says_what_a_change_means_after_saving(ada_browser: TestClient):
    queued(items=1)
    ada_browser.post("/projects/words/settings", data={"name": "Words", "judgments_per_item": "3"})
    assert "open again" in ada_browser.get("/projects/words").text
    assert stored()["outcomes"] == [
        "ranked",
        "tie",
        "all_bad",
        "skip",
    ]  # a form without the boxes leaves them as they are


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dimensions", "honest\nHonest"),
        ("gold_share", "a lot"),
        ("gold_share", "nan"),
        ("repeat_share", "51"),
        ("comments", "maybe"),
        ("comment_min_length", "-1"),
        ("item_order", "up"),
    ],
)
def test_nothing_typed_is_lost_when_a_field_is_refused(ada_browser: TestClient, field: str, value: str):
    queued(items=1)
    before = stored()
    answer = ada_browser.post("/projects/words/settings", data=FORM | {"name": "Typed", field: value})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert 'value="Typed"' in answer.text
    assert value in answer.text or field in {"comments", "item_order"}
    assert 'name="outcomes" value="all_bad"><' in answer.text
    assert stored() == before


def test_a_preview_shows_the_guidelines_and_saves_nothing(ada_browser: TestClient):
    queued(items=1)
    before = stored()
    fragment = ada_browser.post("/projects/preview", data=FORM, headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<div class="preview" id="preview"')
    assert "<strong>kind</strong>" in fragment
    page = ada_browser.post("/projects/words/settings", data=FORM | {"preview": "1", "name": "Typed"}).text
    assert "<strong>kind</strong>" in page
    assert 'value="Typed"' in page
    new = ada_browser.post("/projects", data=FORM | {"preview": "1", "slug": "typed-too"}).text
    assert 'value="typed-too"' in new
    assert stored() == before


def test_guidelines_in_a_preview_are_safe(ada_browser: TestClient):
    page = ada_browser.post("/projects/preview", data={"guidelines": "<script>alert(1)</script>"}).text
    assert "<script>" not in page
    assert ada_browser.post("/projects/preview", data={}).status_code == 200
