"""One's own judgments, for programs."""

from fastapi.testclient import TestClient

from app.models import User
from tests.conftest import token_client
from tests.queued import claimed, judged, make_gold, queued, value


def test_somebody_reads_their_own_judgments_and_nobody_elses(ben: User, cleo: User, ben_api: TestClient):
    project = queued(ben, cleo, items=2)
    stored = judged(ben, claimed(ben, project), outcome="tie", comment="as good")
    judged(cleo, claimed(cleo, project), outcome="tie")
    listed = ben_api.get("/api/v1/projects/words/judgments").json()
    assert [(one["id"], one["outcome"], one["comment"]) for one in listed] == [
        (stored.judgment["id"], "tie", "as good")
    ]
    assert "model" not in listed[0]
    turn = ben_api.get(f"/api/v1/projects/words/turns/{listed[0]['assignment']}").json()
    assert [one["outcome"] for one in turn["revisions"]] == ["tie"]
    assert len(turn["responses"]) == 2
    assert token_client(cleo, "read").get(f"/api/v1/projects/words/turns/{turn['assignment']}").status_code == 404
    assert ben_api.get("/api/v1/projects/words/judgments?outcome=skip").json() == []
    assert ben_api.get("/api/v1/projects/words/judgments?since=9999-12-31").status_code == 422


def test_practice_is_told_beside_the_right_answer(ben: User, ben_api: TestClient):
    project = queued(ben, items=1)
    make_gold(value("SELECT id FROM item"), training=True)
    stored = judged(ben, claimed(ben, project), outcome="tie")
    told = ben_api.get(f"/api/v1/projects/words/practice/{stored.judgment['id']}").json()
    assert (told["judgment"], told["is_right"]) == (stored.judgment["id"], False)
    assert told["said"] != told["right"]
