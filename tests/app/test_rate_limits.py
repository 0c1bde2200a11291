"""Requests of a token are counted by all web processes together, and say how many are left."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import httpx
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from huggingface_hub.utils import parse_ratelimit_headers
from sqlalchemy import Engine, text

from app import db, rate_limits
from app.cli import main
from app.main import create_app
from app.models import User
from app.people import service as people
from app.rate_limits import SHARE
from app.settings import get_settings
from tests.conftest import signed_in
from tests.queued import value
from tests.serving import served

HOUR_S = 3600
FIELD = re.compile(r'"token";r=(\d+);t=(\d+)')


def token(user: User, limit: int | None, *scopes: str) -> dict[str, str]:
    with db.work_unit() as session:
        secret = people.make_token(session, user, scopes or ("read",), rate_limit=limit)
    return {"Authorization": f"Bearer {secret}"}


def process() -> TestClient:
    """The application as another web process would have it."""
    return TestClient(create_app(), raise_server_exceptions=False)


def let_next_window_begin() -> None:
    """What the clock would do."""
    with db.work_unit() as session:
        session.execute(text(f"UPDATE token_window SET began_at = began_at - interval '{HOUR_S + 1} s'"))


@pytest.fixture(autouse=True)
def window_s(monkeypatch: pytest.MonkeyPatch) -> int:
    """A window that no machine is too busy for."""
    monkeypatch.setattr(rate_limits, "WINDOW_S", HOUR_S)
    return HOUR_S


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    get_settings.cache_clear()


def test_every_answer_says_the_limit_and_what_is_left(ben: User):
    web, ours = process(), token(ben, 40)
    answers = [web.get("/api/v1/projects", headers=ours) for _ in range(3)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"token";q=40;w=3600'}
    told = [FIELD.fullmatch(answer.headers["ratelimit"]) for answer in answers]
    assert [int(one[1]) for one in told if one] == [39, 38, 37]
    assert all(one and 0 < int(one[2]) <= HOUR_S for one in told)


def test_a_token_that_has_used_up_its_minute_is_told_to_wait(ben: User):
    web, ours = process(), token(ben, 3)
    assert [web.get("/api/v1/projects", headers=ours).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = web.get("/api/v1/projects", headers=ours)
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["status"], problem["violated-policies"]) == (429, ["token"])
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    wait = int(refused.headers["retry-after"])
    assert 0 < wait <= HOUR_S
    assert f"{wait} second" in problem["detail"]
    assert refused.headers["ratelimit"].startswith('"token";r=0;t=')
    assert "x-request-id" in refused.headers


def test_a_request_that_came_to_nothing_counts_as_well(ben: User):
    web, ours = process(), token(ben, 2, "judge")
    assert [web.get("/api/v1/projects", headers=ours).status_code for _ in range(3)] == [403, 403, 429]


def test_two_processes_count_together(ben: User):
    limit, ours = 40, token(ben, 40)
    webs = process(), process()
    answers = [webs[turn % 2].get("/api/v1/projects", headers=ours) for turn in range(limit + 10)]
    assert Counter(answer.status_code for answer in answers) == {200: limit, 429: 10}


def test_what_an_idle_process_holds_is_at_most_a_share(ben: User):
    limit, ours = 40, token(ben, 40)
    idle, busy = process(), process()
    assert idle.get("/api/v1/projects", headers=ours).status_code == 200
    statuses = Counter(busy.get("/api/v1/projects", headers=ours).status_code for _ in range(limit))
    assert statuses[200] == limit - limit // SHARE
    assert idle.get("/api/v1/projects", headers=ours).status_code == 200


def test_those_who_are_refused_cost_no_statement(ben: User):
    web, ours = process(), token(ben, 1)
    for _ in range(5):
        web.get("/api/v1/projects", headers=ours)
    assert value("SELECT taken FROM token_window") == 1  # which told that it was the last


def test_the_next_window_begins_with_the_next_request(ben: User):
    ours = token(ben, 2)
    assert [process().get("/api/v1/projects", headers=ours).status_code for _ in range(3)] == [200, 200, 429]
    let_next_window_begin()
    assert [process().get("/api/v1/projects", headers=ours).status_code for _ in range(3)] == [200, 200, 429]


def test_threads_of_one_token_are_let_in_exactly_as_often_as_the_limit_says(ben: User):
    webs, ours = (process(), process()), token(ben, SHARE)  # so they are taken one at a time
    for web in webs:
        web.get("/api/v1/projects")  # FastAPI prepares its routes now, which it does in one thread where it serves
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(
            pool.map(lambda turn: webs[turn % 2].get("/api/v1/projects", headers=ours).status_code, range(60))
        )
    assert statuses == {200: SHARE, 429: 60 - SHARE}


def test_the_setting_is_the_limit_of_tokens_without_one(ben: User, usual: pytest.MonkeyPatch):
    usual.setenv("RATE_LIMIT", "2")
    get_settings.cache_clear()
    web, ours = process(), token(ben, None)
    assert [web.get("/api/v1/projects", headers=ours).status_code for _ in range(3)] == [200, 200, 429]
    usual.setenv("RATE_LIMIT", "0")
    get_settings.cache_clear()
    unlimited = token(ben, None)
    answers = [process().get("/api/v1/projects", headers=unlimited) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


def test_browsers_and_strangers_are_not_counted(ben: User, nobody: TestClient):
    assert "ratelimit" not in signed_in(ben).get("/api/v1/projects").headers
    refused = nobody.get("/api/v1/projects", headers={"Authorization": "Bearer tbk_none"})
    assert (refused.status_code, "ratelimit" in refused.headers) == (401, False)
    assert value("SELECT count(*) FROM token_window") == 0


def test_clients_of_the_hub_understand_the_refusal(ada: User):
    web, ours = process(), token(ada, 1)
    assert web.get("/api/models", headers=ours).status_code == 200
    refused = web.get("/api/models", headers=ours)
    assert (refused.status_code, list(refused.json())) == (429, ["error"])
    told = parse_ratelimit_headers(refused.headers)
    assert told is not None
    assert (told.remaining, told.limit, told.window_seconds) == (0, 1, HOUR_S)
    assert told.reset_in_seconds == int(refused.headers["retry-after"])


def test_requests_that_cannot_be_counted_are_let_in(ben: User):
    ours = token(ben, 1)
    with db.work_unit() as session:
        session.execute(text("ALTER TABLE token_window RENAME TO token_window_away"))
    try:
        answers = [process().get("/api/v1/projects", headers=ours) for _ in range(2)]
    finally:
        with db.work_unit() as session:
            session.execute(text("ALTER TABLE token_window_away RENAME TO token_window"))
    assert [(answer.status_code, "ratelimit" in answer.headers) for answer in answers] == [(200, False)] * 2


def test_a_token_is_made_with_a_limit_of_its_own(ben: User, ben_browser: TestClient):
    form = {"scopes": ["read"], "name": "slow", "rate_limit": "7"}
    assert "7 a minute" in ben_browser.post("/tokens", data=form).text
    code = CliRunner().invoke(
        main, ["token", "create", "--user", ben.email or "", "--scopes", "read", "--rate-limit", "9"]
    )
    ours = {"Authorization": f"Bearer {code.output.strip()}"}
    assert process().get("/api/v1/projects", headers=ours).headers["ratelimit-policy"].startswith('"token";q=9;')
    assert "9 a minute" in ben_browser.get("/tokens").text


def test_only_admins_give_more_than_the_usual(ada: User, ben_browser: TestClient):
    form = {"scopes": ["read"], "rate_limit": str(get_settings().rate_limit + 1)}
    refused = ben_browser.post("/tokens", data=form)
    assert (refused.status_code, "ask an admin" in refused.text) == (422, True)
    assert signed_in(ada).post("/tokens", data=form).status_code == 200


@pytest.mark.slow
def test_two_real_processes_never_let_in_more_than_the_limit(ben: User, database: Engine):
    limit, ours = 400, token(ben, 400)
    with served() as one, served() as other, httpx.Client(headers=ours) as client, ThreadPoolExecutor(8) as pool:
        addresses = [f"{web}/api/v1/projects" for web in (one, other)]
        began = monotonic()
        statuses = Counter(pool.map(lambda turn: client.get(addresses[turn % 2]).status_code, range(limit + 100)))
        windows = 1 + int((monotonic() - began) // 60)
    assert set(statuses) <= {200, 429}
    assert limit - limit // SHARE <= statuses[200] <= limit * windows
