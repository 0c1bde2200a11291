"""Set-up is the same everywhere: exact versions, files known by their hash, and no word about where they come from."""

import ast
import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from app.settings import ROOT

PINS = dict(
    line.split("==") for line in (ROOT / ".ci" / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
)
FRONT_END = json.loads((ROOT / "static" / "package.json").read_text())


@pytest.fixture
def script() -> ModuleType:
    """The set-up script, as a module."""
    spec = importlib.util.spec_from_file_location("set_up", ROOT / ".ci" / "setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_requirement_has_an_exact_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.split(r"[\[;<>= ]", requirement)[0].lower() for requirement in wanted}
    assert names <= set(PINS)


def test_a_version_says_nothing_of_its_origin():
    assert [pin for pin in PINS.items() if not re.fullmatch(r"[a-z0-9-]+ [0-9][0-9a-z.]*", " ".join(pin))] == []


def test_the_front_end_is_pinned_and_its_files_are_known_by_their_hash():
    for packages, files in (("dependencies", "vendor"), ("devDependencies", "test")):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in FRONT_END[packages].values())
        assert {path.split("/")[0] for path in FRONT_END[files]} == set(FRONT_END[packages])
        assert all(re.fullmatch(r"[0-9a-f]{64}", sha256) for sha256 in FRONT_END[files].values())


def test_what_only_tests_need_is_not_served(script: ModuleType):
    served = ROOT / "static"
    assert served not in script.place_of("test", "axe-core/axe.min.js").parents
    assert served in script.place_of("vendor", "htmx.org/dist/htmx.min.js").parents


def test_no_tracked_file_says_where_packages_come_from():
    index_option = "(extra-)?index-" + "url"
    registries = "pypi" + r"\.org|npm" + r"js\.(org|com)|pythonhosted" + r"\.org"
    pattern = f"--{index_option}|{registries}"
    found = subprocess.run(["git", "grep", "-lE", "-e", pattern], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout.split() == []


def test_a_front_end_file_that_was_changed_is_fetched_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(script, "VENDOR", tmp_path)
    (tmp_path / "a.js").write_text("one")
    sha256 = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    monkeypatch.setattr(script, "front_end_files", lambda _: [("package/dist/a.js", sha256)])
    assert script.is_front_end_there("vendor")
    (tmp_path / "a.js").write_text("two")
    assert not script.is_front_end_there("vendor")


def test_a_python_that_is_too_old_is_told_what_to_install(script: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(script.NotSetUpError, match=r"needs Python 3\.11 or newer.*apt install python3\.11"):
        script.go_on_with_newer_python([])


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("error: command 'gcc' failed: No such file or directory", "apt install build-essential"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("anything else", "could not be installed"),
    ],
)
def test_a_failed_installation_ends_with_what_to_do(script: ModuleType, output: str, advice: str):
    assert advice in script.advice(output).splitlines()[-1]


def test_it_can_be_read_by_a_python_that_is_too_old():
    """Nothing newer than Python 3.6 in its syntax; the annotations that are newer stand in quotes."""
    ast.parse((ROOT / ".ci" / "setup.py").read_text(), feature_version=(3, 6))


def test_a_set_up_without_extras_has_no_brackets_that_pip_would_not_take(script: ModuleType):
    assert script.ourselves(set()) == str(ROOT)
    assert script.ourselves({"worker", "dev"}) == f"{ROOT}[dev,worker]"
