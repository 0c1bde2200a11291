"""What was done, in words: each action that is written down anywhere has its sentence, and there is none for what nobody does."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from app import deeds
from app.settings import ROOT

# What writes a row of the audit, and what each room calls the function that does it for its verbs.
WRITERS = {"Audit", "trace", "_trace", "_tell", "_note"}


def written(path: Path) -> Iterator[str]:
    """The actions that a file gives to a writer, whether as they are or by a constant of its module."""
    tree = ast.parse(path.read_text())
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for given in (*call.args, *(one.value for one in call.keywords)) if name in WRITERS else ():
            if isinstance(given, ast.Constant) and "." in str(given.value):
                yield str(given.value)
            elif isinstance(given, ast.Name) and given.id.isupper():
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield getattr(importlib.import_module(module), given.id)
        if name == "tell" and "items.py" in path.name and isinstance(call.args[0], ast.Constant):
            yield f"item.{call.args[0].value}"


def actions() -> set[str]:
    files = (path for room in ("app", "worker") for path in (ROOT / room).rglob("*.py"))
    return {action for path in files for action in written(path)}


def test_every_action_has_its_words_and_no_words_are_left_of_one_that_nobody_does():
    told = {action for sentences in deeds._FAMILIES.values() for action in sentences({})}
    assert told | {"dataset.frozen"} == actions()
    assert [one for one in actions() if deeds.words(one, "pairs v1", {}) == one] == []


def test_a_sentence_says_what_the_row_knows():
    run = {"run": 5, "method": "dpo", "dataset": "pairs v1", "base": "starter"}
    assert deeds.words("run.ordered", "helpful", run) == "ordered run 5: dpo on pairs v1, from starter"
    assert deeds.words("run.extended", "helpful", {"run": 5, "epochs": 2}) == "extended run 5; epochs: 2"
    moved = {"alias": "production", "from": 1, "to": 2}
    assert deeds.words("checkpoint.alias_moved", "helpful", moved) == "moved “production” from v1 to v2"
    sent = {"version": 2, "place": "ada/helpful", "server": "https://hub.example.org"}
    assert deeds.words("publication.ordered", "helpful", sent) == "had v2 sent to ada/helpful (https://hub.example.org)"
    assert deeds.words("user.added", "ben@example.org", {"role": "admin"}) == "made the account, as admin"
    bound = {"scopes": ["read", "train"], "projects": ["words"]}
    assert deeds.words("token.made", "notebook", bound) == "made a token with read, train, for words alone"


def test_what_an_earlier_version_wrote_is_shown_by_its_name():
    assert deeds.words("run.forgotten", "helpful", {}) == "run.forgotten"
    assert deeds.words("moon.landed", "", {}) == "moon.landed"
