"""The client where nothing else is: another Python, with httpx and without the server, torch or tqdm."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import app.client
from app.settings import ROOT

FOLDER = ROOT / "app" / "client"
# Whatever is neither Python's own nor one of these cannot be imported.
ALONE = """
import importlib.abc, sys
KNOWN = sys.stdlib_module_names | {"tiebreak_client", "httpx", "httpcore", "h11", "anyio", "idna", "certifi", "sniffio"}
class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in KNOWN | {"__main__", "typing_extensions"}:
            raise ModuleNotFoundError(f"there is no {name} here", name=name)
sys.meta_path.insert(0, Nothing())
"""
USED = """
from tiebreak_client import Client
with Client() as client:
    client.create_project("words")
    pushed = client.push("words", ({"prompt": f"{n}?", "chosen": "yes", "rejected": "no"} for n in range(9)), progress=True)
    assert pushed.judgments == 9, pushed
    print(sum(1 for _ in client.preferences("words")))
"""


def run_alone(script: str, folder: Path, server: str, token: str) -> subprocess.CompletedProcess[str]:
    """Run where `folder` is the only place that modules come from, beside those installed."""
    return subprocess.run(
        [sys.executable, "-P", "-c", ALONE + script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "TIEBREAK_URL": server, "TIEBREAK_TOKEN": token},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_copied_folder_needs_nothing_but_httpx(server: str, token: str, tmp_path: Path):
    shutil.copytree(FOLDER, tmp_path / "tiebreak_client")
    done = run_alone(USED, tmp_path, server, token)
    assert (done.returncode, done.stdout) == (0, "9\n"), done.stderr
    assert "items to words" in done.stderr


def test_its_project_has_its_version_and_what_it_needs():
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    assert project["version"] == app.client.__version__
    assert project["dependencies"] == ["httpx"]
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == whole["requires-python"]


@pytest.mark.slow
def test_it_installs_as_a_package_of_its_own(server: str, token: str, tmp_path: Path):
    shutil.copytree(FOLDER, tmp_path / "source")
    here = tmp_path / "site"
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(here)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(tmp_path / "source")], check=True)
    assert (here / "tiebreak_client" / "py.typed").exists()
    done = run_alone(USED, here, server, token)
    assert (done.returncode, done.stdout) == (0, "9\n"), done.stderr
