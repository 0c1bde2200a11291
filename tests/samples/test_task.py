"""The checkable task: the same seed gives the same prompts, the parts never mix, and the judge knows its trade."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from app.settings import ROOT
from samples.questions import KINDS
from samples.task import (
    SHRUGS,
    SLOPPY,
    STYLES,
    TIER,
    Part,
    is_right,
    judge,
    main,
    pair_records,
    part_of,
    prompts,
    quality_of,
    responses,
    study_records,
)

PARTS: tuple[Part, ...] = ("study", "judge", "exam")


def test_it_draws_the_same_prompts_from_the_same_seed_only() -> None:
    assert prompts(3, 200) == prompts(3, 200)
    assert prompts(3, 200) != prompts(4, 200)


def test_it_writes_the_same_file_from_the_same_seed(tmp_path: Path) -> None:
    shipped = ROOT / "samples" / "words_and_numbers.jsonl"
    main(["--seed", "0", "--prompts", "2000", "--judged", "--out", str(tmp_path / "again.jsonl")])
    assert (tmp_path / "again.jsonl").read_bytes() == shipped.read_bytes()


def test_it_never_draws_a_prompt_twice_or_for_two_parts() -> None:
    drawn = {part: prompts(seed, 1500, part) for seed, part in enumerate(PARTS)}
    for part, tasks in drawn.items():
        assert len({task.instruction for task in tasks}) == len(tasks)
        assert {part_of(task.instruction) for task in tasks} == {part}


@pytest.mark.parametrize("part", PARTS)
def test_it_asks_every_kind_of_question_in_every_part(part: Part) -> None:
    counted = Counter(task.kind for task in prompts(0, 1500, part))
    assert set(counted) == {kind.name for kind in KINDS}
    assert min(counted.values()) >= 15


def test_it_gives_up_when_there_are_not_enough_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samples.task.GIVE_UP_AFTER", 50)
    with pytest.raises(ValueError, match="not 9000 different prompts for exam"):
        prompts(0, 9000, "exam")


@pytest.mark.parametrize("k", range(2, 7))
def test_it_writes_different_responses_whose_quality_can_be_told_from_their_text(k: int) -> None:
    rng = Random(k)
    for task in prompts(k, 1000):
        written = responses(task, rng, k)
        assert len({response.text for response in written}) == k
        assert len({response.quality for response in written}) == min(k, 3)
        for response in written:
            assert quality_of(task.answer, response.text) == response.quality, (task, response)
            assert is_right(task.answer, response.text) == (response.quality == "right")


@pytest.mark.parametrize("k", [1, 7])
def test_it_refuses_more_or_fewer_responses_than_it_can_write(k: int) -> None:
    with pytest.raises(ValueError, match="2 to 6"):
        responses(prompts(0, 1)[0], Random(0), k)


def test_it_keeps_the_answers_out_of_the_fillers() -> None:
    fillers = " ".join((*SLOPPY, *SHRUGS))
    for task in prompts(0, 3000):
        assert quality_of(task.answer, fillers.replace("{}", "")) == "wrong", task


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ("garden", "right"),
        (" garden\n", "right"),
        ("Garden", "sloppy"),
        ("garden.", "sloppy"),
        ("It is GARDEN!", "sloppy"),
        ("gardens", "wrong"),
        ("flower", "wrong"),
        ("", "wrong"),
    ],
)
def test_it_judges_a_text_by_itself(text: str, quality: str) -> None:
    assert quality_of("garden", text) == quality
    assert is_right("garden", text) == (quality == "right")


def test_it_does_not_find_a_number_in_a_longer_one() -> None:
    assert quality_of("1", "11") == "wrong"
    assert quality_of("1", "It is 1.") == "sloppy"


def test_it_gives_tiers_without_gaps_and_ties_for_the_same_quality() -> None:
    rng = Random(0)
    assert judge("12", ["13", "12", "It is 12."], rng) == [3, 1, 2]
    assert judge("12", ["13", "12"], rng) == [2, 1]
    assert judge("12", ["12!", "12.", "no"], rng) == [1, 1, 2]
    assert judge("12", ["13", "14"], rng) == [1, 1]


def test_it_errs_as_often_as_it_is_told_to() -> None:
    rng = Random(0)
    turned = sum(judge("12", ["12", "13"], rng, noise=0.2) == [2, 1] for _ in range(5000))
    assert 0.18 < turned / 5000 < 0.22
    assert all(judge("12", ["12", "13"], rng, noise=1.0) == [2, 1] for _ in range(20))


def test_it_makes_records_to_be_judged_and_records_that_are_judged() -> None:
    asked, judged = list(pair_records(5, 50)), list(pair_records(5, 50, judged=True))
    assert [record["prompt"] for record in asked] == [record["prompt"] for record in judged]
    assert all("annotator" not in record and "tier" not in record["responses"][0] for record in asked)
    for record in judged:
        assert record["annotator"] == "rule"
        assert sorted(response["tier"] for response in record["responses"]) == [1, 2]
        assert record["metadata"]["rule"] == "exact"


def test_it_gives_ids_that_no_other_seed_or_part_gives() -> None:
    made = [*study_records(0, 30), *study_records(1, 30), *pair_records(0, 30), *pair_records(1, 30)]
    assert len({record["id"] for record in made}) == len(made)


def test_it_leaves_preferences_something_to_teach_in_the_study_examples() -> None:
    found: Counter[str] = Counter()
    for record in study_records(0, 3000):
        best = min(record["responses"], key=lambda response: response["tier"])
        found[quality_of(record["metadata"]["answer"], best["text"])] += 1
    assert set(found) == {"right", "sloppy"}
    assert 0.35 < found["right"] / 3000 < 0.65


def test_it_does_not_give_a_quality_away_by_the_name_of_the_style() -> None:
    assert all(set(shares) == set(STYLES["right"]) for shares in STYLES.values())
    assert set(STYLES) == set(TIER)


def test_it_writes_study_examples_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study.jsonl"
    main(["--part", "study", "--prompts", "25", "--out", str(out)])
    written = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert written == list(study_records(0, 25))
    assert "25 records" in capsys.readouterr().err
