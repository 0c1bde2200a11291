"""The page of mathematics keeps its promises: every formula names a function and a test that exist."""

import ast
import importlib
import re

import pytest

from app.reading.markdown import markdown
from app.settings import ROOT
from worker.methods import METHODS
from worker.objectives.ranking import LOSSES

PAGE = (ROOT / "docs" / "methods.md").read_text()
FORMULAS = re.findall(r"^\$\$.+\$\$\n\n(.*)$", PAGE, re.MULTILINE)
IN_LINE = re.compile(r"(?<!\$)\$(?!\$)[^$]+\$")
NAMED = re.compile(r"→ `(?P<function>[\w.]+)` · `(?P<test>tests/[\w/]+\.py::\w+)`")


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_formula_names_the_function_that_computes_it_and_the_test_that_checks_it():
    assert len(FORMULAS) == PAGE.count("$$") / 2 > 20
    assert [line for line in FORMULAS if not NAMED.fullmatch(line)] == []


def test_every_formula_can_be_drawn():
    """By our own reader of formulas, which shows what it cannot draw as its source."""
    drawn = str(markdown(PAGE))
    assert drawn.count("<math") == PAGE.count("$$") / 2 + len(IN_LINE.findall(PAGE)) > 80
    assert "$" not in re.sub(r"<code>.*?</code>", "", drawn)


@pytest.mark.parametrize("function", sorted({found["function"] for found in NAMED.finditer(PAGE)}))
def test_the_function_exists(function: str):
    module, _, name = function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("test", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE))))
def test_the_test_exists(test: str):
    path, _, name = test.partition("::")
    assert name in names_in(path)


def test_every_method_and_every_loss_is_told_of():
    assert [each.NAME for each in METHODS if f"| `{each.NAME}` |" not in PAGE] == []
    assert [name for name in LOSSES if f"`{name}`" not in PAGE and rf"\ell_{{{name}}}" not in PAGE] == []
