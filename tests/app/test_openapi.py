"""The description of the API, as generators of clients read it."""

import re
from collections.abc import Iterator
from typing import Any

from app.main import app

Operation = dict[str, Any]


def operations() -> Iterator[tuple[str, str, Operation]]:
    for path, verbs in app.openapi()["paths"].items():
        if path.startswith("/api/"):
            for verb, operation in verbs.items():
                yield path, verb, operation


def test_it_is_openapi_3_1():
    assert app.openapi()["openapi"].startswith("3.1")


def test_every_operation_has_a_name_of_its_own_words_about_it_and_a_room():
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    assert not [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)]
    assert [path for path, _, one in operations() if not (one.get("summary") and one.get("tags"))] == []


def test_every_summary_is_a_sentence_that_says_what_one_does_with_it():
    for path, verb, operation in operations():
        words = operation["summary"].split()
        assert len(words) >= 3, (verb, path)
        assert operation["summary"] != operation["operationId"].replace("_", " ").title(), (verb, path)
        assert re.fullmatch(r"[A-Z][a-z]+:?", words[0]), (verb, path, "begins with a verb")
        assert not operation["summary"].endswith("."), (verb, path)


def test_every_operation_says_who_may_ask_and_how_it_refuses():
    for path, verb, operation in operations():
        assert operation["security"] == [{"token": []}], path
        refusals = {status for status in operation["responses"] if status[0] in "45"}
        assert {"401", "403", "429"} <= refusals, path
        assert ("404" in refusals) >= ("{" in path), path
        assert ("413" in refusals) == ("requestBody" in operation), (path, verb)
        for status in refusals:
            content = operation["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}, path


def test_every_reference_leads_somewhere():
    parts = app.openapi()["components"]["schemas"]
    named = set(re.findall(r"'#/components/schemas/([^']+)'", repr(app.openapi())))
    assert named <= parts.keys()


def test_judging_asks_for_a_key_that_other_operations_may_leave_out():
    asked = {
        operation["operationId"]: parameter["required"]
        for _, _, operation in operations()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key"
    }
    assert {name for name, is_required in asked.items() if is_required} == {
        "judge",
        "revise_judgment",
        "withdraw_judgment",
    }


def test_a_list_of_what_belongs_to_something_says_that_it_may_not_be_there():
    found = app.openapi()["paths"]
    assert "404" in found["/api/v1/webhooks"]["get"]["responses"]
    assert "404" not in found["/api/v1/people"]["get"]["responses"]
