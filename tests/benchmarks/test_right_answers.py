"""The report on right answers: what is asked was never trained on, and every model of a seed answers the same questions."""

from argparse import Namespace

import pytest

from benchmarks import right_answers
from samples.task import pair_records, part_of, study_records
from tests.benchmarks.told import figures


def test_the_exam_is_never_trained_on():
    asked = right_answers.questions_of(Namespace(develop=False, questions=50, prompts=50), seed=0)
    assert {part_of(name) for name in right_answers.names(asked)} == {"exam"}


def test_developing_asks_prompts_that_were_not_judged():
    told = Namespace(develop=True, questions=50, prompts=60)
    asked = set(right_answers.names(right_answers.questions_of(told, seed=3)))
    trained_on = {record["prompt"] for record in (*pair_records(3, 60), *study_records(3, 60))}
    assert len(asked) == 50
    assert not asked & trained_on


def test_gains_are_counted_question_by_question(capsys: pytest.CaptureFixture[str]):
    asked = [f"question {number}" for number in range(40)]
    base, better = [0.0, 1.0] * 20, [1.0, 1.0, 0.0, 1.0] * 10
    right = {"base": base, "dpo": better, "grpo_offline, pairwise": base}
    told = right_answers.show({0: right, 1: right | {"dpo": base}}, {0: asked, 1: asked})
    printed = capsys.readouterr().out
    assert "+0.250" in printed
    assert told["dpo_gain_low"].value == 0, "the seed with the least gain counts"
    assert not told["dpo_gain_low"].holds()
    assert not told["grpo_pairwise_gain_low"].holds()


def test_it_tells_the_gains_of_every_way_of_training(capsys: pytest.CaptureFixture[str]):
    small = ["--seeds", "0", "--study", "24", "--study-epochs", "1", "--prompts", "6", "--questions", "4"]
    right_answers.main([*small, "--responses", "3"])
    assert set(figures(capsys, "right_answers")) == set(right_answers.MUST_GAIN.values())
