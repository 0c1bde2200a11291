"""One's own tokens, for programs."""

from fastapi.testclient import TestClient

from app.models import User
from app.settings import get_settings
from tests.conftest import client, token_client
from tests.queued import queued


def ids(program: TestClient) -> list[int]:
    return [token["id"] for token in program.get("/api/v1/tokens").json()]


def test_a_program_is_told_of_its_users_tokens_and_of_no_secret(ben: User, cleo: User):
    queued(ben, items=0)
    program, bound = token_client(ben, "read", "judge"), token_client(ben, "read", projects=["words"])
    token_client(cleo, "read")
    told = program.get("/api/v1/tokens").json()
    assert [(one["scopes"], one["projects"], one["is_this"]) for one in told] == [
        (["read"], ["words"], False),
        (["judge", "read"], None, True),
    ]
    assert {one["rate_limit"] for one in told} == {get_settings().rate_limit}
    assert "tbk_" not in program.get("/api/v1/tokens").text
    assert [one["is_this"] for one in bound.get("/api/v1/tokens").json()] == [True]


def test_a_token_ends_itself_and_no_other(ben: User):
    program, other = token_client(ben, "read"), token_client(ben, "read")
    mine = next(one["id"] for one in program.get("/api/v1/tokens").json() if one["is_this"])
    assert other.delete(f"/api/v1/tokens/{mine}").status_code == 403
    assert program.delete(f"/api/v1/tokens/{mine}").status_code == 204
    assert program.get("/api/v1/tokens").status_code == 401
    assert other.get("/api/v1/tokens").status_code == 200


def test_an_admins_token_ends_others_of_the_same_person_alone(ada: User, ben: User):
    queued(ada, items=0)
    admin, bound = token_client(ada, "read", "admin"), token_client(ada, "read", "admin", projects=["words"])
    of_ben = ids(token_client(ben, "read"))[0]
    newest = ids(admin)[0]
    assert bound.delete(f"/api/v1/tokens/{ids(admin)[1]}").status_code == 403
    assert admin.delete(f"/api/v1/tokens/{of_ben}").status_code == 404
    assert admin.delete(f"/api/v1/tokens/{newest}").status_code == 204
    assert bound.get("/api/v1/tokens").status_code == 401


def test_who_is_signed_in_with_a_browser_reads_and_revokes_their_own(ben: User, ben_browser: TestClient):
    program = token_client(ben, "read")
    token_id = ids(program)[0]
    assert ben_browser.get("/api/v1/tokens").json()[0]["is_this"] is False
    assert ben_browser.delete(f"/api/v1/tokens/{token_id}").status_code == 204
    assert client().delete(f"/api/v1/tokens/{token_id}").status_code == 401
