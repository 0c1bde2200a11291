"""Pages: projects, one of them, new, settings, members."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db
from app.models import Project, User
from tests.queued import claimed, judged, queued

FORM = {
    "name": "Kind words",
    "slug": "",
    "kind": "pair",
    "guidelines": "",
    "judgments_per_item": "2",
    "lease_minutes": "5",
}


def test_the_front_page_is_the_list(nobody: TestClient):
    assert nobody.get("/").headers["location"] == "/projects"


def test_an_annotator_sees_what_there_is_to_judge(ben: User, ben_browser: TestClient):
    queued(ben, items=2)
    queued(slug="other", items=1)
    page = ben_browser.get("/projects").text
    assert 'href="/projects/words/judge"' in page
    assert "/projects/other" not in page
    assert "/projects/new" not in page


def test_it_says_so_when_nothing_is_left(ben: User, ben_browser: TestClient):
    project = queued(ben, items=1)
    judged(ben, claimed(ben, project))
    page = ben_browser.get("/projects").text
    assert "nothing is left to judge" in page
    assert "/projects/words/judge" not in page


def test_somebody_without_projects_is_told_what_to_do(ada_browser: TestClient, cleo_browser: TestClient):
    assert "Ask an admin" in cleo_browser.get("/projects").text
    assert 'href="/projects/new"' in ada_browser.get("/projects").text


def test_the_list_goes_on(ada_browser: TestClient):
    for number in range(51):
        queued(slug=f"p{number}", items=0)
    page = ada_browser.get("/projects").text
    assert "/projects/p0" not in page.split("p50")[1].split("Older")[0].split() or "Older projects" in page
    assert "Older projects" in page
    assert 'href="/projects/p0"' in ada_browser.get("/projects?after=2").text


def test_an_admin_makes_a_project(ada_browser: TestClient):
    assert ada_browser.get("/projects/new").status_code == 200
    answer = ada_browser.post("/projects", data=FORM)
    assert answer.headers["location"] == "/projects/kind-words"
    page = ada_browser.get("/projects/kind-words")
    assert page.status_code == 200
    assert "Kind words" in page.text
    assert "bring in its prompts" in page.text
    again = ada_browser.post("/projects", data=FORM | {"guidelines": "keep <this>"})
    assert again.status_code == 409
    assert "keep &lt;this&gt;" in again.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("slug", "No!"), ("kind", "banana"), ("judgments_per_item", "two"), ("lease_minutes", "0")],
)
def test_a_refused_form_keeps_what_was_entered(ada_browser: TestClient, field: str, value: str):
    answer = ada_browser.post("/projects", data=FORM | {"guidelines": "mine"} | {field: value})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "mine" in answer.text


def test_a_form_without_its_fields_is_refused(ada_browser: TestClient):
    assert ada_browser.post("/projects", data={}).status_code == 422


def test_a_project_page_shows_guidelines_as_safe_markdown(ben: User, ben_browser: TestClient):
    queued(ben, items=1, guidelines="Be **kind** <script>alert(1)</script>")
    page = ben_browser.get("/projects/words").text
    assert "<strong>kind</strong>" in page
    assert "<script>alert" not in page


def test_an_annotator_is_not_told_who_else_judges(
    ada_browser: TestClient, ben: User, ben_browser: TestClient, cleo: User
):
    queued(ben, cleo, items=1)
    assert "cleo@example.org" in ada_browser.get("/projects/words/people").text
    page = ben_browser.get("/projects/words").text
    assert "cleo@example.org" not in page
    assert "/settings" not in page


def test_an_admin_changes_settings(ada_browser: TestClient):
    queued(items=1)
    assert 'value="Words"' in ada_browser.get("/projects/words/settings").text
    answer = ada_browser.post("/projects/words/settings", data=FORM | {"name": "Other words"})
    assert answer.headers["location"] == "/projects/words"
    with db.work_unit() as session:
        project = session.scalars(select(Project)).one()
        assert (project.slug, project.name, project.judgments_per_item, project.lease_minutes) == (
            "words",
            "Other words",
            2,
            5,
        )
    refused = ada_browser.post("/projects/words/settings", data=FORM | {"lease_minutes": ""})
    assert refused.status_code == 422
    assert "whole number" in refused.text
