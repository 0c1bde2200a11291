"""What the comparison with TRL trains: a step's pairs, and into which batches they can be cut."""

from benchmarks.training_tasks import Task, drawn_groups


def test_a_step_is_cut_into_batches_of_equal_size_only():
    task = Task("groups of 4", "dpo", drawn_groups(4, 4, 2, prompt=3, response=2), 2, 1, 379)
    assert task.rows_per_step() == 12
    assert task.divisors() == [12, 6, 4, 3, 2, 1]
