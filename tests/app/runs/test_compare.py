"""Runs beside each other."""

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import RunTest, User
from tests.trained import add_metrics, make_dataset, make_run


@pytest.fixture
def three(ada: User) -> None:
    """Runs 1 and 2 differ in beta and were measured on the same eight prompts; run 3 has only begun."""
    with db.work_unit() as session:
        dataset = make_dataset(session)
        for beta, right in ((0.1, 1), (0.3, 2)):
            after = {"accuracy": right / 2, "pairs": 16, "intervals": {"accuracy": [right / 2 - 0.1, right / 2]}}
            run = make_run(
                session,
                dataset,
                state="finished",
                settings={"max_steps": 40, "beta": beta},
                checkpoint_name=f"beta-{beta}",
                results={"before": {"accuracy": 0.5}, "after": after},
            )
            add_metrics(session, run)
            tests = {"accuracy": {str(prompt): [right, 2] for prompt in range(8)}}
            session.add(RunTest(run_id=run.id, prompts=tests))
        make_run(session, dataset)


def test_the_page_shows_curves_settings_results_and_the_difference(ada_browser: TestClient, three: None):
    page = ada_browser.get("/runs/compare?run=1&run=2").text
    assert page.count('<figure class="chart">') == 2
    assert "chart__line--2" in page
    assert "1 beta-0.1" in page
    differing = page[page.index('<th scope="row">beta') :]
    assert '<td>0.1</td><td class="differs">0.3</td>' in differing
    assert "max steps" in page[page.index("The same in all") :]
    assert "+50.0" in page
    assert "curves=all" in page


def test_programs_are_told_the_difference(ada_api: TestClient, three: None):
    told = ada_api.get("/api/v1/runs/compare?run=1&run=2&run=3").json()
    assert told["runs"] == [1, 2, 3]
    assert told["settings"]["beta"] == [0.1, 0.3, 0.1]
    assert "max_steps" not in told["settings"]
    (found,) = told["differences"]
    assert (found["run"], found["than"], found["measure"]) == (2, 1, "accuracy")
    assert (found["mean"], found["pairs"], found["prompts"]) == (0.5, 16, 8)
    assert found["interval"] == [0.5, 0.5]


def test_runs_without_common_prompts_are_said_to_be_so(ada_browser: TestClient, three: None):
    assert "not measured on the same prompts" in ada_browser.get("/runs/compare?run=1&run=3").text


@pytest.mark.parametrize(
    "asked", ["", "run=1", "run=1&run=1", "run=1&run=2&run=3&run=4&run=5&run=6&run=7", "run=x&run=2"]
)
def test_it_compares_two_to_six(ada_browser: TestClient, ada_api: TestClient, three: None, asked: str):
    assert ada_browser.get(f"/runs/compare?{asked}").status_code == 422
    assert ada_api.get(f"/api/v1/runs/compare?{asked}").status_code == 422


def test_a_run_that_there_is_not_is_named(ada_api: TestClient, three: None):
    assert ada_api.get("/api/v1/runs/compare?run=1&run=99").status_code == 404


def test_the_list_lets_runs_be_ticked(ada_browser: TestClient, three: None):
    page = ada_browser.get("/runs").text
    assert 'action="/runs/compare"' in page
    assert page.count('type="checkbox" name="run"') == 3


def test_only_admins_compare_runs(ben_browser: TestClient, three: None):
    assert ben_browser.get("/runs/compare?run=1&run=2").status_code == 403
