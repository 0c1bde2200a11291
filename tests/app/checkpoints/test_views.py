"""The pages of checkpoints."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app import db
from app.models import Checkpoint, Project, User
from app.models import Response as Sample
from tests.judged import add_item
from tests.trained import make_checkpoint, make_dataset, make_run


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


def test_it_moves_aliases_and_tells_what_was_done(ada_browser: TestClient, published: None):
    assert "Make it “production”" in ada_browser.get("/checkpoints/1").text
    for alias in ("production", "eu-blue"):
        moved = ada_browser.post("/checkpoints/1/aliases", data={"alias": alias})
        assert moved.headers["location"] == "/checkpoints/1"
    page = ada_browser.get("/checkpoints/1").text
    assert "Make it “production”" not in page
    assert "let “eu-blue” stand for v1" in page
    assert "eu-blue" in ada_browser.get("/checkpoints").text
    assert ada_browser.post("/checkpoints/1/aliases/remove", data={"alias": "eu-blue"}).status_code == 303
    assert ada_browser.post("/checkpoints/1/aliases/remove", data={"alias": "eu-blue"}).status_code == 303
    assert "took “eu-blue” away from v1" in ada_browser.get("/checkpoints/1").text


def test_a_word_that_cannot_be_an_alias_is_shown_back_with_why(ada_browser: TestClient, published: None):
    refused = ada_browser.post("/checkpoints/1/aliases", data={"alias": "v2"})
    assert refused.status_code == 422
    assert "cannot be an alias" in refused.text
    assert 'value="v2"' in refused.text


def test_it_draws_what_it_was_made_from_and_what_was_made_from_it(ada_browser: TestClient, published: None):
    with db.work_unit() as session:
        first = session.get_one(Checkpoint, 1)
        second = make_checkpoint(
            session, make_run(session, checkpoint_name="second", facts={"started_from": first.exactly})
        )
        facts = {"started_from": second.exactly, "scored_by": first.exactly}
        run = make_run(session, checkpoint_name="third", facts=facts)
        third = make_checkpoint(session, run)
        longer = make_checkpoint(session, run)  # it was extended
        make_run(session, method="reward", state="failed", facts={"reference": second.exactly})
    page = ada_browser.get(f"/checkpoints/{third.id}").text
    assert page.index(f'href="/checkpoints/{second.id}">second v1</a>') < page.index('href="/checkpoints/1">')
    page = ada_browser.get(f"/checkpoints/{second.id}").text
    made = page[page.index("Made from it") :]
    assert made.index(f'href="/checkpoints/{longer.id}">third v2</a>') < made.index(
        f'href="/checkpoints/{third.id}">third v1</a>'
    )
    assert made.count(f'href="/runs/{run.id}"') == 1
    assert "reward 4" in made
    assert "badge--failed" in made
    assert "keeps near it" in made
    page = ada_browser.get("/checkpoints/1").text
    assert "is scored by it" in page


def test_it_names_the_datasets_frozen_of_what_it_wrote(ada_browser: TestClient, published: None):
    with db.work_unit() as session:
        project = session.scalars(select(Project)).one()
        add_item(session, project, "Who?", ["I.", "Nobody."])
        session.execute(update(Sample).values(model="tiebreak/pairs-dpo@v1"))
        later = make_dataset(session, "later")
        later.created_at = datetime.now(UTC) + timedelta(hours=1)
    page = ada_browser.get("/checkpoints/1").text
    made = page[page.index("Made from it") :]
    assert "2 responses that it wrote" in made
    assert f'href="/datasets/{later.id}">later v1</a>' in made
    assert "pairs v1" not in made
