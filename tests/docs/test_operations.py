"""What the page of operations names is there."""

import re

import click
from sqlalchemy.orm import Session

from app.cli import main
from app.metrics import Rows, of_this_process
from app.settings import ROOT, Settings

PAGE = (ROOT / "docs" / "operations.md").read_text()
ELSEWHERE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "FORWARDED_ALLOW_IPS"}
ELSEWHERE |= {"PROMETHEUS_MULTIPROC_DIR", "SIGTERM", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"}
ELSEWHERE |= {"MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_TOKEN", "WANDB_API_KEY"}


def test_its_commands_exist():
    told = set(re.findall(r"tiebreak ([a-z]+)(?: ([a-z]+))?", PAGE))
    told = {pair for pair in told if pair[0] in main.commands}
    assert {"web", "worker", "migrate", "doctor", "verify", "backup", "restore", "token"} <= {name for name, _ in told}
    context = click.Context(main)
    for queue in (second for name, second in told if name == "worker"):
        command = main.get_command(context, "worker")
        assert command is not None
        assert queue in command.params[0].type.choices  # type: ignore[attr-defined]


def test_its_settings_exist():
    told = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})(?:=[^`]*)?`", PAGE))
    known = {str(field.alias) for field in Settings.model_fields.values()}
    assert told - ELSEWHERE <= known
    assert {"DATABASE_URL", "REDIS_URL", "STORAGE_URL", "LOG_FORMAT"} <= told


def test_it_tells_of_every_figure_and_of_no_other(session: Session):
    rows = {metric.name for metric in Rows(session).collect()} | {metric.name for metric in of_this_process.collect()}
    told = set(re.findall(r"^\| `(tiebreak_\w+)` \|", PAGE, re.MULTILINE))
    assert {name.removesuffix("_total") for name in told} == rows
