"""Requests that another site made somebody send."""

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "same-site", "Authorization": "Basic YTpi"},  # sent by the browser to a proxy in front
    ],
)
def test_a_request_that_another_site_made_is_refused(ada_browser: TestClient, headers: dict[str, str]):
    assert ada_browser.post("/sign-out", headers=headers).status_code == 403
    assert ada_browser.get("/people").status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {}])
def test_our_own_pages_and_programs_are_let_through(ada_browser: TestClient, headers: dict[str, str]):
    assert ada_browser.post("/sign-out", headers=headers).status_code == 303
    assert ada_browser.get("/people").status_code == 303
