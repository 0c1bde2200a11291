"""The containers run the processes of one machine: same commands, no secrets of ours, a health check for each."""

import os
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from app.embedded.commands import COMMANDS
from app.settings import ROOT, Settings

Json = dict[str, Any]
COMPOSE: Json = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Json] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def has_compose() -> bool:
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode
    )


def test_it_runs_the_commands_of_one_machine_word_for_word():
    ours = {name: service["command"] for name, service in SERVICES.items() if name not in {"postgres", "redis"}}
    assert set(ours.values()) == set(COMMANDS.values())
    assert ours["web"] == COMMANDS["web"]
    assert ours["worker"] == ours["worker-gpu"] == COMMANDS["train"]


@pytest.mark.parametrize("command", [COMMANDS["web"], COMMANDS["train"]])
def test_an_image_alone_starts_with_the_same_command(command: str):
    assert "CMD [" + ", ".join(f'"{word}"' for word in shlex.split(command)) + "]" in DOCKERFILE


def test_only_the_worker_image_has_torch():
    images = {name: service.get("build", {}).get("target") for name, service in SERVICES.items()}
    assert {name for name, target in images.items() if target == "worker"} == {"worker", "worker-quick", "worker-gpu"}
    stages = {stage.split(maxsplit=3)[2]: stage for stage in DOCKERFILE.split("\nFROM ")[1:]}
    assert "python .ci/setup.py web\n" in stages["packages"]
    assert "python .ci/setup.py\n" in stages["worker"]
    assert "setup.py" not in stages["web"]


def test_every_setting_reaches_the_containers():
    settings = {str(field.alias) for field in Settings.model_fields.values()}
    by_the_image = {"TIEBREAK_HOME"}
    by_other_means = {"HOST", "PORT", "WEB_PROCESSES"}  # where the port is published, and uvicorn's own variables
    of_uvicorn = {"FORWARDED_ALLOW_IPS"}  # behind a proxy, or all of its visitors count as one
    assert (settings | of_uvicorn) - by_the_image - by_other_means <= set(SERVICES["web"]["environment"])
    assert all(f"${{{name}:-" in (ROOT / "docker-compose.yml").read_text() for name in by_other_means)


def test_no_secret_has_a_default():
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key:
                assert str(value).startswith("${POSTGRES_PASSWORD:?"), f"{name}: {key}"


def test_every_lasting_service_says_whether_it_is_well():
    assert [name for name, service in SERVICES.items() if "test" not in service.get("healthcheck", {})] == ["migrate"]


def test_the_gpu_is_asked_for_by_a_profile_alone():
    reserved = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["worker-gpu"]
    assert [name for name, service in SERVICES.items() if "deploy" in service] == ["worker-gpu"]


def test_nothing_but_the_web_server_has_a_port():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]


def test_nobody_runs_as_root():
    for stage in DOCKERFILE.split("\nFROM ")[2:]:
        users = [line.split()[1] for line in stage.splitlines() if line.startswith("USER ")]
        assert users[-1] == "tiebreak"


@pytest.mark.skipif(not has_compose(), reason="no docker compose client on this machine")
def test_the_client_takes_the_file_and_demands_a_password():
    environment = {key: value for key, value in os.environ.items() if key != "POSTGRES_PASSWORD"}
    config = ["docker", "compose", "--env-file", os.devnull, "config", "--quiet"]
    refused = subprocess.run(config, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "POSTGRES_PASSWORD" in refused.stderr
    taken = subprocess.run(
        config, check=False, cwd=ROOT, env=environment | {"POSTGRES_PASSWORD": "p"}, capture_output=True, text=True
    )
    assert taken.returncode == 0, taken.stderr
