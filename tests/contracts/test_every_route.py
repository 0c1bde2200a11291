"""Every route as every caller: who is let in, who is refused, and who is not even told that something is there.

A new route must be given its line in `ROUTES`; `access.py` has the table in words. One that makes something takes an
Idempotency-Key too: `test_every_creation.py`.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from app import db
from app.imports.service import ACTION as IMPORTED
from app.main import API, HUB, PAGES
from app.models import Audit, CheckpointAlias, Delivery, Invitation, Item, Membership, User, Webhook
from app.models.api_token import SCOPES
from app.storage import store_file
from tests import trained
from tests.conftest import account, client, signed_in, token_client
from tests.queued import queued

IN = None  # let in, whatever the route then makes of an empty form
CALLERS = ("stranger", "annotator", "other_manager", "manager", "admin")
# How a route is reached: what each of the callers gets, in their order.
REACH: dict[str, tuple[int | None, ...]] = {
    "everybody": (IN, IN, IN, IN, IN),
    "members": (404, IN, 404, IN, IN),
    "managers": (404, 403, 404, IN, IN),
    "who manages something": (403, 403, IN, IN, IN),
    "data": (403, 403, 404, IN, IN),
    "admins": (403, 403, 403, 403, IN),
    "models": (404, 404, 404, 404, IN),
    "sets": (404, 404, 404, IN, IN),
    "nobody": (404, 404, 404, 404, 403),  # writing to a repository
    "owner": (404, 404, 404, 404, 404),  # of a judgment, a turn, a token: nobody's here
}


@dataclass(frozen=True)
class Line:
    """One route: its path with everything filled in, who is let in, the scope a program needs, and a good body."""

    reach: str
    path: str
    scope: str = ""
    body: dict[str, Any] = field(default_factory=dict)


JUDGMENT = {"outcome": "tie"}
REPORT = {"source": "a file", "imported": 0, "duplicates": 0, "judgments": 0, "failed": 0, "errors": []}
PROGRAMS = {
    "GET /people": Line("admins", "/people", "admin"),
    "POST /people": Line("admins", "/people", "admin", {"email": "gil@example.org"}),
    "GET /people/{user_id}": Line("admins", "/people/{ben}", "admin"),
    "PATCH /people/{user_id}": Line("admins", "/people/{ben}", "admin", {"disabled": False}),
    "POST /people/{user_id}/password": Line("admins", "/people/{fay}/password", "admin"),
    "GET /invitations": Line("admins", "/invitations", "admin"),
    "POST /invitations": Line("admins", "/invitations", "admin"),
    "DELETE /invitations/{invitation_id}": Line("admins", "/invitations/{to_admins}", "admin"),
    "GET /audit": Line("admins", "/audit", "admin"),
    "GET /methods": Line("admins", "/methods", "read"),
    "GET /projects/{slug}/history": Line("managers", "/projects/words/history", "read"),
    "GET /projects/{slug}/progress": Line("managers", "/projects/words/progress", "read"),
    "GET /projects/{slug}/judgments": Line("members", "/projects/words/judgments", "read"),
    "GET /projects/{slug}/turns/{assignment_id}": Line("owner", "/projects/words/turns/9", "read"),
    "GET /projects/{slug}/practice/{judgment_id}": Line("owner", "/projects/words/practice/9", "read"),
    "GET /account": Line("everybody", "/account", "read"),
    "PUT /account/password": Line(
        "everybody", "/account/password", body={"current": "not-it", "password": "a-better-password"}
    ),
    "GET /tokens": Line("everybody", "/tokens", "read"),
    "DELETE /tokens/{token_id}": Line("owner", "/tokens/999"),
    "POST /projects": Line("admins", "/projects", "admin", {"slug": "new-one", "name": "New", "kind": "pair"}),
    "GET /projects": Line("everybody", "/projects", "read"),
    "GET /projects/{slug}": Line("members", "/projects/words", "read"),
    "PATCH /projects/{slug}": Line("data", "/projects/words", "admin"),
    "POST /projects/{slug}/reservations/free": Line("data", "/projects/words/reservations/free", "admin"),
    "GET /projects/{slug}/members": Line("managers", "/projects/words/members", "read"),
    "POST /projects/{slug}/members": Line("data", "/projects/words/members", "admin", {"email": "ada@example.org"}),
    "PATCH /projects/{slug}/members/{user_id}": Line(
        "data", "/projects/words/members/{ben}", "admin", {"role": "annotator"}
    ),
    "DELETE /projects/{slug}/members/{user_id}": Line("data", "/projects/words/members/{fay}", "admin"),
    "GET /projects/{slug}/invitations": Line("managers", "/projects/words/invitations", "read"),
    "POST /projects/{slug}/invitations": Line("data", "/projects/words/invitations", "admin"),
    "DELETE /projects/{slug}/invitations/{invitation_id}": Line(
        "data", "/projects/words/invitations/{invitation}", "admin"
    ),
    "POST /projects/{slug}/next": Line("members", "/projects/words/next", "judge"),
    "POST /assignments/{assignment_id}/judgment": Line("owner", "/assignments/9/judgment", "judge", JUDGMENT),
    "POST /assignments/{assignment_id}/release": Line("owner", "/assignments/9/release", "judge"),
    "POST /assignments/{assignment_id}/renew": Line("owner", "/assignments/9/renew", "judge"),
    "POST /judgments/{judgment_id}/revise": Line("owner", "/judgments/9/revise", "judge", JUDGMENT),
    "POST /judgments/{judgment_id}/withdraw": Line("owner", "/judgments/9/withdraw", "judge"),
    "GET /projects/{slug}/preferences": Line("data", "/projects/words/preferences", "export"),
    "POST /projects/{slug}/items": Line("data", "/projects/words/items", "import"),
    "GET /projects/{slug}/imports": Line("managers", "/projects/words/imports", "read"),
    "GET /projects/{slug}/imports/{import_id}": Line("managers", "/projects/words/imports/{imported}", "read"),
    "GET /projects/{slug}/items": Line("managers", "/projects/words/items", "read"),
    "GET /items/{item_id}": Line("managers", "/items/{item}", "read"),
    "PATCH /items/{item_id}": Line("data", "/items/{item}", "admin", {"set_aside": False}),
    "POST /projects/{slug}/datasets": Line("data", "/projects/words/datasets", "export", {"name": "some"}),
    "POST /projects/{slug}/datasets/preview": Line(
        "data", "/projects/words/datasets/preview", "export", {"name": "some"}
    ),
    "GET /datasets": Line("who manages something", "/datasets", "read"),
    "GET /datasets/{dataset_id}": Line("data", "/datasets/{dataset}", "read"),
    "GET /datasets/{dataset_id}/files/{path:path}": Line("data", "/datasets/{dataset}/files/train.jsonl", "read"),
    "HEAD /datasets/{dataset_id}/files/{path:path}": Line("data", "/datasets/{dataset}/files/train.jsonl", "read"),
    "POST /runs": Line("admins", "/runs", "train", {"method": "none", "dataset": 999}),
    "POST /runs/preflight": Line("admins", "/runs/preflight", "train", {"method": "none", "dataset": 999}),
    "POST /runs/sweep": Line(
        "admins", "/runs/sweep", "train", {"method": "none", "dataset": 999, "vary": {"seed": [1]}}
    ),
    "POST /runs/{run_id}/again": Line("admins", "/runs/{run}/again", "train", {"dataset": 999}),
    "POST /runs/{run_id}/priority": Line("admins", "/runs/{run}/priority", "train", {"priority": 1}),
    "GET /runs/preflight/{preflight_id}": Line("admins", "/runs/preflight/{preflight}", "read"),
    "GET /runs": Line("admins", "/runs", "read"),
    "GET /runs/{run_id}": Line("admins", "/runs/{run}", "read"),
    "PATCH /runs/{run_id}": Line("admins", "/runs/{run}", "train", {"note": "good"}),
    "GET /trainers": Line("admins", "/trainers", "read"),
    "GET /runs/compare": Line("admins", "/runs/compare?run=1", "read"),
    "GET /runs/{run_id}/samples": Line("admins", "/runs/{run}/samples", "read"),
    "GET /runs/{run_id}/log": Line("admins", "/runs/{run}/log", "read"),
    "HEAD /runs/{run_id}/log": Line("admins", "/runs/{run}/log", "read"),
    "GET /runs/{run_id}/metrics": Line("admins", "/runs/{run}/metrics", "read"),
    "POST /runs/{run_id}/cancel": Line("admins", "/runs/{run}/cancel", "train"),
    "POST /runs/{run_id}/resume": Line("admins", "/runs/{run}/resume", "train"),
    "POST /runs/{run_id}/extend": Line("admins", "/runs/{run}/extend", "train", {"steps": 1}),
    "GET /checkpoints": Line("admins", "/checkpoints", "read"),
    "GET /checkpoints/{checkpoint_id}": Line("admins", "/checkpoints/{checkpoint}", "read"),
    "GET /checkpoints/{checkpoint_id}/family": Line("admins", "/checkpoints/{checkpoint}/family", "read"),
    "DELETE /checkpoints/{checkpoint_id}": Line("admins", "/checkpoints/{checkpoint}", "train"),
    "GET /checkpoints/{checkpoint_id}/files/{path:path}": Line(
        "admins", "/checkpoints/{checkpoint}/files/model.safetensors", "read"
    ),
    "HEAD /checkpoints/{checkpoint_id}/files/{path:path}": Line(
        "admins", "/checkpoints/{checkpoint}/files/model.safetensors", "read"
    ),
    "POST /checkpoints/{checkpoint_id}/publications": Line(
        "admins", "/checkpoints/{checkpoint}/publications", "export", {"hub": {"repository": "a/b", "token": "t"}}
    ),
    "POST /datasets/{dataset_id}/publications": Line(
        "admins", "/datasets/{dataset}/publications", "export", {"hub": {"repository": "a/c", "token": "t"}}
    ),
    "GET /publications": Line("admins", "/publications", "read"),
    "GET /publications/{publication_id}": Line("admins", "/publications/{publication}", "read"),
    "POST /publications/{publication_id}/cancel": Line("admins", "/publications/{publication}/cancel", "export"),
    "POST /publications/{publication_id}/retry": Line(
        "admins", "/publications/{publication}/retry", "export", {"hub": {"token": "t"}}
    ),
    "GET /checkpoints/{name}/aliases": Line("admins", "/checkpoints/pairs-dpo/aliases", "read"),
    "PUT /checkpoints/{name}/aliases/{alias}": Line(
        "admins", "/checkpoints/pairs-dpo/aliases/production", "train", {"version": 1}
    ),
    "DELETE /checkpoints/{name}/aliases/{alias}": Line("admins", "/checkpoints/pairs-dpo/aliases/candidate", "train"),
    "GET /webhooks": Line("everybody", "/webhooks", "read"),
    "POST /webhooks": Line(
        "data", "/webhooks", "admin", {"url": "http://127.0.0.1/", "events": ["dataset.ready"], "project": "words"}
    ),
    "GET /webhooks/{webhook_id}": Line("sets", "/webhooks/{webhook}", "read"),
    "PATCH /webhooks/{webhook_id}": Line("data", "/webhooks/{webhook}", "admin", {"name": "another"}),
    "DELETE /webhooks/{webhook_id}": Line("data", "/webhooks/{other_webhook}", "admin"),
    "POST /webhooks/{webhook_id}/secret": Line("data", "/webhooks/{webhook}/secret", "admin"),
    "POST /webhooks/{webhook_id}/test": Line("data", "/webhooks/{webhook}/test", "admin"),
    "GET /webhooks/{webhook_id}/deliveries": Line("sets", "/webhooks/{webhook}/deliveries", "read"),
    "GET /webhooks/{webhook_id}/deliveries/{delivery_id}": Line(
        "sets", "/webhooks/{webhook}/deliveries/{delivery}", "read"
    ),
    "POST /webhooks/{webhook_id}/deliveries/send": Line("data", "/webhooks/{webhook}/deliveries/send", "admin"),
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/send": Line(
        "data", "/webhooks/{webhook}/deliveries/{delivery}/send", "admin"
    ),
}
OPEN_PAGES = {
    "GET /join/{secret}",
    "POST /join/{secret}",
    "GET /sign-in",
    "POST /sign-in",
    "POST /sign-out",
    "POST /language",
    "GET /",
}
BROWSERS = {
    "GET /people": Line("admins", "/people"),
    "POST /people": Line("admins", "/people"),
    "POST /people/members": Line("admins", "/people/members", body={"email": "ada@example.org", "project": "words"}),
    "GET /people/passwords": Line("admins", "/people/passwords"),
    "GET /people/invitations": Line("admins", "/people/invitations"),
    "POST /people/passwords": Line("admins", "/people/passwords", body={"email": "ben@example.org"}),
    "POST /people/invitations": Line("admins", "/people/invitations"),
    "POST /people/invitations/{invitation_id}/revoke": Line("admins", "/people/invitations/999/revoke"),
    "POST /people/enable": Line("admins", "/people/enable", body={"email": "ben@example.org"}),
    "POST /people/disable": Line("admins", "/people/disable", body={"email": "eric@example.org"}),
    "GET /audit": Line("admins", "/audit"),
    "GET /account": Line("everybody", "/account"),
    "POST /account/password": Line("everybody", "/account/password"),
    "GET /tokens": Line("everybody", "/tokens"),
    "POST /tokens": Line("everybody", "/tokens"),
    "POST /tokens/{token_id}/revoke": Line("owner", "/tokens/999/revoke"),
    "GET /projects": Line("everybody", "/projects"),
    "GET /projects/new": Line("admins", "/projects/new"),
    "POST /projects": Line("admins", "/projects"),
    "GET /projects/{slug}": Line("members", "/projects/words"),
    "POST /projects/preview": Line("who manages something", "/projects/preview"),
    "GET /projects/{slug}/settings": Line("managers", "/projects/words/settings"),
    "POST /projects/{slug}/settings": Line("managers", "/projects/words/settings"),
    "GET /projects/{slug}/live": Line("managers", "/projects/words/live"),
    "GET /projects/{slug}/people": Line("managers", "/projects/words/people"),
    "GET /projects/{slug}/history": Line("managers", "/projects/words/history"),
    "GET /projects/{slug}/invitations": Line("managers", "/projects/words/invitations"),
    "POST /projects/{slug}/invitations": Line("managers", "/projects/words/invitations"),
    "POST /projects/{slug}/invitations/{invitation_id}/revoke": Line(
        "managers", "/projects/words/invitations/999/revoke"
    ),
    "POST /projects/{slug}/members/{user_id}/role": Line(
        "managers", "/projects/words/members/{ben}/role", body={"role": "annotator"}
    ),
    "POST /projects/{slug}/members": Line("managers", "/projects/words/members"),
    "POST /projects/{slug}/members/{user_id}/remove": Line("managers", "/projects/words/members/{ben}/remove"),
    "POST /projects/{slug}/reservations/free": Line("managers", "/projects/words/reservations/free"),
    "GET /projects/{slug}/judge": Line("members", "/projects/words/judge"),
    "POST /projects/{slug}/turn": Line("members", "/projects/words/turn"),
    "POST /projects/{slug}/undo": Line("members", "/projects/words/undo"),
    "GET /projects/{slug}/items": Line("managers", "/projects/words/items"),
    "GET /projects/{slug}/items/{item_id}": Line("managers", "/projects/words/items/{item}"),
    "POST /projects/{slug}/items/{item_id}/change": Line("managers", "/projects/words/items/{item}/change"),
    "GET /projects/{slug}/mine": Line("members", "/projects/words/mine"),
    "GET /projects/{slug}/mine/{assignment_id}": Line("owner", "/projects/words/mine/9"),
    "GET /projects/{slug}/mine/{assignment_id}/change": Line("owner", "/projects/words/mine/9/change"),
    "POST /projects/{slug}/mine/{assignment_id}/change": Line("owner", "/projects/words/mine/9/change"),
    "POST /projects/{slug}/mine/{assignment_id}/withdraw": Line("owner", "/projects/words/mine/9/withdraw"),
    "GET /projects/{slug}/practice/{judgment_id}": Line("owner", "/projects/words/practice/9"),
    "POST /projects/{slug}/turns/{assignment_id}/renew": Line("owner", "/projects/words/turns/9/renew"),
    "GET /turns/{assignment_id}/difference": Line("owner", "/turns/9/difference"),
    "GET /projects/{slug}/import": Line("managers", "/projects/words/import"),
    "POST /projects/{slug}/import": Line("managers", "/projects/words/import"),
    "GET /projects/{slug}/imports/{import_id}": Line("managers", "/projects/words/imports/{imported}"),
    "GET /datasets": Line("who manages something", "/datasets"),
    "GET /datasets/new": Line("who manages something", "/datasets/new"),
    "GET /datasets/new/preview": Line("who manages something", "/datasets/new/preview?project=words"),
    "POST /datasets": Line("who manages something", "/datasets", body={"project": "words", "name": "some"}),
    "GET /datasets/{dataset_id}": Line("data", "/datasets/{dataset}"),
    "GET /runs": Line("admins", "/runs"),
    "GET /runs/new": Line("admins", "/runs/new"),
    "POST /runs/preflight": Line("admins", "/runs/preflight"),
    "GET /runs/preflight/{preflight_id}": Line("admins", "/runs/preflight/{preflight}"),
    "POST /runs/{run_id}/priority": Line("admins", "/runs/{run}/priority"),
    "GET /runs/new/launch_form": Line("admins", "/runs/new/launch_form"),
    "POST /runs": Line("admins", "/runs"),
    "GET /runs/{run_id}": Line("admins", "/runs/{run}"),
    "GET /runs/{run_id}/samples": Line("admins", "/runs/{run}/samples"),
    "GET /runs/{run_id}/progress": Line("admins", "/runs/{run}/progress"),
    "POST /runs/{run_id}/cancel": Line("admins", "/runs/{run}/cancel"),
    "POST /runs/{run_id}/labels": Line("admins", "/runs/{run}/labels"),
    "GET /trainers": Line("admins", "/trainers"),
    "GET /runs/compare": Line("admins", "/runs/compare?run=1"),
    "POST /runs/{run_id}/resume": Line("admins", "/runs/{run}/resume"),
    "POST /runs/{run_id}/extend": Line("admins", "/runs/{run}/extend"),
    "GET /checkpoints": Line("admins", "/checkpoints"),
    "GET /checkpoints/{checkpoint_id}": Line("admins", "/checkpoints/{checkpoint}"),
    "POST /checkpoints/{checkpoint_id}/aliases": Line("admins", "/checkpoints/{checkpoint}/aliases"),
    "POST /checkpoints/{checkpoint_id}/aliases/remove": Line("admins", "/checkpoints/{checkpoint}/aliases/remove"),
    "POST /checkpoints/{checkpoint_id}/delete": Line("admins", "/checkpoints/{checkpoint}/delete"),
    "GET /webhooks": Line("who manages something", "/webhooks"),
    "GET /webhooks/new": Line("who manages something", "/webhooks/new"),
    "POST /webhooks": Line("who manages something", "/webhooks", body={"project": "words"}),
    "GET /webhooks/{webhook_id}": Line("data", "/webhooks/{webhook}"),
    "GET /webhooks/{webhook_id}/deliveries": Line("data", "/webhooks/{webhook}/deliveries"),
    "GET /webhooks/{webhook_id}/change": Line("data", "/webhooks/{webhook}/change"),
    "POST /webhooks/{webhook_id}/change": Line("data", "/webhooks/{webhook}/change"),
    "POST /webhooks/{webhook_id}/state": Line("data", "/webhooks/{webhook}/state"),
    "GET /webhooks/{webhook_id}/secret": Line("data", "/webhooks/{webhook}/secret"),
    "POST /webhooks/{webhook_id}/secret": Line("data", "/webhooks/{webhook}/secret"),
    "POST /webhooks/{webhook_id}/test": Line("data", "/webhooks/{webhook}/test"),
    "POST /webhooks/{webhook_id}/delete": Line("data", "/webhooks/{other_webhook}/delete"),
    "POST /webhooks/{webhook_id}/deliveries/send": Line("data", "/webhooks/{webhook}/deliveries/send"),
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/send": Line(
        "data", "/webhooks/{webhook}/deliveries/{delivery}/send"
    ),
    "GET /checkpoints/{row_id}/publications": Line("admins", "/checkpoints/{checkpoint}/publications"),
    "POST /checkpoints/{row_id}/publications": Line("admins", "/checkpoints/{checkpoint}/publications"),
    "GET /datasets/{row_id}/publications": Line("admins", "/datasets/{dataset}/publications"),
    "POST /datasets/{row_id}/publications": Line("admins", "/datasets/{dataset}/publications"),
    "GET /publications/{publication_id}": Line("admins", "/publications/{publication}"),
    "POST /publications/{publication_id}/cancel": Line("admins", "/publications/{publication}/cancel"),
    "POST /publications/{publication_id}/retry": Line("admins", "/publications/{publication}/retry"),
}


_OF_KIND = "/api/{kind:kinds}/{namespace}/{name}"
_MODEL = "/api/models/tiebreak/pairs-dpo"
LIBRARIES = {
    "GET /api/whoami-v2": Line("everybody", "/api/whoami-v2"),
    "GET /api/{kind:kinds}": Line("everybody", "/api/models", "read"),
    "GET /api/{kind:kinds}/{name}": Line("owner", "/api/models/gpt2", "read"),
    f"GET {_OF_KIND}": Line("sets", "/api/datasets/tiebreak/words", "read"),
    f"GET {_OF_KIND}/revision/{{revision:path}}": Line("models", f"{_MODEL}/revision/v1", "read"),
    f"GET {_OF_KIND}/auth-check": Line("models", f"{_MODEL}/auth-check", "read"),
    f"GET {_OF_KIND}/auth-check/write": Line("nobody", f"{_MODEL}/auth-check/write", "read"),
    f"GET {_OF_KIND}/refs": Line("models", f"{_MODEL}/refs", "read"),
    f"GET {_OF_KIND}/commits/{{revision:path}}": Line("sets", "/api/datasets/tiebreak/words/commits/v1", "read"),
    f"GET {_OF_KIND}/tree/{{revision}}": Line("sets", "/api/datasets/tiebreak/words/tree/main", "read"),
    f"GET {_OF_KIND}/tree/{{revision}}/{{path:path}}": Line("models", f"{_MODEL}/tree/main/original", "read"),
    f"POST {_OF_KIND}/paths-info/{{revision:path}}": Line("models", f"{_MODEL}/paths-info/main", "read"),
    "GET /tiebreak/{name}": Line("models", "/tiebreak/pairs-dpo", "read"),
    "GET /datasets/tiebreak/{name}": Line("sets", "/datasets/tiebreak/words", "read"),
} | {
    f"{method} {path}": line
    for method in ("GET", "HEAD")
    for path, line in {
        "/datasets/{namespace}/{name}/resolve/{revision}/{path:path}": Line(
            "sets", "/datasets/tiebreak/words/resolve/main/train.jsonl", "read"
        ),
        "/{namespace}/{name}/resolve/{revision}/{path:path}": Line(
            "models", "/tiebreak/pairs-dpo/resolve/v1/config.json", "read"
        ),
    }.items()
}


@dataclass(frozen=True)
class Place:
    people: dict[str, User]
    numbers: dict[str, int]


@pytest.fixture
def place(ada: User, ben: User, cleo: User, tmp_path: Path) -> Place:
    """A project with somebody of every role, and something of each kind that has a number for a name."""
    dora, eric, fay = (account(name, "annotator") for name in ("dora", "eric", "fay"))
    words = queued(ben, dora, fay, items=2, wanted=9)
    queued(cleo, eric, slug="other", items=0)
    with db.work_unit() as session:
        session.execute(update(Membership).where(Membership.user_id.in_([dora.id, eric.id])).values(role="manager"))
        imported = Audit(user_id=ada.id, action=IMPORTED, subject="words", detail=REPORT)
        session.add(imported)
        dataset = trained.make_dataset(session, "words")
        dataset.project_id = words.id
        path = tmp_path / "train.jsonl"
        path.write_text("{}\n")
        dataset.files = [store_file(dataset.prefix, path.name, path).as_json()]
        run = trained.make_run(session, dataset, state="finished")
        checkpoint = trained.make_checkpoint(session, run)
        word = {"name": checkpoint.name, "alias": "candidate", "version": checkpoint.version}
        session.add(CheckpointAlias(**word, moved_by=ada.id))
        numbers = {"dataset": dataset.id, "run": run.id, "checkpoint": checkpoint.id, "ben": ben.id}
        numbers["publication"] = trained.make_publication(session, checkpoint).id
        numbers["preflight"] = trained.make_preflight(session, dataset).id
        session.flush()
        numbers["imported"] = imported.id
        numbers["fay"] = fay.id
        link = Invitation(token_hash=b"hash", role="annotator", project_id=words.id, invited_by=dora.id)
        link.expires_at = func.now() + timedelta(days=1)
        to_admins = Invitation(token_hash=b"another", role="admin", invited_by=ada.id, expires_at=link.expires_at)
        session.add_all([link, to_admins])
        session.flush()
        numbers["to_admins"] = to_admins.id
        numbers["invitation"] = link.id
        for name in ("webhook", "other_webhook"):
            hook = Webhook(project_id=words.id, url="http://127.0.0.1/", events=[], secret=b"", owner_id=ada.id)
            session.add(hook)
            session.flush()
            numbers[name] = hook.id
        delivery = Delivery(webhook_id=numbers["webhook"], event="webhook.test", data={"id": 1})
        session.add(delivery)
        session.flush()
        numbers["delivery"] = delivery.id
        numbers["item"] = session.scalars(select(func.min(Item.id)).where(Item.project_id == words.id)).one()
    people = {"stranger": cleo, "annotator": ben, "other_manager": eric, "manager": dora, "admin": ada}
    return Place(people, numbers)


def names(routers: tuple[Any, ...]) -> set[str]:
    return {f"{method} {route.path}" for router in routers for route in router.routes for method in route.methods}


def ask(caller: TestClient, name: str, line: Line, place: Place, prefix: str = "") -> Any:
    method = name.split(maxsplit=1)[0]
    path = prefix + line.path.format(**place.numbers)
    if method in {"GET", "HEAD"}:
        return caller.request(method, path)
    headers = {"Idempotency-Key": "one"}
    if prefix:
        return caller.request(method, path, json=line.body, headers=headers)
    return caller.request(method, path, data=line.body)


def refusals(caller: TestClient, lines: dict[str, Line], place: Place, prefix: str = "") -> dict[str, int | None]:
    """What each route answers, None for those that let the caller in; those that change something come last."""
    found: dict[str, int | None] = {}
    for name in sorted(lines, key=lambda name: (not name.startswith(("GET", "HEAD")), name.endswith("remove"))):
        status = ask(caller, name, lines[name], place, prefix).status_code
        assert status < 500, name
        found[name] = status if status in {401, 403, 404} and status != _of_nothing(name) else IN
    return found


OF_NOTHING = {"POST /runs", "POST /runs/preflight", "POST /runs/sweep", "POST /runs/{run_id}/again"}


def _of_nothing(name: str) -> int | None:
    """A route that lets in and then finds nothing: there is no such dataset to train on."""
    return 404 if name in OF_NOTHING else None


def expected(lines: dict[str, Line], caller: str) -> dict[str, int | None]:
    return {name: REACH[line.reach][CALLERS.index(caller)] for name, line in lines.items()}


def test_every_route_has_its_line():
    assert names(API) == set(PROGRAMS)
    assert names(PAGES) - OPEN_PAGES == set(BROWSERS)
    assert names(HUB) == set(LIBRARIES)


@pytest.mark.parametrize("caller", CALLERS)
def test_pages_let_in_whom_they_should(caller: str, place: Place):
    assert refusals(signed_in(place.people[caller]), BROWSERS, place) == expected(BROWSERS, caller)


@pytest.mark.parametrize("caller", CALLERS)
def test_programs_reach_as_far_as_the_role_of_their_user(caller: str, place: Place):
    program = token_client(place.people[caller], *SCOPES)
    assert refusals(program, PROGRAMS, place, "/api/v1") == expected(PROGRAMS, caller)


@pytest.mark.parametrize("caller", CALLERS)
def test_libraries_find_what_their_user_may_see(caller: str, place: Place):
    found = expected(LIBRARIES, caller)
    assert refusals(token_client(place.people[caller], "read"), LIBRARIES, place) == found
    assert refusals(signed_in(place.people[caller]), LIBRARIES, place) == found
    without = {name: line for name, line in LIBRARIES.items() if line.scope}
    other = token_client(place.people[caller], "judge")
    assert set(refusals(other, without, place).values()) == {403}
    assert {ask(client(), name, line, place).status_code for name, line in LIBRARIES.items()} == {401}


def test_a_token_without_the_scope_is_refused_by_every_route(place: Place):
    for scope in SCOPES:
        program = token_client(place.people["admin"], *(set(SCOPES) - {scope}))
        lines = {name: line for name, line in PROGRAMS.items() if line.scope == scope}
        assert set(refusals(program, lines, place, "/api/v1").values()) == {403}, scope


def test_who_is_not_signed_in_is_asked_to(place: Place):
    nobody = client()
    assert {ask(nobody, name, line, place, "/api/v1").status_code for name, line in PROGRAMS.items()} == {401}
    for name, line in BROWSERS.items():
        answer = ask(nobody, name, line, place)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), name


@pytest.mark.parametrize(("lines", "prefix", "status"), [(PROGRAMS, "/api/v1", 422), (BROWSERS, "", 404)])
def test_a_number_that_no_row_can_have_is_told_in_one_way(
    lines: dict[str, Line], prefix: str, status: int, place: Place
):
    admin = place.people["admin"]
    caller = token_client(admin, *SCOPES) if prefix else signed_in(admin)
    asked = 0
    for name in sorted(lines):
        path = name.partition(" ")[2]
        for part in re.findall(r"\{\w+_id\}", path) if name.startswith("GET") else ():
            known = {"slug": "pairs"} | {f"{kind}_id": number for kind, number in place.numbers.items()}
            filled = re.sub(
                r"\{(\w+)[^}]*\}", lambda one, known=known: str(known.get(one[1], 1)), path.replace(part, f"{2**63}")
            )
            answer = caller.get(prefix + filled)
            assert answer.status_code == status, (name, answer.text)
            assert not prefix or answer.json()["field"] == part.strip("{}"), (name, answer.text)
            asked += 1
    assert asked > 10


def test_a_form_that_names_the_project_of_others_freezes_nothing(place: Place):
    form = BROWSERS["POST /datasets"].body
    refused = signed_in(place.people["other_manager"]).post("/datasets", data=form)
    assert (refused.status_code, "no project “words” that you may see" in refused.text) == (422, True)
