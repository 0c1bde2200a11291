"""The form that launches runs, and what a trainer says before one is launched."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app import db
from app.models import Preflight, Run, User
from app.runs.form import PREFIX, SHOWN, settled
from app.runs.methods import read_methods
from tests.app.runs.test_command import ANSWER
from tests.trained import ANNOUNCED, make_checkpoint, make_dataset, make_preflight, make_run, make_trainer

FORM = {"method": "dpo", "dataset": "1", "base_model": "starter", "set.beta": "0.3"}
HTMX = {"HX-Request": "true"}
BINS = {"width": 10, "counts": [3, 5, 2], "median": 12, "p95": 28, "longest": 29}
PARTS = {"start": 7.0, "reference": 0.0, "training": 60.0, "measuring": 7.0, "publishing": 1.0}
FULL = ANSWER | {
    "lengths": dict.fromkeys(("prompt", "response", "together"), BINS),
    "max_length": 25,
    "model_length": 2048,
    "prompts": "each prompt once",
    "time": {"seconds": 75.0, "steps": 40, "seconds_per_step": 1.5, "parts": PARTS},
    "memory": ANSWER["memory"] | {"weights": 4_000_000, "programs": 5e8, "activations": 9e7},
}


@pytest.fixture(autouse=True)
def ready(ada: User, silence: None) -> None:
    with db.work_unit() as session:
        make_trainer(session, methods=ANNOUNCED)
        make_checkpoint(session, make_run(session, make_dataset(session), state="finished", checkpoint_name="starter"))


def queued() -> list[Run]:
    with db.work_unit() as session:
        return list(session.scalars(select(Run).where(Run.state == "queued").order_by(Run.id)))


def answered(preflight_id: int, **values: Any) -> None:
    with db.work_unit() as session:
        session.execute(update(Preflight).where(Preflight.id == preflight_id).values(**values))


def test_it_shows_the_objective_the_range_and_the_default_of_what_the_trainer_announced(ada_browser: TestClient):
    page = ada_browser.get("/runs/new?method=dpo").text
    assert "<math" in page
    assert "Nearness. Default: 0.1. From 0.001 to 10." in page
    assert "quick look – Few steps." in page


def test_a_preset_fills_the_inputs_of_its_settings_once():
    method = read_methods(ANNOUNCED)[2]
    chosen = settled(method, {"preset": "quick look", SHOWN: "", PREFIX + "max_steps": "7", PREFIX + "beta": "0.3"})
    assert (chosen[PREFIX + "max_steps"], chosen[PREFIX + "beta"], chosen[SHOWN]) == ("30", "0.3", "quick look")
    assert settled(method, chosen | {PREFIX + "max_steps": "8"})[PREFIX + "max_steps"] == "8", "changed afterwards"
    assert settled(method, chosen | {"preset": ""})[PREFIX + "max_steps"] == "0", "back to the default"


def test_a_preset_counts_without_scripts_too(ada_browser: TestClient):
    form = FORM | {"preset": "quick look", SHOWN: "", PREFIX + "max_steps": "0"}
    assert ada_browser.post("/runs", data=form).status_code == 303
    assert [run.settings["max_steps"] for run in queued()] == [30]


def test_a_run_can_be_changed_and_done_again(ada_browser: TestClient):
    with db.work_unit() as session:
        old = make_run(session, method="reward", settings={"loss": "hinge", "seed": 7}, checkpoint_name="own").id
    assert f'href="/runs/new?like={old}"' in ada_browser.get(f"/runs/{old}").text
    page = ada_browser.get(f"/runs/new?like={old}").text
    assert '<option value="hinge" selected>' in page
    assert 'name="set.seed" type="number" value="7"' in page
    assert 'value="own"' in page
    assert ada_browser.get("/runs/new?like=99").status_code == 404


def test_a_clone_of_a_run_keeps_its_older_dataset(ada_browser: TestClient):
    with db.work_unit() as session:
        old = make_run(session).id  # on pairs v2; v3 comes after it
        make_dataset(session)
    assert '<option value="2" selected>pairs v2' in ada_browser.get(f"/runs/new?like={old}").text


def test_it_tells_the_runs_of_a_sweep_before_they_start(ada_browser: TestClient):
    form = FORM | {"vary.1": "seed", "vary.1.values": "1, 2", "vary.2": "", "vary.2.values": ""}
    page = ada_browser.post("/runs", data=form)
    assert (page.status_code, queued()) == (200, [])
    for words in ("This starts 2 runs:", "pairs-dpo.seed-1", "pairs-dpo.seed-2", "Start 2 runs"):
        assert words in page.text
    more = form | {"vary.1.values": "1, 2, 3", "confirmed": "2"}
    assert "This starts 3 runs:" in ada_browser.post("/runs", data=more).text, "not the runs that were shown"
    assert ada_browser.post("/runs", data=form | {"confirmed": "2", "priority": "1"}).headers["location"] == "/runs"
    assert [(run.settings["seed"], run.priority) for run in queued()] == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"vary.1": "seed", "vary.1.values": ""}, "These values make 0 runs"),
        ({"vary.1": "seed", "vary.1.values": "x"}, "is a whole number"),
        ({"priority": "soon"}, "A priority is a whole number."),
        ({"priority": "1000"}, "from -100, which is taken first"),
    ],
)
def test_it_shows_what_is_wrong_with_a_sweep_or_a_place(ada_browser: TestClient, wrong: dict[str, str], words: str):
    answer = ada_browser.post("/runs", data=FORM | wrong)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert queued() == []


def test_it_asks_a_trainer_and_shows_its_answer_in_the_form(ada_browser: TestClient):
    form = ada_browser.post("/runs/preflight", data=FORM, headers=HTMX)
    assert form.status_code == 200
    assert 'hx-get="/runs/preflight/1" hx-trigger="every 1s"' in form.text
    assert 'value="0.3"' in form.text
    assert "waits for a worker" in ada_browser.get("/runs/preflight/1").text
    answered(1, state="answered", answer=FULL)
    told = ada_browser.get("/runs/preflight/1").text
    assert "hx-trigger" not in told
    for words in ("about 1 min 15 s", "about 600", "1 group is too long for max_length", "<rect", "the longest 29"):
        assert words in told
    assert "what one process would take" not in told
    answered(1, settings={"processes": 2})
    assert "what one process would take" in ada_browser.get("/runs/preflight/1").text
    assert queued() == []


def test_it_asks_without_scripts_and_shows_the_answer_after_a_reload(ada_browser: TestClient):
    page = ada_browser.post("/runs/preflight", data=FORM)
    assert page.status_code == 303
    address = page.headers["location"].partition("#")[0]
    assert "See whether there is an answer" in ada_browser.get(address).text
    answered(1, state="answered", answer=FULL)
    shown = ada_browser.get(address).text
    assert "about 1 min 15 s" in shown
    assert 'name="set.beta" type="number" value="0.3"' in shown


@pytest.mark.parametrize("is_fragment", [True, False])
def test_it_shows_at_once_what_the_rows_can_tell(ada_browser: TestClient, is_fragment: bool):
    headers = HTMX if is_fragment else {}
    answer = ada_browser.post("/runs/preflight", data=FORM | {"set.beta": "1000"}, headers=headers)
    assert (answer.status_code, "between 0.001 and 10" in answer.text) == (422, True)
    assert ("<html" in answer.text) != is_fragment


def test_it_says_why_a_run_would_fail(ada_browser: TestClient):
    ada_browser.post("/runs/preflight", data=FORM)
    answered(1, state="refused", error="The tokenizer has no end token.", error_field="base_model")
    told = ada_browser.get("/runs/preflight/1").text
    assert "This run would fail: The tokenizer has no end token." in told
    assert "It is about base_model." in told
    answered(1, state="failed", error="Killed.")
    assert "Killed." in ada_browser.get("/runs/preflight/1").text


def test_it_warns_of_what_does_not_fit_and_what_cannot_be_known(ada_browser: TestClient):
    memory = FULL["memory"] | {"fits": False, "bytes": 9e9, "available": 4e9, "activations": None}
    answer = FULL | {"memory": memory, "model_length": 20, "time": {"seconds": None, "parts": {}}}
    answer["groups"] = {"train": 30, "used": 30, "looked_at": 10, "test": 0}
    answer["truncation"] = {"prompts_cut": 0, "responses_cut": 2, "groups_dropped": 0}
    with db.work_unit() as session:
        number = make_preflight(session, state="answered", answer=answer).id
    told = ada_browser.get(f"/runs/preflight/{number}").text
    for words in (
        "are free. Fewer groups_per_step",
        "made for texts of 20 tokens",
        "2 responses would be cut",
        "10 of 30 groups were looked at",
        "holds nothing out",
    ):
        assert words in told


def test_it_says_what_may_be_missing_when_nobody_looks(ada_browser: TestClient):
    ada_browser.post("/runs/preflight", data=FORM)
    assert "tiebreak worker quick" not in ada_browser.get("/runs/preflight/1").text
    with db.work_unit() as session:
        session.execute(
            update(Preflight).values(created_at=Preflight.created_at - db.func.make_interval(0, 0, 0, 0, 1))
        )
    assert "tiebreak worker quick" in ada_browser.get("/runs/preflight/1").text


def test_a_waiting_run_is_moved_from_its_page(ada_browser: TestClient):
    ada_browser.post("/runs", data=FORM)
    (run,) = queued()
    page = ada_browser.get(f"/runs/{run.id}").text
    assert '<option value="0" selected>in turn</option>' in page
    assert ada_browser.post(f"/runs/{run.id}/priority", data={"priority": "-1"}).status_code == 303
    assert queued()[0].priority == -1


def test_annotators_see_none_of_it(ben_browser: TestClient):
    for address in ("/runs/new", "/runs/new/launch_form", "/runs/preflight/1"):
        assert ben_browser.get(address).status_code == 403
    assert ben_browser.post("/runs/preflight", data=FORM).status_code == 403
