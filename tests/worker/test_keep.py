"""What a run keeps of itself as it goes, and what another process makes of it: the same weights, to the last bit."""

import os
import random
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select

from app.access import Person
from app.db import work_unit
from app.models import Run, RunKeep, RunMetric, User
from app.run_states import move
from app.runs.verbs import extend_run
from app.settings import get_settings
from app.storage import storage
from tests.ordered import change_run, run_row
from tests.worker.test_train import SMALL, checkpoints, claimed, interrupted, the_run, trained
from worker import exits, lease, state
from worker.keep import FILE
from worker.steps import adamw

__all__ = ["claimed"]  # a fixture

EACH = SMALL | {"max_steps": 6, "save_steps": 2, "learning_rate": 0.001}
TIMES = {"tokens_per_second", "seconds_measuring", "seconds_sampling"}  # no two runs agree on them


@pytest.fixture(autouse=True)
def empty_storage(migrated: str) -> None:
    """Nothing of an earlier story, whose run had the same number."""
    storage().delete_all("kept")


def keeps(run_id: int) -> list[RunKeep]:
    with work_unit() as session:
        return list(session.scalars(select(RunKeep).where(RunKeep.run_id == run_id).order_by(RunKeep.step)))


def files_kept(run_id: int) -> set[str]:
    folder = Path(get_settings().storage) / "kept" / f"run-{run_id}"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()


def weights_of(place: int = -1) -> str:
    return next(file["sha256"] for file in checkpoints()[place].files if file["path"] == "model.safetensors")


def curve(run_id: int) -> list[tuple[int, dict[str, float]]]:
    with work_unit() as session:
        rows = session.scalars(select(RunMetric).where(RunMetric.run_id == run_id).order_by(RunMetric.step)).all()
    return [(row.step, without_clock(row.values)) for row in rows]


def without_clock(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if name not in TIMES}


def stopped_at(number: int, monkeypatch: pytest.MonkeyPatch, what: Any = None) -> None:
    interrupted(monkeypatch, what or (lambda: os.kill(os.getpid(), signal.SIGTERM)), number)


def goes_on(run_id: int) -> int:
    """Back to the queue as after a crash, claimed by the next trainer, and trained to its end."""
    with work_unit() as session:
        session.execute(move({"claimed": "queued", "running": "queued", "failed": "queued"}))
    held = lease.claim(run_id, "train@there")
    assert held is not None
    return trained(run_id, held.fence)


@pytest.mark.parametrize("method", ["sft", "dpo"])
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
def test_it_ends_with_the_weights_and_the_curve_of_a_run_that_nobody_disturbed(
    claimed: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    base, how = ("blank", EACH) if method == "sft" else ("starter", EACH | {"lora_rank": 2})
    trained(claimed(checkpoint_name="starter"))
    calm = claimed(method, base, settings=how)
    assert trained(calm) == exits.FINISHED
    expected = weights_of()

    run_id = claimed(method, base, settings=how)
    with monkeypatch.context() as patch:
        stopped_at(2, patch)
        assert trained(run_id) == exits.STOPPED
    assert [kept.step for kept in keeps(run_id)] == [2, 3]
    assert the_run(run_id).step == 3  # told with the state, however long ago the last steps were told
    trained(claimed(checkpoint_name="starter"))  # the name means other weights from here on
    torch.manual_seed(99)
    random.seed(99)
    assert goes_on(run_id) == exits.FINISHED
    assert weights_of() == expected
    assert curve(run_id) == curve(calm)
    assert the_run(run_id).results == the_run(calm).results
    assert the_run(run_id).facts["processor"] == the_run(calm).facts["processor"]


def test_a_finished_run_goes_on_for_more_epochs_from_its_last_step_with_the_rates_of_its_new_length(
    claimed: Any, ada: User
) -> None:
    """What was done stays as it was; what comes is as a run of that length has it there, and one more version is published."""
    how = SMALL | {"max_steps": 0, "groups_per_step": 10, "learning_rate": 0.001}
    run_id = claimed(settings=how | {"epochs": 2})
    assert trained(run_id) == exits.FINISHED
    first, after_two = curve(run_id), weights_of()
    assert len(first) == 6
    with work_unit() as session:
        extend_run(session, Person(ada.id, ada.name, "admin"), session.get_one(Run, run_id), epochs=1)
    assert run_row(run_id, ["state", "settings"]).settings["epochs"] == 3
    held = lease.claim(run_id, "train@there")
    assert held is not None
    assert trained(run_id, held.fence) == exits.FINISHED
    told = curve(run_id)
    assert [step for step, _ in told] == list(range(9))
    assert told[:6] == first
    assert [(each.name, each.version) for each in checkpoints()] == [("pairs-sft", 1), ("pairs-sft", 2)]
    assert weights_of() != after_two

    whole = claimed(settings=how | {"epochs": 3})
    assert trained(whole) == exits.FINISHED
    of_whole = curve(whole)
    assert [each["learning_rate"] for _, each in told[6:]] == [each["learning_rate"] for _, each in of_whole[6:]]
    assert told[5][1]["learning_rate"] != of_whole[5][1]["learning_rate"]
    assert [kept.step for kept in keeps(run_id)] == [9]


def test_it_keeps_the_last_ones_and_after_the_end_the_very_last(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = claimed(settings=EACH | {"save_steps": 1})
    seen = list[list[int]]()
    stopped_at(4, monkeypatch, lambda: seen.append([kept.step for kept in keeps(run_id)]))
    assert trained(run_id) == exits.FINISHED
    assert seen == [[3, 4]]
    (last,) = keeps(run_id)
    assert last.step == 6
    assert files_kept(run_id) == {f"1-6/{FILE}"}


def test_a_whole_one_is_taken_where_the_newest_was_damaged(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(claimed(settings=EACH))
    expected = weights_of()
    run_id = claimed(settings=EACH | {"save_steps": 1})
    with monkeypatch.context() as patch:
        stopped_at(3, patch)
        assert trained(run_id) == exits.STOPPED
    newest = Path(get_settings().storage) / keeps(run_id)[-1].prefix / FILE
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    assert goes_on(run_id) == exits.FINISHED
    assert weights_of() == expected
    assert [step for step, _ in curve(run_id)] == list(range(6))


def test_it_begins_anew_where_nothing_was_kept(claimed: Any) -> None:
    run_id = claimed(settings=EACH)
    assert goes_on(run_id) == exits.FINISHED
    assert run_row(run_id, ["step", "attempt"]) == (6, 1)


def test_an_attempt_that_kept_a_state_is_not_in_vain(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = claimed(settings=EACH, in_vain=2)
    stopped_at(1, monkeypatch)
    assert trained(run_id) == exits.STOPPED
    assert run_row(run_id, ["in_vain"]).in_vain == 0


def test_a_trainer_that_was_overtaken_leaves_no_state(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = claimed(settings=EACH)
    stopped_at(1, monkeypatch, lambda: change_run(run_id, "fence = 7"))
    assert trained(run_id) == exits.FENCED
    assert keeps(run_id) == []
    assert files_kept(run_id) == set()


def test_the_best_by_a_figure_is_published(claimed: Any) -> None:
    """With a rate this high the model is soon worse than it was."""
    trained(claimed(checkpoint_name="starter"))
    how = EACH | {"best_by": "accuracy", "save_steps": 1, "learning_rate": 0.05}
    run_id = claimed("reward", "starter", settings=how)
    assert trained(run_id) == exits.FINISHED
    run = the_run(run_id)
    assert 1 <= run.facts["published_step"] <= 6
    plain = claimed("reward", "starter", settings=how | {"max_steps": 6, "best_by": "last"})
    trained(plain)
    assert run.results["after"]["accuracy"] >= the_run(plain).results["after"]["accuracy"]
    assert keeps(run_id)[0].step == 6


def test_the_best_needs_states_that_come_by_the_step(claimed: Any) -> None:
    run_id = claimed(settings=SMALL | {"best_by": "best_logp"})
    assert trained(run_id) == exits.FAILED
    assert "say every how many steps" in (the_run(run_id).error or "")


def test_a_state_of_another_model_is_refused(claimed: Any, tmp_path: Path) -> None:
    model, other = (torch.nn.Linear(2, width) for width in (2, 3))
    models: list[Any] = [type("Model", (), {"network": each, "device": torch.device("cpu")}) for each in (model, other)]
    for each in models:
        each.trainable = each.network.parameters
    state.save(models[0], adamw(models[0]), tmp_path / FILE, {})
    with pytest.raises(Exception, match="another shape"):
        state.restore(models[1], adamw(models[1]), tmp_path / FILE)


def test_all_chance_goes_on_where_it_was(tmp_path: Path) -> None:
    model: Any = type("Model", (), {"network": torch.nn.Linear(2, 2), "device": torch.device("cpu")})
    model.trainable = model.network.parameters
    state.save(model, adamw(model), tmp_path / FILE, {"step": 3})

    def drawn() -> tuple[float, ...]:
        dropped = torch.nn.functional.dropout(torch.ones(8), training=True)
        return random.random(), float(np.random.rand()), float(torch.rand(())), *dropped.tolist()  # noqa: NPY002

    first = drawn()
    assert drawn() != first
    assert state.restore(model, adamw(model), tmp_path / FILE) == {"step": 3}
    assert drawn() == first


def test_a_full_disk_fails_the_run_in_words_and_leaves_nothing_that_looks_whole(
    claimed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file may grow beyond a few kilobytes, as with a quota; then there is room again and the run goes on."""
    trained(claimed(settings=EACH))
    expected = weights_of()
    run_id = claimed(settings=EACH)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    stopped_at(2, monkeypatch, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1])))
    try:
        assert trained(run_id) == exits.FAILED
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    run = the_run(run_id)
    assert run.state == "failed"
    assert "no room left" in (run.error or "")
    assert [kept.step for kept in keeps(run_id)] == [2]
    assert files_kept(run_id) == {f"1-2/{FILE}"}
    monkeypatch.undo()
    assert goes_on(run_id) == exits.FINISHED
    assert weights_of() == expected
