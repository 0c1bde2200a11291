"""One's own account, for programs."""

import pytest
from fastapi.testclient import TestClient

from app.models import User
from tests.app.people.test_account import CHANGE
from tests.conftest import client, token_client
from tests.queued import queued

URL = "/api/v1/account"


def test_a_program_is_told_whom_it_acts_for(ben: User):
    for slug in ("words", "other"):
        queued(ben, slug=slug, items=0)
    told = token_client(ben, "read", "judge").get(URL).json()
    assert (told["email"], told["role"], told["scopes"]) == ("ben@example.org", "annotator", ["judge", "read"])
    assert sorted(one["project"] for one in told["projects"]) == ["other", "words"]
    bound = token_client(ben, "read", projects=["words"]).get(URL).json()
    assert [one["project"] for one in bound["projects"]] == ["words"]


def test_one_changes_ones_own_password_by_a_program_and_browsers_sign_in_again(ben: User, ben_browser: TestClient):
    program = token_client(ben, "judge")
    assert program.put(f"{URL}/password", json=CHANGE).status_code == 204
    assert ben_browser.get("/account").status_code == 303
    assert program.get("/api/v1/tokens").status_code == 403, "it is in still, as far as its scopes reach"
    form = {"email": ben.email or "", "password": CHANGE["password"]}
    assert client().post("/sign-in", data=form).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "field"), [({"current": "no"}, "current"), ({"password": "short"}, "password"), ({"else": 1}, "else")]
)
def test_a_password_that_cannot_be_changed_by_a_program_is_said(ben: User, wrong: dict[str, str], field: str):
    refused = token_client(ben, "judge").put(f"{URL}/password", json=CHANGE | wrong)
    assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_a_bound_token_changes_no_password(ben: User):
    queued(ben, slug="words", items=0)
    bound = token_client(ben, "judge", projects=["words"])
    assert bound.put(f"{URL}/password", json=CHANGE).status_code == 403
