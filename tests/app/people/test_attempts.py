"""How often a password may be tried."""

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app import db
from app.errors import TooManyTries
from app.models import SignInAttempt, User
from app.people import attempts
from app.people import service as people
from app.people.attempts import TRIES_OF_ADDRESS, TRIES_OF_PAIR, allowances, take
from tests.conftest import client
from tests.queued import value

BEN = "ben@example.org"
WINDOW_S = 3600 * TRIES_OF_ADDRESS


@pytest.fixture(autouse=True)
def _long_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """No try comes back by itself within an hour: on a busy machine a hundred of them may take longer than one does to come back."""
    monkeypatch.setattr(attempts, "WINDOW_S", WINDOW_S)


def tried(browser: TestClient, password: str = "wrong", email: str = BEN) -> int:
    return browser.post("/sign-in", data={"email": email, "password": password}).status_code


def used_up(email: str = BEN, where: str = "testclient") -> None:
    for _ in range(TRIES_OF_PAIR):
        take(allowances(email, where, is_known=False))


def test_after_some_wrong_passwords_one_has_to_wait(ben: User, nobody: TestClient):
    used_up()
    answer = nobody.post("/sign-in", data={"email": BEN, "password": "ben-password"})
    assert answer.status_code == 429
    wait_s = int(answer.headers["retry-after"])
    assert 0 < wait_s <= WINDOW_S / TRIES_OF_PAIR
    assert f"Please try again in {math.ceil(wait_s / 60)} minutes." in answer.text
    assert "set-cookie" not in answer.headers
    assert f'value="{BEN}"' in answer.text


def test_it_says_the_same_of_an_address_that_nobody_has(ben: User, nobody: TestClient):
    for email in (BEN, "who@example.org"):
        used_up(email)
        assert tried(nobody, email=email) == 429


def test_a_password_that_fits_gives_its_try_back(ben: User):
    for _ in range(TRIES_OF_PAIR - 1):
        take(allowances(BEN, "testclient", is_known=False))
    for _ in range(2):
        assert tried(client(), "ben-password") == 303
    assert tried(client()) == 422
    assert tried(client()) == 429


def test_waiting_gives_tries_back_little_by_little(ben: User, nobody: TestClient, database: Engine):
    used_up()
    assert tried(nobody) == 429
    with database.begin() as connection:
        later = SignInAttempt.until - timedelta(seconds=WINDOW_S / TRIES_OF_PAIR + 1)
        connection.execute(update(SignInAttempt).values(until=later))
    assert tried(nobody) == 422
    assert tried(nobody) == 429


def test_a_refused_try_costs_nothing(database: Engine):
    used_up()
    before = value("SELECT max(until) FROM sign_in_attempt")
    with pytest.raises(TooManyTries):
        take(allowances(BEN, "testclient", is_known=False))
    assert value("SELECT max(until) FROM sign_in_attempt") == before


def test_one_client_may_not_go_through_all_addresses(database: Engine):
    for number in range(attempts.TRIES_OF_CLIENT):
        take(allowances(f"{number}@example.org", "here", is_known=False))
    with pytest.raises(TooManyTries):
        take(allowances("new@example.org", "here", is_known=False))
    take(allowances("new@example.org", "elsewhere", is_known=False))


def test_many_clients_may_not_try_one_address_for_ever(database: Engine):
    for number in range(attempts.TRIES_OF_ADDRESS):
        take(allowances(BEN, f"client {number}", is_known=False))
    with pytest.raises(TooManyTries):
        take(allowances(BEN, "one more", is_known=False))


def test_nobody_can_shut_somebody_out_of_a_browser_that_is_known(ben: User, ben_browser: TestClient):
    ben_browser.post("/sign-out")
    for number in range(attempts.TRIES_OF_ADDRESS):
        take(allowances(BEN, f"client {number}", is_known=False))
    assert tried(client(), "ben-password") == 429
    assert tried(ben_browser, "ben-password") == 303


def test_a_new_password_ends_the_mark_of_a_browser(ben: User, ben_browser: TestClient):
    mark = ben_browser.cookies["tiebreak_known"]
    with db.work_unit() as session:
        assert attempts.is_known(people.user_by_email(session, BEN), mark)
        people.set_password(session, BEN, "another-password")
        assert not attempts.is_known(people.user_by_email(session, BEN), mark)
    assert not attempts.is_known(None, mark)


@pytest.mark.parametrize("email", [BEN, "who@example.org"])
def test_a_mark_that_nobody_made_is_that_of_no_browser(ben: User, nobody: TestClient, email: str):
    nobody.headers["Cookie"] = r'tiebreak_known="\377"'  # as cookies spell ÿ
    assert tried(nobody, email=email) == 422


def test_tries_at_once_are_all_counted(database: Engine):
    def once(_: int) -> bool:
        try:
            take(allowances(BEN, "here", is_known=False))
        except TooManyTries:
            return False
        return True

    with ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(once, range(3 * TRIES_OF_PAIR))) == TRIES_OF_PAIR


def test_rows_that_say_nothing_any_more_are_forgotten(database: Engine):
    take(allowances(BEN, "here", is_known=False))
    with db.work_unit() as session:
        assert attempts.forget_old(session) == 0
        session.execute(update(SignInAttempt).values(until=datetime.now(UTC) - timedelta(seconds=1)))
        assert attempts.forget_old(session) == 3


@pytest.mark.parametrize("email", ["a\0b@example.org", "x" * 5000, "\ud800@x", ""])
def test_an_address_that_is_none_does_not_fit(ben: User, nobody: TestClient, email: str):
    form = {"email": email.encode(errors="surrogatepass").decode(errors="replace"), "password": "x"}
    assert nobody.post("/sign-in", data=form).status_code == 422
