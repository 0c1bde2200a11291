"""The pages of runs."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app import db
from app.models import Run, User
from tests.trained import add_metrics, make_checkpoint, make_dataset, make_run, make_trainer

FORM = {"method": "dpo", "dataset": "1", "base_model": "starter", "name": "", "set.beta": "0.3", "set.seed": "7"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ready(ada: User) -> None:
    """A dataset (id 1), a starter (run 1) and a live trainer."""
    with db.work_unit() as session:
        make_trainer(session)
        make_checkpoint(session, make_run(session, make_dataset(session), state="finished", checkpoint_name="starter"))


def a_run(**told: Any) -> int:
    with db.work_unit() as session:
        run = make_run(session, **told)
        add_metrics(session, run)
        return run.id


def test_it_draws_the_form_from_what_the_trainer_announced(ada_browser: TestClient, ready: None):
    page = ada_browser.get("/runs/new?method=dpo").text
    assert 'name="set.beta"' in page
    assert 'min="0.001"' in page
    assert "Nearness." in page
    assert '<option value="hinge">' in page
    assert 'name="set.beta"' not in ada_browser.get("/runs/new?method=sft").text


def test_it_keeps_what_was_typed_when_the_method_changes(ada_browser: TestClient, ready: None):
    typed = FORM | {"method": "reward", "set.max_steps": "13", "base_model": "org/name"}
    fragment = ada_browser.get("/runs/new/launch_form", params=typed, headers=HTMX).text
    assert fragment.lstrip().startswith('<form id="launch_form"')
    assert 'value="13"' in fragment
    assert 'value="org/name"' in fragment
    assert 'name="set.beta"' not in fragment


def test_it_suggests_what_a_run_can_start_from(ada_browser: TestClient, ready: None):
    with db.work_unit() as session:
        make_checkpoint(session, make_run(session, checkpoint_name="scores"), kind="reward")
    sft, reward = (ada_browser.get(f"/runs/new?method={method}").text for method in ("sft", "reward"))
    assert '<option value="blank">' in sft
    assert '<option value="scores">' not in sft
    assert '<option value="scores">' in reward
    assert '<option value="blank">' not in reward


def test_it_orders_a_run_from_the_form(ada_browser: TestClient, ready: None):
    answer = ada_browser.post("/runs", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/2")
    page = ada_browser.get("/runs/2").text
    assert "pairs-dpo" in page
    assert "dpo on pairs v1, from starter" in page
    assert "<dt>beta</dt><dd>0.3</dd>" in page


def test_it_follows_htmx_to_the_new_run(ada_browser: TestClient, ready: None):
    assert ada_browser.post("/runs", data=FORM, headers=HTMX).headers["hx-redirect"] == "/runs/2"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"set.beta": "99"}, "between 0.001 and 10"),
        ({"set.max_steps": "1.5"}, "a whole number"),
        ({"set.loss": "ppo"}, "one of logistic, hinge"),
        ({"base_model": "nothing"}, "no checkpoint “nothing”"),
        ({"base_model": ""}, "neither a checkpoint"),
        ({"dataset": ""}, "Choose a dataset"),
        ({"dataset": "77"}, "no dataset 77"),
        ({"method": "banana"}, "no method “banana”"),
        ({"name": "Not so"}, "small letters"),
    ],
)
def test_it_shows_the_form_again_with_what_is_wrong(
    ada_browser: TestClient, ready: None, wrong: dict[str, str], words: str
):
    page = ada_browser.post("/runs", data=FORM | wrong)
    fragment = ada_browser.post("/runs", data=FORM | wrong, headers=HTMX)
    assert (page.status_code, fragment.status_code) == (422, 422)
    assert words in page.text
    assert words in fragment.text
    assert "<html" not in fragment.text
    assert 'value="7"' in page.text


def test_it_says_that_no_trainer_is_running(ada_browser: TestClient):
    with db.work_unit() as session:
        make_trainer(session, seen_s_ago=3600)
        make_dataset(session)
        make_run(session)
    for path in ("/runs", "/runs/new", "/runs/1"):
        assert "No trainer is running" in ada_browser.get(path).text
    assert ada_browser.post("/runs", data=FORM).status_code == 422


def test_it_says_what_is_missing_before_a_run_can_be_started(ada_browser: TestClient):
    assert "No trainer has ever announced itself" in ada_browser.get("/runs/new").text
    with db.work_unit() as session:
        make_trainer(session)
    assert "There is no dataset to train on yet" in ada_browser.get("/runs/new").text
    assert "Nothing has been trained yet" in ada_browser.get("/runs").text


def test_it_lists_runs_with_their_state(ada_browser: TestClient, ready: None):
    a_run(state="running", step=10, total_steps=40)
    page = ada_browser.get("/runs").text
    assert "25.0" in page
    assert "badge--finished" in page
    assert "?after=2" in ada_browser.get("/runs?limit=1").text


def test_it_shows_a_run_live(ada_browser: TestClient, ready: None):
    now = datetime.now(UTC)
    run_id = a_run(state="running", step=10, total_steps=40, seconds_left=95.0, stage="training", started_at=now)
    fragment = ada_browser.get(f"/runs/{run_id}/progress", headers=HTMX).text
    assert fragment.lstrip().startswith('<div id="progress"')
    assert 'hx-trigger="every 2s"' in fragment
    assert "step 10 of 40" in fragment
    assert "about 1 min 35 s left" in fragment
    assert fragment.count("<figure") == 2
    assert 'class="chart__line" points="46,' in fragment
    assert fragment in ada_browser.get(f"/runs/{run_id}").text


def test_after_the_last_step_it_promises_no_end(ada_browser: TestClient, ready: None):
    run_id = a_run(state="running", step=40, total_steps=40, seconds_left=0.0, stage="measuring what was trained")
    fragment = ada_browser.get(f"/runs/{run_id}/progress", headers=HTMX).text
    assert "step 40 of 40" in fragment
    assert "left" not in fragment


def test_it_stops_asking_when_the_run_is_over(ada_browser: TestClient, ready: None):
    now = datetime.now(UTC)
    told = {"before": {"accuracy": 0.5, "margin": 0.0}, "after": {"accuracy": 0.8125, "margin": 1.25, "pairs": 80}}
    run_id = a_run(state="finished", started_at=now - timedelta(seconds=75), finished_at=now, results=told)
    with db.work_unit() as session:
        make_checkpoint(session, session.get_one(type(make_run(session)), run_id))
    fragment = ada_browser.get(f"/runs/{run_id}/progress").text
    assert "hx-get" not in fragment
    assert "after 1 min 15 s" in fragment
    assert "81.2" in fragment
    assert "1.25" in fragment
    assert "Open the checkpoint" in fragment
    assert "Learning rate" not in fragment
    assert "Learning rate" in ada_browser.get(f"/runs/{run_id}/progress?curves=all").text


def test_it_says_nothing_while_nothing_has_happened(ada_browser: TestClient, ready: None):
    run_id = a_run(state="running", step=10, total_steps=40, started_at=datetime.now(UTC))
    address = re.search(r'hx-get="([^"]+)"', ada_browser.get(f"/runs/{run_id}?scale=log").text)
    assert address is not None
    again = unescape(address[1])
    assert ada_browser.get(again, headers=HTMX).status_code == 204
    with db.work_unit() as session:
        session.execute(update(Run).where(Run.id == run_id).values(step=11))
    changed = ada_browser.get(again, headers=HTMX)
    assert changed.status_code == 200
    assert "step 11 of 40" in changed.text
    assert 'aria-current="true">logarithmic' in changed.text


def test_its_curves_can_be_read_as_numbers(ada_browser: TestClient, ready: None):
    page = ada_browser.get(f"/runs/{a_run(state='finished')}").text
    assert "Loss in numbers" in page
    assert '<td class="number">0.6931</td>' in page
    assert "data-hover='[[46.0," in page


@pytest.mark.parametrize("wrong", ["scale=cubic", "smooth=9", "curves=none"])
def test_it_refuses_a_look_that_there_is_not(ada_browser: TestClient, ready: None, wrong: str):
    assert ada_browser.get(f"/runs/1?{wrong}").status_code == 422


def test_it_tells_what_went_wrong_in_words(ada_browser: TestClient, ready: None):
    error = "The loss was <not> ln 2 at step 0.\n\nThe end of its log:\nTraceback <b>"
    run_id = a_run(state="failed", error=error, step=3, total_steps=40)
    page = ada_browser.get(f"/runs/{run_id}").text
    assert "<p>The loss was &lt;not&gt; ln 2 at step 0.</p>" in page
    assert "<code>The end of its log:\nTraceback &lt;b&gt;</code>" in page
    assert "It got to step 3 of 40" in page


def test_it_shows_facts_of_any_shape(ada_browser: TestClient, ready: None):
    facts = {
        "device": "cpu",
        "cut_responses": 3,
        "shared_prompt": True,
        "tokens": {"longest": 99},
        "seeds": [1, 2],
        "x": None,
    }
    page = ada_browser.get(f"/runs/{a_run(facts=facts)}").text
    for words in ("Cut responses", "<dd>yes</dd>", "<dd>longest 99</dd>", "<dd>1, 2</dd>", "<dd>–</dd>"):
        assert words in page


def test_it_shows_the_settings_in_force_in_the_order_of_the_form(ada_browser: TestClient, ready: None):
    facts = {"settings": {"learning_rate": 0.0007, "seed": 0}, "device": "cpu"}
    page = ada_browser.get(f"/runs/{a_run(settings={'beta': 0.1, 'learning_rate': 0}, facts=facts)}").text
    places = [page.index(f"<dt>{name}</dt>") for name in ("learning_rate", "seed", "beta")]
    assert places == sorted(places)
    assert "<dt>learning_rate</dt><dd>0.0007</dd>" in page


def test_it_survives_measurements_that_are_no_numbers(ada_browser: TestClient, ready: None):
    run_id = a_run(results={"before": None, "after": {"note": "odd", "accuracy": None}})
    assert ada_browser.get(f"/runs/{run_id}").status_code == 200


def test_it_says_what_looks_wrong_and_what_to_do(ada_browser: TestClient, ready: None):
    run_id = a_run(state="finished", results={"after": {"accuracy": 0.5, "pairs": 0}})
    page = ada_browser.get(f"/runs/{run_id}").text
    assert "What looks wrong" in page
    assert "The test split has no pair with an order" in page
    assert "Freeze the dataset with a larger test share." in page
    assert "What looks wrong" not in ada_browser.get(f"/runs/{a_run()}").text


def test_it_shows_what_stands_behind_the_figures(ada_browser: TestClient, ready: None):
    sample = {"prompt": "7 + <b>5</b>?", "text": "12", "answer": "12", "right": True}
    row = {"kind": "source", "name": "<forum>", "accuracy": 0.75, "interval": [0.7, 0.8], "pairs": 30}
    after = {"accuracy": 0.75, "intervals": {"accuracy": [0.7, 0.8]}, "samples": [sample], "sources": [row]}
    after["reliability"] = [{"confidence": 0.8, "right": 0.75, "pairs": 30}]
    before = {"accuracy": 0.5, "samples": [sample | {"text": "It is <12>.", "right": False}]}
    page = ada_browser.get(f"/runs/{a_run(results={'before': before, 'after': after})}").text
    for words in (
        "70.0–80.0%",
        "&lt;forum&gt;",
        "It is &lt;12&gt;.",
        "7 + &lt;b&gt;5&lt;/b&gt;?",
        ">wrong<",
        ">right<",
    ):
        assert words in page
    assert "Share of held-out pairs that it gets right, by how sure it is, on 30 pairs" in page


def test_it_says_what_a_queued_run_waits_for(ada_browser: TestClient, ready: None):
    first, second = a_run(), a_run()
    assert "A trainer is about to take it" in ada_browser.get(f"/runs/{first}").text
    assert "Waits behind 1 other run." in ada_browser.get(f"/runs/{second}").text


def test_it_cancels_with_and_without_htmx(ada_browser: TestClient, ready: None):
    first, second = a_run(state="running"), a_run()
    fragment = ada_browser.post(f"/runs/{first}/cancel", headers=HTMX).text
    assert "Is being cancelled" in fragment
    assert "Cancel the run" not in fragment
    assert ada_browser.post(f"/runs/{second}/cancel").headers["location"] == f"/runs/{second}"
    assert "badge--cancelled" in ada_browser.get(f"/runs/{second}").text
    assert ada_browser.post("/runs/1/cancel").status_code == 409


READS = ["/runs", "/runs/new", "/runs/new/launch_form", "/runs/1", "/runs/1/progress"]
WRITES = ["/runs", "/runs/1/cancel"]


def test_it_is_not_for_annotators(ben_browser: TestClient, ready: None):
    assert [ben_browser.get(path).status_code for path in READS] == [403] * 5
    assert [ben_browser.post(path, data=FORM).status_code for path in WRITES] == [403] * 2


def test_it_asks_nobody_to_sign_in(nobody: TestClient, ready: None):
    for path in READS:
        assert nobody.get(path).headers["location"].startswith("/sign-in")
    for path in WRITES:
        assert nobody.post(path, data=FORM).headers["location"] == "/sign-in"


@pytest.mark.parametrize("path", ["/runs/9", "/runs/9/progress"])
def test_it_says_when_there_is_no_such_run(ada_browser: TestClient, path: str):
    assert ada_browser.get(path).status_code == 404
    assert ada_browser.post("/runs/9/cancel").status_code == 404


def test_a_run_that_was_begun_again_says_where_it_is_told_why_and_who_has_it(ada_browser: TestClient, ready: None):
    run_id = a_run(state="claimed", stage="starting", attempt=2, owner="train@gpu-1")
    page = ada_browser.get(f"/runs/{run_id}").text
    assert "attempt 2" in page
    assert page.count(f'href="/api/v1/runs/{run_id}/log"') == 2
    assert "train@gpu-1" in page
