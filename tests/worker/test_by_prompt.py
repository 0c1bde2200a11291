"""What is kept of a test for comparisons."""

import pytest

from app import db
from app.models import Run, RunTest, User
from tests.trained import make_run
from worker.batches import EncodedGroup
from worker.by_prompt import ByPrompt, name_of
from worker.evaluate import score_figures
from worker.report import Fenced, Report


def group(prompt: int, *tiers: int) -> EncodedGroup:
    return EncodedGroup((prompt,), tuple((1,) for _ in tiers), tiers)


def test_it_adds_up_the_pairs_of_each_prompt():
    by_prompt = ByPrompt()
    groups = [group(1, 1, 2), group(1, 2, 1), group(2, 1, 2, 3)]
    score_figures([(1.0, 0.0), (1.0, 0.0), (2.0, 2.0, 0.0)], groups, by_prompt=by_prompt)
    assert by_prompt.sums == {"accuracy": {name_of((1,)): [1.0, 2], name_of((2,)): [2.5, 3]}}


def test_it_is_stored_with_the_run_and_by_its_owner_alone(ada: User):
    with db.work_unit() as session:
        run_id = make_run(session, state="running", fence=2).id
    for right in (1, 2):
        Report(run_id, 2).tested({"accuracy": {"a": [right, 2]}})
    with pytest.raises(Fenced):
        Report(run_id, 1).tested({"accuracy": {}})
    with db.work_unit() as session:
        assert session.get_one(RunTest, run_id).prompts == {"accuracy": {"a": [2, 2]}}
        assert session.get_one(Run, run_id).fence == 2
