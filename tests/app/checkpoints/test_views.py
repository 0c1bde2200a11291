"""The pages of checkpoints."""

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import User
from tests.trained import make_checkpoint, make_run


@pytest.fixture
def published(ada: User) -> None:
    with db.work_unit() as session:
        make_checkpoint(session)


def test_it_shows_where_a_checkpoint_comes_from_and_how_to_take_it_home(ada_browser: TestClient, published: None):
    page = ada_browser.get("/checkpoints/1").text
    for address in ("/projects/project", "/datasets/1", "/runs/1", "/api/v1/checkpoints/1/files/model.safetensors"):
        assert f'href="{address}"' in page
    assert "http://testserver/api/v1/checkpoints/1/files/$file" in page
    assert 'AutoModelForCausalLM.from_pretrained("pairs-dpo-v1")' in page
    assert "80.0" in page


def test_it_loads_a_reward_model_with_its_own_class(ada_browser: TestClient):
    with db.work_unit() as session:
        make_checkpoint(session, kind="reward")
    assert "AutoModelForSequenceClassification.from_pretrained" in ada_browser.get("/checkpoints/1").text


def test_it_lists_checkpoints(ada_browser: TestClient):
    assert "Nothing has been published yet" in ada_browser.get("/checkpoints").text
    with db.work_unit() as session:
        for metrics in ({}, {"after": {"accuracy": None}}, {"after": {"accuracy": 0.75}}):
            make_checkpoint(session, make_run(session), metrics=metrics)
    page = ada_browser.get("/checkpoints").text
    assert 'href="/checkpoints/3"' in page
    assert "75.0" in page
    assert "?after=2" in ada_browser.get("/checkpoints?limit=2").text
    assert 'href="/checkpoints/1">v1</a>' in ada_browser.get("/checkpoints/3").text


PATHS = ["/checkpoints", "/checkpoints/1"]


def test_it_is_not_for_annotators(ben_browser: TestClient, published: None):
    assert [ben_browser.get(path).status_code for path in PATHS] == [403] * 2


def test_it_asks_nobody_to_sign_in(nobody: TestClient, published: None):
    for path in PATHS:
        assert nobody.get(path).headers["location"].startswith("/sign-in")


def test_it_says_when_there_is_no_such_checkpoint(ada_browser: TestClient):
    assert ada_browser.get("/checkpoints/9").status_code == 404
