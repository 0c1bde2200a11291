"""What the libraries of tracking servers make of a run: read back by these libraries, where they are installed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.settings import Mirror
from worker.trackers import Mirrored, Step, open_tracker

ORDERED = datetime(2026, 11, 26, tzinfo=UTC)
RUN = Mirrored(7, ORDERED, "capitals", {"method": "dpo", "beta": 0.1, "seed": 3, "packed": True}, "http://here/runs/7")


def steps(first: int, last: int, loss: float) -> list[Step]:
    return [Step(n, ORDERED + timedelta(seconds=n), {"loss": loss, "test_loss": 2 * loss}) for n in range(first, last)]


def test_tensorboard_draws_the_last_attempt_and_nothing_twice(tmp_path: Path):
    reading: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for loss, state in ((1.0, "queued"), (0.5, "finished")):
        tracker = open_tracker(Mirror("tensorboard", str(tmp_path)))
        assert tracker.start(RUN) == -1
        tracker.write(steps(0, 3, loss), 3)
        tracker.end(state, {})
        (written,) = [file for file in (tmp_path / "run-7-capitals").iterdir() if file.name.startswith("events")]
        written.rename(written.with_name(f"{state == 'finished':d}-{written.name}"))  # two in one second sort by chance
    shown = reading.EventAccumulator(str(tmp_path / "run-7-capitals"))
    shown.Reload()
    assert sorted(shown.Tags()["scalars"]) == ["loss", "test_loss"]
    assert [(each.step, each.value) for each in shown.Scalars("loss")] == [(0, 0.5), (1, 0.5), (2, 0.5)]
    assert shown.Scalars("loss")[1].wall_time == (ORDERED + timedelta(seconds=1)).timestamp()
    settings = shown.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"beta" in settings


@pytest.mark.filterwarnings("ignore")  # those of MLflow itself
def test_mlflow_has_one_run_for_all_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tracking: Any = pytest.importorskip("mlflow.tracking")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    where = f"sqlite:///{tmp_path}/mlflow.db"
    first = open_tracker(Mirror("mlflow", where))
    assert first.start(RUN) == -1
    first.write(steps(0, 4, 1.0), 3)  # the last one may get a second part
    first.end("queued", {})
    second = open_tracker(Mirror("mlflow", where))
    assert second.start(RUN) == 2
    second.write(steps(3, 5, 0.5), 5)
    second.end("finished", {"test/accuracy": 0.75})
    client = tracking.MlflowClient(tracking_uri=where)
    experiment = client.get_experiment_by_name("tiebreak").experiment_id
    (run,) = client.search_runs([experiment])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "run-7-capitals")
    assert run.data.params == {"method": "dpo", "beta": "0.1", "seed": "3", "packed": "True"}
    assert (run.data.tags["tiebreak.address"], run.data.tags["tiebreak.told"]) == ("http://here/runs/7", "4")
    assert {each.step for each in client.get_metric_history(run.info.run_id, "loss")} == {0, 1, 2, 3, 4}
    assert run.data.tags["tiebreak.result.test/accuracy"] == "0.75"
