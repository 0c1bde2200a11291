"""What a run is mirrored to: TensorBoard, MLflow or Weights & Biases, each by its own library, which is loaded only where it is used.

    tensorboard:/a/folder              a folder of the run's name in it; a later attempt writes it anew from the first step on
    mlflow:http://host:5000            in the experiment MLFLOW_EXPERIMENT_NAME, or tiebreak; found again by its tags
    wandb:project, wandb:team/project  a run of the same id, resumed

Who we are to the server is said in the variables that these libraries read themselves, such as MLFLOW_TRACKING_TOKEN and
WANDB_API_KEY. TensorBoard begins anew at each attempt because its files cannot be changed; the other two keep what they have and
go on after it, so that a step that a resumed run does again stays there as it was first told.

Errors: whatever the libraries raise; `mirror.py` tries again.
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from app.settings import Mirror, get_settings

PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny", "wandb": "wandb"}
"""What `pip install` calls the library of each kind; Python calls it as the kind is called."""
MLFLOW_AT_ONCE = {"metrics": 1000, "params": 100}
"""The most that MLflow takes in one request."""
LONGEST_PARAM = 500
OVER = {"finished", "failed", "cancelled"}
MLFLOW_ENDS = {"finished": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A run as it is told to a tracking server. `key` is its own even where several places mirror to one server."""

    run_id: int
    ordered_at: datetime
    checkpoint: str
    settings: Mapping[str, Any]
    address: str

    @property
    def name(self) -> str:
        return f"run-{self.run_id}-{self.checkpoint}"

    @property
    def key(self) -> str:
        return f"tiebreak-{self.run_id}-{self.ordered_at.timestamp():.0f}"


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    at: datetime
    values: Mapping[str, float]


class Tracker(Protocol):
    """One run on one server, from one process."""

    def start(self, run: Mirrored) -> int:
        """Begin it, or go on with it; returns the last step that it has already, -1 for none."""

    def write(self, steps: Sequence[Step], whole: int) -> None:
        """Tell steps in their order. Of those from number `whole` on more may be measured, should the run go on."""

    def end(self, state: str, results: Mapping[str, float]) -> None:
        """The attempt is over, and left the run in this state: another one is to go on unless that is `OVER`."""


class TensorBoard:
    """By the writer of the package tensorboard itself: that of torch would load torch."""

    def __init__(self, target: str) -> None:
        self.target = Path(target)
        self.files: Any = None

    def start(self, run: Mirrored) -> int:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.plugins.hparams import summary_v2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        os.umask(0o027)  # the server that shows them may be another account of the same group
        self.files = EventFileWriter(str(self.target / run.name))
        again = Event(step=0, session_log=SessionLog(status=SessionLog.START))
        self.files.add_event(again)  # what earlier attempts wrote from this step on is not shown any more
        settings = summary_v2.hparams_pb(run.settings, trial_id=run.key, start_time_secs=run.ordered_at.timestamp())
        self.files.add_event(Event(summary=settings))
        return -1

    def write(self, steps: Sequence[Step], whole: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        del whole
        for step in steps:
            values = [Summary.Value(tag=name, simple_value=value) for name, value in step.values.items()]
            event = Event(wall_time=step.at.timestamp(), step=step.number, summary=Summary(value=values))
            self.files.add_event(event)
        self.files.flush()

    def end(self, state: str, results: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        del results  # it has no place for them
        status = {"finished": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}.get(state)
        if status is not None:  # by hand, since the library's own function for it needs TensorFlow
            end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
            told = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
            tag = metadata.SESSION_END_INFO_TAG
            value = Summary.Value(tag=tag, metadata=told, tensor=metadata.NULL_TENSOR)
            self.files.add_event(Event(wall_time=time.time(), summary=Summary(value=[value])))
        self.files.close()


class Mlflow:
    """By its client. The run's tag `tiebreak.told` is the last step that the server has."""

    def __init__(self, target: str) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # `mirror.py` tries again, and hears of the end
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient(tracking_uri=target)
        self.run_id = ""

    def start(self, run: Mirrored) -> int:
        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "tiebreak")
        found = self.client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self.client.create_experiment(name)
        runs: list[Any] = list(self.client.search_runs([experiment], f"tags.`tiebreak.key` = '{run.key}'"))
        if runs:
            known = runs[0]
        else:
            tags = {"tiebreak.run": str(run.run_id), "tiebreak.key": run.key, "tiebreak.address": run.address}
            known = self.client.create_run(experiment, run_name=run.name, tags=tags)
        self.run_id = known.info.run_id
        self.client.update_run(self.run_id, status="RUNNING")
        new = {_mlflow_name(name): str(value)[:LONGEST_PARAM] for name, value in run.settings.items()}
        params = [Param(name, value) for name, value in new.items() if name not in known.data.params]
        for part in _parts(params, MLFLOW_AT_ONCE["params"]):
            self.client.log_batch(self.run_id, params=part)
        return int(known.data.tags.get("tiebreak.told", -1))

    def write(self, steps: Sequence[Step], whole: int) -> None:
        from mlflow.entities import Metric

        told = [
            Metric(_mlflow_name(name), value, int(step.at.timestamp() * 1000), step.number)
            for step in steps
            for name, value in step.values.items()
        ]
        for part in _parts(told, MLFLOW_AT_ONCE["metrics"]):
            self.client.log_batch(self.run_id, metrics=part)
        self.client.set_tag(self.run_id, "tiebreak.told", str(min(steps[-1].number, whole - 1)))

    def end(self, state: str, results: Mapping[str, float]) -> None:
        for name, value in results.items():
            self.client.set_tag(self.run_id, f"tiebreak.result.{_mlflow_name(name)}", f"{value:.6g}")
        if state in MLFLOW_ENDS:
            self.client.set_terminated(self.run_id, MLFLOW_ENDS[state])
        else:
            self.client.update_run(self.run_id, status="SCHEDULED")


class Wandb:
    """By its library, which keeps what it sends in a file and sends it by a process of its own."""

    def __init__(self, target: str) -> None:
        *team, self.project = target.split("/")
        self.team = team[0] if team else None
        self.run: Any = None

    def start(self, run: Mirrored) -> int:
        import wandb

        with suppress(Exception):  # of an attempt to connect that failed
            wandb.teardown()
        folder = get_settings().home / "runs" / str(run.run_id) / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(
            project=self.project,
            entity=self.team,
            id=run.key,
            name=run.name,
            resume="allow",
            dir=folder,
            config={"tiebreak_address": run.address, **run.settings},
            allow_val_change=True,
            settings=wandb.Settings(console="off", disable_git=True, disable_code=True, x_disable_stats=True),
        )
        return int(self.run.starting_step) - 1

    def write(self, steps: Sequence[Step], whole: int) -> None:
        del whole
        for step in steps:
            self.run.log(dict(step.values), step=step.number)

    def end(self, state: str, results: Mapping[str, float]) -> None:
        self.run.summary.update({"tiebreak_state": state, **results})
        if state not in OVER:
            self.run.mark_preempting()
        self.run.finish(exit_code=0 if state == "finished" else 1)


KINDS = {"tensorboard": TensorBoard, "mlflow": Mlflow, "wandb": Wandb}


def open_tracker(mirror: Mirror) -> Tracker:
    kind: Any = KINDS[mirror.kind]
    made: Tracker = kind(mirror.target)
    return made


def refuse_what_is_missing() -> None:
    """Ends a worker that is to mirror its runs by a library that is not here, before it takes the first one."""
    for mirror in get_settings().mirrors:
        if find_spec(mirror.kind) is None:
            package = PACKAGES[mirror.kind]
            raise SystemExit(
                f"MIRRORS names {mirror}, and the library for it is not installed: "
                f"`pip install {package}` where this trainer runs, or take {mirror.kind} out of MIRRORS."
            )


def _mlflow_name(name: str) -> str:
    return re.sub(r"[^\w\-. /]", "_", name)


def _parts(things: Sequence[Any], most: int) -> list[Sequence[Any]]:
    return [things[first : first + most] for first in range(0, len(things), most)]
