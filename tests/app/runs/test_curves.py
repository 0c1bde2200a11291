"""Which measurements are drawn together."""

from app.runs.curves import charts


def test_it_draws_loss_and_accuracy_first_and_the_rest_apart():
    metrics = [{"step": step, "margin": 0.1, "accuracy": 0.5, "loss": 0.7, "grad_norm": 1.0} for step in range(3)]
    drawn = charts(metrics)
    assert [chart.title for chart in drawn.main] == ["Loss", "Accuracy"]
    assert [chart.title for chart in drawn.more] == ["Margin", "Grad norm"]


def test_it_draws_a_measure_of_the_test_split_beside_its_own():
    drawn = charts([{"step": 0, "loss": 0.7}, {"step": 1, "loss": 0.6, "test_loss": 0.65}])
    assert [[line.name for line in chart.lines] for chart in drawn.main] == [["loss", "test_loss"]]
    assert drawn.more == ()


def test_it_leaves_a_gap_for_what_was_no_number_and_ignores_words():
    drawn = charts([{"step": step, "loss": None if step == 1 else 0.5, "note": "words"} for step in range(4)])
    assert len(drawn.main[0].lines[0].strong) == 2
    assert drawn.more == ()


def test_it_draws_nothing_before_the_first_step():
    assert charts([]).main == ()
