from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from app.pages import ago, asset, coded, environment, flags, number, percent, size, span


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=50), "1 hour ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=-7), "in 1 week"),
    ],
)
def test_it_says_how_long_ago(passed: timedelta, words: str) -> None:
    assert ago(datetime.now(UTC) - passed) == words


def test_numbers_read_as_people_write_them() -> None:
    assert [number(1234567), number(0.12345), number(12.0), number(1234.5)] == ["1,234,567", "0.123", "12", "1,234"]
    assert percent(0.8125) == "81.2%"
    assert [size(900), size(1500), size(2_300_000_000)] == ["900 B", "1.5\u00a0kB", "2.3\u00a0GB"]
    assert [span(4.25), span(42), span(200), span(7500)] == ["4.2 s", "42 s", "3 min 20 s", "2 h 5 min"]
    assert [span(180), span(600), span(3600), span(36_000)] == ["3 min", "10 min", "1 h", "10 h"]


def test_attributes_are_escaped_and_left_out_when_there_is_nothing_to_say() -> None:
    said = flags({"hx_post": '/a"b', "required": True, "checked": False, "min": 0, "id": None})
    assert said == ' hx-post="/a&#34;b" required min="0"'


def test_what_is_to_be_typed_looks_so_and_nothing_in_it_is_markup() -> None:
    assert coded("Run `tiebreak <b>`.") == "Run <code>tiebreak &lt;b&gt;</code>."


def test_every_template_compiles() -> None:
    for name in environment.list_templates():
        environment.get_template(name)


def test_a_missing_page_is_calm_and_says_where_to_go(ben_browser: TestClient) -> None:
    answer = ben_browser.get("/nowhere")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text
    assert 'href="/"' in answer.text


def test_an_address_that_names_nothing_is_a_missing_page_and_a_wrong_value_is_said_once(
    ada_browser: TestClient,
) -> None:
    missing = ada_browser.get("/runs/words")
    assert (missing.status_code, "There is no such page." in missing.text) == (404, True)
    wrong = ada_browser.get("/audit?after=words")
    assert (wrong.status_code, wrong.text.count("valid integer")) == (422, 1)


def test_a_file_asked_for_by_its_content_is_kept_for_good(nobody: TestClient) -> None:
    kept = nobody.get(asset("app.css"))
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/static/app.css", "/static/app.css?v=old"):
        assert "cache-control" not in nobody.get(path).headers
    assert asset("no-such-file.css").endswith("v=missing")


def test_what_is_the_same_for_everybody_is_drawn_once_for_each_language_and_value() -> None:
    drawn = environment.from_string(
        "{% macro one(words) %}{% do seen.append(words) %}<i>{{ words }}</i>{% endmacro %}"
        "{% for words in ('a', '<b>', 'a') %}{{ kept(one, words) }}{% endfor %}"
    )
    seen: list[str] = []
    assert drawn.render(seen=seen) == "<i>a</i><i>&lt;b&gt;</i><i>a</i>"
    assert seen == ["a", "<b>"]
