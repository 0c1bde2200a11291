"""The examples in the API's description are what it says they are, and what the API answers."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema_rs
from fastapi.testclient import TestClient

from app import examples
from app.main import app
from app.models import User
from tests.conftest import token_client
from tests.queued import queued

MAIN = ("Project", "Item", "Judgment", "Dataset", "Run", "Checkpoint", "Alias", "Webhook", "Token", "Person")


def strict_parts() -> dict[str, Any]:
    """The schemas, where nothing may be told that no property is declared for."""
    parts = deepcopy(app.openapi()["components"]["schemas"])
    for schema in parts.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return parts


def faults(schema: dict[str, Any], example: Any) -> list[str]:
    whole = {**schema, "components": {"schemas": strict_parts()}}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(example)]


def media_types() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body and answer of every operation, with a name to find it by."""
    for path, verbs in app.openapi()["paths"].items():
        for verb, operation in verbs.items():
            bodies = operation.get("requestBody", {}).get("content", {}).values()
            yield from ((f"{verb} {path}", body) for body in bodies)
            for status, answer in operation["responses"].items():
                yield from ((f"{verb} {path} {status}", told) for told in answer.get("content", {}).values())


def test_every_example_of_a_schema_is_valid_by_it():
    found = {
        name: wrong
        for name, schema in app.openapi()["components"]["schemas"].items()
        for example in schema.get("examples", [])
        if (wrong := faults({"$ref": f"#/components/schemas/{name}"}, example))
    }
    assert found == {}


def test_an_example_that_is_not_valid_would_be_seen():
    project = {"$ref": "#/components/schemas/ProjectAnswer"}
    good = examples.OF_MODELS["ProjectAnswer"]
    assert faults(project, good) == []
    for bad in ({**good, "id": "one"}, {**good, "left_over": 1}, {**good, "created_at": "yesterday"}):
        assert faults(project, bad) != []


def test_every_body_that_is_sent_as_json_has_an_example():
    parts = app.openapi()["components"]["schemas"]
    bare = []
    for verbs in app.openapi()["paths"].values():
        for operation in verbs.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            schemas = body.get("schema", {}).get("anyOf", [body.get("schema", {})])
            named = [one["$ref"].rpartition("/")[2] for one in schemas if "$ref" in one]
            if body and "example" not in body and not any("examples" in parts[name] for name in named):
                bare.append(operation["operationId"])
    assert bare == []


def test_the_main_answers_have_examples():
    parts = app.openapi()["components"]["schemas"]
    assert [name for name in MAIN if "examples" not in parts[f"{name}Answer"]] == []
    shown = {name for name, told in media_types() if "example" in told}
    judged = (
        "assignments/{assignment_id}/judgment",
        "judgments/{judgment_id}/revise",
        "judgments/{judgment_id}/withdraw",
    )
    assert {f"post /api/v1/{path} 201" for path in judged} | {"post /api/v1/projects/{slug}/next 200"} <= shown


def test_a_turn_and_a_judgment_look_like_their_examples(ben: User):
    queued(ben)
    program = token_client(ben, "judge")
    turn = program.post("/api/v1/projects/words/next").json()
    assert turn.keys() == examples.OF_OPERATIONS["next_turn"].keys()
    path = f"/api/v1/assignments/{turn['assignment']}/judgment"
    judgment = program.post(path, json={"outcome": "tie"}, headers={"Idempotency-Key": "one"}).json()
    example = examples.OF_OPERATIONS["judge"]
    assert judgment.keys() == example.keys()
    assert judgment["judgment"].keys() == example["judgment"].keys()


def test_the_bodies_make_what_they_say(ada_api: TestClient):
    made = ada_api.post("/api/v1/projects", json=examples.OF_MODELS["NewProject"])
    assert made.status_code == 201, made.text
    assert made.json().keys() == examples.OF_MODELS["ProjectAnswer"].keys()
    sent = ada_api.post("/api/v1/projects/helpful/items", json=examples.IMPORTED)
    assert (sent.status_code, sent.json()["imported"]) == (200, 1), sent.text
    for path, name, status in (
        ("/people", "NewPerson", 201),
        ("/invitations", "NewAdminLink", 201),
        ("/projects/helpful/invitations", "NewInvitation", 201),
    ):
        answer = ada_api.post(f"/api/v1{path}", json=examples.OF_MODELS[name])
        assert answer.status_code == status, (path, answer.text)
    changed = ada_api.patch("/api/v1/projects/helpful", json=examples.OF_MODELS["ProjectChanges"])
    assert changed.status_code == 200, changed.text
