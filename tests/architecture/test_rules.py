"""Rules that a reviewer would otherwise have to say twice, each a few lines on the syntax tree or the templates."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import ROOT

CODE = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "worker").rglob("*.py")])
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
LONGEST_TEMPLATE = 120
LONGEST_STYLESHEET = 600
# A longer one has a reason, told here.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node.lineno


def test_only_db_commits_and_rolls_back():
    found = [
        f"{name_of(path)}:{line}"
        for path in CODE
        if name_of(path) != "app/db.py"
        for call, line in calls(path)
        if call in {"commit", "rollback", "begin"}
    ]
    assert found == []


def test_only_the_doorbell_sends_messages():
    senders = {"send_task", "delay", "apply_async"}
    found = [name_of(path) for path in CODE for call, _ in calls(path) if call in senders]
    assert set(found) <= {"app/doorbell.py"}


def test_files_are_short_enough_to_have_one_subject():
    long = {name_of(path) for path in CODE if len(path.read_text().splitlines()) > LONGEST_FILE}
    assert long == set(LONG_FILES)


def test_functions_are_short_enough_to_read_at_a_glance():
    long = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = ast.get_docstring(node, clean=False)
                lines = (node.end_lineno or 0) - node.lineno + 1 - (len(words.splitlines()) if words else 0)
                if lines > LONGEST_FUNCTION:
                    long.add(f"{name_of(path)}:{node.name}")
    assert long == set(LONG_FUNCTIONS)


def test_no_file_is_without_a_subject():
    vague = {"utils", "helpers", "common", "base", "misc", "manager", "tools"}
    assert [name_of(path) for path in CODE if path.stem in vague] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_is_short_and_runs_nothing_inline(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_TEMPLATE
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)


@pytest.mark.parametrize(
    "path", [path for path in TEMPLATES if path.name.startswith("_") and path.stem != "_macros"], ids=name_of
)
def test_a_fragment_has_the_id_of_its_file(path: Path):
    text = re.sub(r"{#.*?#}|{%.*?%}", "", path.read_text(), flags=re.DOTALL)
    first = re.search(r"<[a-z][^>]*>", text)
    assert first, "a fragment has a root element"
    assert f'id="{path.stem.removeprefix("_")}"' in first.group()


@pytest.mark.parametrize("path", sorted((ROOT / "static").glob("*.css")), ids=name_of)
def test_a_stylesheet_stays_readable(path: Path):
    assert len(path.read_text().splitlines()) <= LONGEST_STYLESHEET


def test_each_silenced_check_has_its_reason():
    bare = re.compile(r"#\s*(noqa|type: ignore)(:\s*[A-Z0-9, ]+|\[[a-z-]+(, ?[a-z-]+)*\])?\s*$")
    found = [
        f"{name_of(path)}:{number}"
        for path in CODE
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if bare.search(line)
    ]
    assert found == []
