"""Ada's browser speaks German, Ben's account Spanish, and no request speaks another one's language."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from app import db, language
from app.errors import NotFound
from app.models import User
from app.pages import exactly, number, percent, size, span
from tests.conftest import client, signed_in


def spoken_on(page: str) -> str:
    found = re.search(r'<html lang="([a-z]+)" dir="ltr">', page)
    assert found
    return found.group(1)


def choose(browser: TestClient, code: str, **form: str) -> str:
    answer = browser.post("/language", data={"language": code, **form})
    assert answer.status_code == 303
    return answer.headers["location"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("pt-BR, fr;q=0.4, es;q=0.6", "es"),
        ("de;q=0, *;q=0.1", "en"),
        ("nl", "en"),
        (";q=, ,de;q=much,-;q=2", "en"),
        ("x," * 10_000, "en"),
    ],
)
def test_a_stranger_reads_what_their_browser_asks_for(
    nobody: TestClient, migrated: str, header: str, code: str
) -> None:
    assert spoken_on(nobody.get("/sign-in", headers={"accept-language": header}).text) == code


def test_what_was_chosen_on_the_page_comes_before_what_the_browser_asks_for(nobody: TestClient, migrated: str) -> None:
    assert choose(nobody, "fr", next="/sign-in?next=/runs") == "/sign-in?next=/runs"
    assert spoken_on(nobody.get("/sign-in", headers={"accept-language": "de"}).text) == "fr"


def test_the_account_remembers_the_language_in_every_browser(ben: User) -> None:
    choose(signed_in(ben), "es")
    elsewhere = signed_in(ben)
    elsewhere.cookies.set(language.COOKIE, "de")
    assert spoken_on(elsewhere.get("/projects").text) == "es"
    assert spoken_on(elsewhere.get("/people").text) == "es", "the page of a mistake too"
    with db.work_unit() as session:
        stored = session.get(User, ben.id)
        assert stored is not None
        assert stored.language == "es"


def test_a_stranger_changes_nobodys_account(ben: User, nobody: TestClient) -> None:
    choose(nobody, "de")
    with db.work_unit() as session:
        stored = session.get(User, ben.id)
        assert stored is not None
        assert stored.language is None


def test_a_language_that_is_not_spoken_is_refused(nobody: TestClient, migrated: str) -> None:
    answer = nobody.post("/language", data={"language": "tlh"})
    assert answer.status_code == 422
    assert "tlh" in answer.text
    assert language.COOKIE not in answer.cookies


def test_the_choice_leads_back_to_pages_of_this_place_only(nobody: TestClient, migrated: str) -> None:
    assert choose(nobody, "de", next="https://elsewhere.example/") == "/"
    assert choose(nobody, "de", next="//elsewhere.example/") == "/"


def test_the_menu_names_each_language_in_itself_and_marks_the_one_spoken(nobody: TestClient, migrated: str) -> None:
    page = nobody.get("/sign-in", headers={"accept-language": "fr"}).text
    for code, name in language.LANGUAGES.items():
        mark = ' aria-current="true"' if code == "fr" else ""
        assert f'value="{code}" lang="{code}"{mark}>{name}</button>' in page
    assert '<input type="hidden" name="next" value="/sign-in">' in page


def test_programs_read_english_whatever_they_ask_for(ben: User) -> None:
    browser = signed_in(ben)
    choose(browser, "de")
    answer = browser.get("/api/v1/projects/none", headers={"accept-language": "de"})
    assert answer.json()["title"] == NotFound.title == "Not found"
    assert "there is no project" in answer.json()["detail"]


def test_many_requests_at_once_each_speak_their_own_language(migrated: str) -> None:
    def ask(code: str) -> bool:
        return spoken_on(client().get("/sign-in", headers={"accept-language": code}).text) == code

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, ["de", "en", "es", "fr"] * 8))


def test_outside_of_a_request_everything_is_english() -> None:
    def tried() -> str:
        language.speak("de")
        return language.language()

    assert copy_context().run(tried) == "en"


def test_the_head_of_a_catalogue_is_never_shown() -> None:
    assert language.gettext("") == ""


def test_values_are_filled_in_and_a_lone_percent_sign_is_left_alone() -> None:
    assert language.gettext("%(n)s of 100 %%", n=7) == "7 of 100 %"
    assert language.gettext("100 %") == "100 %"
    assert language.ngettext("%(num)d item", "%(num)d items", 2) == "2 items"
    assert language.ngettext("%(n)s item", "%(n)s items", 1200, n="1,200") == "1,200 items"


def test_words_numbers_and_times_are_those_of_the_language() -> None:
    def spoken(code: str) -> tuple[str, ...]:
        language._spoken.set(language._Spoken(code))
        moment = datetime(2026, 3, 9, 7, 5, tzinfo=UTC)
        return language.gettext("Sign in"), number(1234567), percent(0.125), size(1500), span(4.25), exactly(moment)

    said = {code: copy_context().run(spoken, code) for code in ("en", "de", "es", "fr")}
    assert said == {
        "en": ("Sign in", "1,234,567", "12.5%", "1.5\u00a0kB", "4.2 s", "Mar 9, 2026, 07:05 UTC"),
        "de": ("Anmelden", "1.234.567", "12,5\u00a0%", "1,5\u00a0kB", "4,2 s", "09.03.2026, 07:05 UTC"),
        "es": ("Iniciar sesión", "1.234.567", "12,5\u00a0%", "1,5\u00a0kB", "4,2 s", "9 mar 2026, 07:05 UTC"),
        "fr": ("Se connecter", "1\u202f234\u202f567", "12,5\u00a0%", "1,5\u202fko", "4,2 s", "9 mars 2026, 07:05 UTC"),
    }


def test_a_page_speaks_in_whole(nobody: TestClient, migrated: str) -> None:
    page = nobody.get("/sign-in", headers={"accept-language": "de"}).text
    assert "<h1>Anmelden</h1>" in page
    assert "Sprache:" in page
    wrong = nobody.post("/sign-in", data={"email": "x@y.z", "password": "no"}, headers={"accept-language": "fr"})
    assert "Cette adresse et ce mot de passe ne vont pas ensemble." in wrong.text
