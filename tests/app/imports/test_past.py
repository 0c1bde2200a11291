"""What became of past imports, for programs."""

from fastapi.testclient import TestClient

from tests.app.imports.test_api import ROWS, ndjson, sent
from tests.queued import queued

URL = "/api/v1/projects/words/imports"


def test_past_imports_are_listed_and_tell_of_their_bad_lines(ada_api: TestClient):
    queued(items=0)
    sent(ada_api, ndjson(*ROWS[:2], b"{not json"))
    sent(ada_api, ndjson(*ROWS))
    newest, first = ada_api.get(URL).json()
    assert [newest[name] for name in ("imported", "duplicates", "failed", "by", "source")] == [3, 2, 0, "Ada", "API"]
    assert "errors" not in first
    whole = ada_api.get(f"{URL}/{first['id']}").json()
    assert whole == first | {"errors": whole["errors"]}
    assert [bad["line"] for bad in whole["errors"]] == [3]
    assert ada_api.get(f"{URL}/{first['id'] + 1000}").status_code == 404
    assert ada_api.get(URL, params={"limit": 1}).links["next"]["url"].endswith(f"limit=1&after={newest['id']}")
