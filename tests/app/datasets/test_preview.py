"""What a dataset would hold, before it is frozen."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import db
from app.datasets.order import Order
from app.datasets.preview import Preview, preview
from app.datasets.queries import judged_groups
from app.models import Project, User
from tests.app.datasets.test_views import FORM
from tests.judged import add_item, judge, make_project


@pytest.fixture
def project(session: Session) -> Project:
    """Five items of four prompts, two of which several people judged."""
    made = make_project(session)
    for words, answers in (
        ("One", [[1, 2]]),
        ("Two", [[1, 2], [2, 1], [1, 2]]),
        ("Three", [[1, 2], [1, 2]]),
        ("Four", [[1, 1]]),
    ):
        item = add_item(session, made, words, ["a", "b"])
        for number, tiers in enumerate(answers):
            judge(
                session,
                item,
                tiers,
                by=f"p{number}",
                outcome="tie" if tiers == [1, 1] else "ranked",
                strength=number + 1,
            )
    judge(session, add_item(session, made, "Four", ["c", "d"]), [1, 2], by="p7", outcome="all_bad")
    session.refresh(made)
    return made


def test_it_counts_what_would_be_frozen(session: Session, project: Project):
    assert preview(session, project, Order(name="some")) == Preview(
        prompts=4,
        items=5,
        judgments=8,
        rows=8,
        annotators=4,
        outcomes={"all_bad": 1, "ranked": 6, "tie": 1},
        per_item={1: 3, 2: 1, 3: 1},
        agreement={6: 1, 10: 1},
    )


@pytest.mark.parametrize("combine", ["each", "majority", "weights"])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"min_judgments": 2},
        {"min_agreement": 0.7},
        {"outcomes": ["ranked"]},
        {"min_strength": 2},
        {"min_judgments": 2, "min_agreement": 1},
    ],
)
def test_it_says_as_many_rows_as_freezing_makes(
    session: Session, project: Project, combine: str, filters: dict[str, Any]
):
    order = Order.model_validate({"name": "some", "combine": combine, "filters": filters})
    made = list(judged_groups(session, project, order))
    if combine == "majority" and filters.get("outcomes"):
        assert preview(session, project, order).rows >= len(made), "majorities are filtered after they are known"
    else:
        assert preview(session, project, order).rows == len(made)


@pytest.fixture
def judged_place(ada: User) -> None:
    with db.work_unit() as session:
        made = make_project(session)
        judge(session, add_item(session, made, "One", ["a", "b"]), [1, 2])


def test_the_form_shows_it_and_what_is_wrong(ada_browser: TestClient, judged_place: None):
    assert "What would be frozen now" in ada_browser.get("/datasets/new?project=pairs").text
    asked = FORM | {"name": ""}
    assert "<dd>1</dd>" in ada_browser.get("/datasets/new/preview", params=asked).text
    for wrong, words in (
        ({"annotators": "nobody@example.org"}, "nobody here has the address"),
        ({"margins": "1, 2"}, "three margins"),
        ({"margins": "much"}, "please enter a number"),
        ({"min_agreement": "200"}, "min_agreement"),
        ({"first_day": "yesterday"}, "first_day"),
        ({"models": "no such model"}, "Nothing passes these filters"),
    ):
        answer = ada_browser.get("/datasets/new/preview", params=asked | wrong)
        assert (answer.status_code, words in answer.text) == (200, True), answer.text


def test_the_form_takes_all_that_an_order_can_say(ada_browser: TestClient, judged_place: None):
    told = {
        "near_duplicates": "true",
        "combine": "majority",
        "balance": "prompt",
        "margins": "",
        "shapes": ["sft", "log"],
        "min_agreement": "50",
        "min_judgments": "1",
        "last_day": "2100-01-01",
        "models": "model-0, model-1",
    }
    answer = ada_browser.post("/datasets", data=FORM | told)
    assert answer.status_code == 303, answer.text
    frozen = ada_browser.get("/api/v1/datasets/1").json()
    assert frozen["settings"] == {"combine": "majority", "balance": "prompt", "margins": None, "shapes": ["sft", "log"]}
    assert frozen["split"] == {"by": "prompt", "test": 0.25, "seed": 0, "near_duplicates": True}
    assert frozen["filters"] | {"outcomes": None, "judge_kinds": None} == {
        "outcomes": None,
        "judge_kinds": None,
        "last_day": "2100-01-01",
        "models": ["model-0", "model-1"],
        "min_agreement": 0.5,
    }
    assert "nearly the same" not in ada_browser.get("/datasets/1").text


def test_programs_may_ask_as_well(ada_api: TestClient, judged_place: None):
    answer = ada_api.post("/api/v1/projects/pairs/datasets/preview", json={"name": "some"})
    assert (answer.status_code, answer.json()["rows"]) == (200, 1)
    assert ada_api.get("/api/v1/datasets").json() == []
