"""What a dataset looks like."""

from typing import Any

from app.datasets.summary import Summary, doubling
from tests.app.datasets.test_files import row


def test_it_counts_lengths_people_and_how_much_they_agree():
    summary = Summary()
    first: dict[str, Any] = {"responses": ["long one", "x"], "tiers": [1, 2], "agreement": 0.5}
    for one in (
        row(1, **first, annotator="a-one"),
        row(1, **first, annotator="a-two"),
        row(2, responses=["x", "long one"], tiers=[1, 2], annotator="a-one"),
    ):
        summary.add(one)  # type: ignore[arg-type]
    told = summary.as_json()
    assert told["judgments"] == {"1": 1, "2": 1}
    assert told["agreement"] == {"5": 1}, "one person agrees with nobody"
    assert told["annotators"] == {"a-one": 2, "a-two": 1}
    assert (told["longer"], told["shorter"]) == (2, 1)
    assert told["response_length"] == {"1": 3, "8": 3}
    assert told == summary.as_json(), "it may be asked twice"


def test_buckets_double():
    assert [doubling(length) for length in (0, 1, 2, 3, 4, 5, 1024, 1025)] == [0, 1, 2, 4, 4, 8, 1024, 2048]
