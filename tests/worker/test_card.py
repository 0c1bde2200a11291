"""The model card: from facts alone, with a head that the Hub's own library reads."""

from typing import Any

import pytest
from huggingface_hub import ModelCard
from sqlalchemy.orm import Session

from app.models import Run
from tests.trained import make_dataset, make_run
from worker.card import card, hub_name, is_number, shown

FIGURES = {"accuracy": 0.78125, "intervals": {"accuracy": [0.7, 0.84567]}, "brier": 0.2, "samples": [{"text": "12"}]}
FACTS: dict[str, Any] = {
    "started_from": "starter v1, manifest ab",
    "scored_by": "judge v2, manifest cd",
    "settings": {"beta": 0.1, "reference": "start"},
    "versions": {"torch": "2.13.0"},
    "device": "cpu, 2 cores",
}


def test_a_figure_comes_with_its_interval_where_it_has_one():
    assert shown(FIGURES, "accuracy") == "0.7812 (0.7 to 0.8457)"
    assert shown(FIGURES, "brier") == "0.2"
    assert shown(FIGURES, "kendall_tau") == "–"


def test_only_numbers_stand_in_the_table():
    assert [name for name in FIGURES if is_number(FIGURES[name])] == ["accuracy", "brier"]
    assert not is_number(True)  # noqa: FBT003 -- what a figure might be


@pytest.mark.parametrize(
    ("base_model", "name"),
    [
        ("starter", "tiebreak/starter"),
        ("pairs-dpo@v3", "tiebreak/pairs-dpo"),
        ("org/name@abc", "org/name"),
        ("/models/here", None),
        ("blank", None),
    ],
)
def test_it_names_the_base_model_as_the_hub_does(base_model: str, name: str | None):
    assert hub_name(Run(base_model=base_model)) == name


def test_the_hub_reads_its_head_and_people_the_rest(session: Session):
    dataset = make_dataset(session)
    run = make_run(session, dataset, facts=FACTS)
    words = card(run, dataset, {"before": {"accuracy": 0.5}, "after": FIGURES}, kind="reward", n_parameters=1_048_576)
    head = ModelCard(words, ignore_metadata_errors=False).data
    assert (head.library_name, head.pipeline_tag) == ("transformers", "text-classification")
    assert (head.base_model, head.datasets) == ("tiebreak/starter", ["tiebreak/pairs"])
    assert head.eval_results is not None
    assert {one.metric_type: one.metric_value for one in head.eval_results} == {"accuracy": 0.78125, "brier": 0.2}
    assert {one.dataset_revision for one in head.eval_results} == {dataset.sha256[:40]}
    for told in (
        "1,048,576 parameters",
        "Started from: starter v1, manifest ab",
        "Scored by: judge v2",
        "31 to train on with 30 tuples, 10 held out",
        "| accuracy | 0.5 | 0.7812 (0.7 to 0.8457) |",
        "| beta | `0.1` |",
        "AutoModelForSequenceClassification.from_pretrained(folder)",
    ):
        assert told in words
