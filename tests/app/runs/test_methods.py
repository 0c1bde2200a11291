"""What trainers announce, and the strict reading of settings."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.errors import BadInput
from app.runs.form import fields, read_words, settings_typed
from app.runs.methods import Method, read_methods
from app.runs.queries import announced
from tests.trained import BETA, METHODS, make_trainer

FLAG = {"name": "packed", "type": "bool", "default": True, "help": "Whether to pack."}


def dpo() -> Method:
    method = read_methods(METHODS)[2]
    assert method.name == "dpo"
    return method


def flagged() -> Method:
    return read_methods([METHODS[2] | {"settings": [FLAG]}])[0]


def test_it_fills_in_the_defaults():
    assert dpo().read_settings({"beta": 0.3, "max_steps": 4}) == {
        "max_steps": 4,
        "learning_rate": 0.0,
        "seed": 0,
        "loss": "logistic",
        "beta": 0.3,
    }


def test_it_takes_a_whole_number_where_a_number_is_meant():
    assert isinstance(dpo().read_settings({"beta": 1})["beta"], float)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_steps", "4", "a whole number"),
        ("max_steps", 4.0, "a whole number"),
        ("max_steps", True, "a whole number"),
        ("max_steps", -1, "between 0 and 1,000,000"),
        ("beta", None, "a number"),
        ("beta", [1], "a number"),
        ("beta", 0.0, "between 0.001 and 10"),
        ("beta", float("nan"), "between 0.001 and 10"),
        ("beta", float("inf"), "between 0.001 and 10"),
        ("beta", 10**400, "between 0.001 and 10"),
        ("loss", "ppo", "one of logistic, hinge"),
        ("loss", 1, "text"),
    ],
)
def test_it_names_the_setting_that_is_wrong(name: str, value: Any, words: str):
    with pytest.raises(BadInput, match=words) as caught:
        dpo().read_settings({name: value})
    assert caught.value.field == name


def test_it_refuses_what_is_not_finite_where_there_is_no_range():
    free = read_methods([METHODS[2] | {"settings": [BETA | {"low": None, "high": None}]}])[0]
    assert free.read_settings({"beta": -7}) == {"beta": -7.0}
    for value in (float("nan"), float("inf"), 10**400):
        with pytest.raises(BadInput, match="a finite number"):
            free.read_settings({"beta": value})


def test_it_names_the_settings_there_are():
    with pytest.raises(BadInput, match=r"has no setting “betta”; it has max_steps, .*beta") as caught:
        dpo().read_settings({"betta": 0.1})
    assert caught.value.field == "betta"


def test_it_knows_flags():
    assert flagged().read_settings({}) == {"packed": True}
    assert flagged().read_settings({"packed": False}) == {"packed": False}
    with pytest.raises(BadInput, match="true or false"):
        flagged().read_settings({"packed": 1})


def test_it_reads_the_form_as_people_type():
    typed = {"set.max_steps": " 12 ", "set.beta": "0.25", "set.loss": "hinge", "set.seed": "", "method": "dpo"}
    assert settings_typed(dpo(), typed) == {"max_steps": 12, "beta": 0.25, "loss": "hinge"}
    assert settings_typed(flagged(), {"set.packed": "false"}) == {"packed": False}


def test_it_leaves_words_that_are_no_numbers_to_the_reading():
    typed = settings_typed(dpo(), {"set.beta": "much"})
    with pytest.raises(BadInput, match="a number, not 'much'"):
        dpo().read_settings(typed)


def test_it_shows_what_was_typed_beside_what_is_wrong():
    mistake = BadInput("Too much.", field="beta")
    shown = {field.setting.name: field for field in fields(dpo(), {"set.beta": "99"}, mistake)}
    assert (shown["beta"].value, shown["beta"].error) == ("99", "Too much.")
    assert (shown["seed"].value, shown["seed"].error) == ("0", "")
    assert shown["learning_rate"].label == "Learning rate"


def test_it_reads_settings_from_a_command_line():
    assert read_words(["beta=0.1", "max_steps=5", "loss=hinge", "note=a=b", "packed=true"]) == {
        "beta": 0.1,
        "max_steps": 5,
        "loss": "hinge",
        "note": "a=b",
        "packed": True,
    }
    with pytest.raises(BadInput, match="NAME=VALUE"):
        read_words(["beta"])


def test_it_can_draw_every_setting_that_this_version_announces():
    ours = pytest.importorskip("worker.methods")
    methods = read_methods([ours.describe(method) for method in ours.METHODS])
    for method in methods:
        assert method.read_settings({}) == method.read_settings(
            settings_typed(method, {field.name: field.value for field in fields(method, {})})
        )


PROCESSES = {
    "name": "processes",
    "type": "int",
    "default": 1,
    "low": 1,
    "high": 2,
    "help": "How many.",
    "narrowed": True,
}
WEIGHTS = {"name": "weights", "type": "str", "default": "full", "choices": ["full"], "help": "How.", "narrowed": True}


def narrow() -> Method:
    return read_methods([METHODS[2] | {"settings": [PROCESSES, WEIGHTS]}])[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"processes": 4}, "between 1 and 2, not 4. That is as far as the devices of live trainers go"),
        ({"weights": "4-bit"}, "one of full, not '4-bit'. That is as far as the devices of live trainers go"),
    ],
)
def test_it_says_that_a_device_is_what_is_missing(given: dict[str, Any], words: str):
    with pytest.raises(BadInput, match=words):
        narrow().read_settings(given)


def test_the_form_asks_for_nothing_where_there_is_one_choice_and_says_why_a_range_is_short():
    (shown,) = fields(narrow(), {})
    assert shown.name == "set.processes"
    assert shown.help.endswith("From 1 to 2. That is as far as the devices of live trainers go.")
    wrong = BadInput("“weights” is one of full.", field="weights")
    assert [field.error for field in fields(narrow(), {}, wrong)] == ["", "“weights” is one of full."]


def test_the_widest_of_the_trainers_that_live_counts(session: Session):
    wide = {"high": 8}, {"choices": ["full", "4-bit"], "narrowed": False}
    able = METHODS[2] | {"settings": [PROCESSES | wide[0], WEIGHTS | wide[1]]}
    make_trainer(session, "small", methods=[METHODS[2] | {"settings": [PROCESSES, WEIGHTS]}], seen_s_ago=1)
    make_trainer(session, "large", methods=[able], seen_s_ago=5)
    make_trainer(session, "gone", methods=[METHODS[2] | {"settings": [PROCESSES | {"high": 64}]}], seen_s_ago=999)
    processes, weights = announced(session).live["dpo"].settings
    assert (processes.high, processes.is_narrowed) == (8, True)
    assert (weights.choices, weights.is_narrowed) == (("full", "4-bit"), False)
