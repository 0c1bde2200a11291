"""What stands behind a run's results."""

from app.runs.breakdown import between, reliability, samples, sources

BINS = [
    {"confidence": 0.53, "right": 0.5, "pairs": 40},
    {"confidence": 0.77, "right": 0.7, "pairs": 25},
    {"confidence": 0.96, "right": 0.875, "pairs": 16},
]


def test_reliability_is_drawn_beside_the_line_of_being_as_sure_as_right():
    found = reliability({"reliability": BINS})
    assert found is not None
    model, ideal = found.chart.lines
    assert len(model.strong[0].split()) == 3
    assert len(ideal.strong[0].split()) == 2
    assert [tick.words for tick in found.chart.x_ticks] == ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
    assert found.rows[1] == ("77.0%", "70.0%", "25")
    assert found.n_pairs == "81"


def test_nothing_is_drawn_of_what_was_not_measured():
    for part in ({}, {"reliability": []}, {"reliability": "odd"}, {"reliability": [{"confidence": 0.5}, 3]}):
        assert reliability(part) is None
    assert sources({}, {"sources": None}) == ()
    assert samples({"samples": [1]}, {"samples": [{"prompt": "p"}]}) == ()


def test_accuracy_by_source_stands_beside_what_it_was():
    row = {"kind": "source", "name": "forum", "accuracy": 0.5, "interval": None, "pairs": 1200}
    later = row | {"accuracy": 0.75, "interval": [0.7, 0.8]}
    (found, new) = sources({"sources": [row]}, {"sources": [later, row | {"kind": "model", "name": "birch"}]})
    assert (found.before, found.after, found.interval, found.n_pairs) == ("50.0%", "75.0%", "70.0–80.0%", "1,200")
    assert (new.kind, new.before, new.after, new.interval) == ("model", "", "50.0%", "")


def test_answers_to_the_same_prompt_stand_side_by_side():
    before = {
        "samples": [
            {"prompt": "7 + 5?", "text": "It is 12.", "answer": "12", "right": False},
            {"prompt": "x", "text": ""},
        ]
    }
    after = {
        "samples": [{"prompt": "7 + 5?", "text": "12", "answer": "12", "right": True}, {"prompt": "y", "text": "z"}]
    }
    (found,) = samples(before, after)
    assert (found.before, found.after, found.answer) == ("It is 12.", "12", "12")
    assert (found.was_right, found.is_right) == (False, True)


def test_an_interval_is_told_in_words():
    assert between([0.5, 0.625]) == "50.0–62.5%"
    assert between(None) == between([0.5]) == ""
