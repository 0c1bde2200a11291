"""A checkpoint's family, for programs."""

import pytest

from app import db
from app.models import Project, User
from app.models import Response as Sample
from tests.conftest import token_client
from tests.judged import add_item
from tests.trained import make_checkpoint, make_dataset, make_run


@pytest.fixture
def related(ada: User) -> int:
    """Of three checkpoints the middle one's number; the last was made in another project."""
    with db.work_unit() as session:
        first = make_checkpoint(session, make_run(session, checkpoint_name="first"))
        run = make_run(session, checkpoint_name="second", facts={"started_from": first.exactly})
        second = make_checkpoint(session, run)
        other = Project(slug="other", name="Other", kind="pair")
        session.add(other)
        session.flush()
        elsewhere = make_dataset(session, "elsewhere")
        elsewhere.project_id = other.id
        facts = {"started_from": second.exactly}
        make_checkpoint(session, make_run(session, elsewhere, checkpoint_name="third", facts=facts))
        make_run(session, checkpoint_name="fourth", facts={"scored_by": second.exactly})
        item = add_item(session, other, "Why?", ["So.", "Because."])
        session.get_one(Sample, item.response_ids[0]).model = "tiebreak/second@v1"
        return second.id


def test_it_tells_what_it_was_made_from_what_was_made_from_it_and_what_it_wrote(ada: User, related: int):
    told = token_client(ada, "read").get(f"/api/v1/checkpoints/{related}/family").json()
    assert [(base["name"], base["version"]) for base in told["bases"]] == [("first", 1)]
    assert [(one["role"], (one["checkpoint"] or {}).get("name")) for one in told["descendants"]] == [
        ("scored_by", None),
        ("started_from", "third"),
    ]
    assert [(one["project"], one["responses"]) for one in told["written"]] == [("other", 1)]


def test_a_bound_token_is_told_of_relatives_within_its_bounds_alone(ada: User, related: int):
    bound = token_client(ada, "read", projects=["project"])
    told = bound.get(f"/api/v1/checkpoints/{related}/family").json()
    assert [base["name"] for base in told["bases"]] == ["first"]
    assert ([one["role"] for one in told["descendants"]], told["written"]) == (["scored_by"], [])
