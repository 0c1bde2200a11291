"""Everything a person can do in the browser, a program with the right scope can do: each form beside the routes that do the same.

A form at the address of a route of the API is its counterpart, with `/change` and `/state` those that PATCH and with `/delete` those
that DELETE. Any other new form must be given its line, with the routes of the API or with the reason for there being none.
"""

import re

from app.main import API, PAGES
from tests.contracts.test_every_route import names

SAME: dict[str, set[str]] = {
    "POST /people/members": {"POST /projects/{slug}/members"},
    "POST /people/passwords": {"POST /people/{user_id}/password"},
    "POST /people/invitations": {"POST /invitations"},
    "POST /people/invitations/{invitation_id}/revoke": {"DELETE /invitations/{invitation_id}"},
    "POST /people/enable": {"PATCH /people/{user_id}"},
    "POST /people/disable": {"PATCH /people/{user_id}"},
    "POST /tokens/{token_id}/revoke": {"DELETE /tokens/{token_id}"},
    "POST /projects/{slug}/settings": {"PATCH /projects/{slug}"},
    "POST /projects/{slug}/invitations/{invitation_id}/revoke": {"DELETE /projects/{slug}/invitations/{invitation_id}"},
    "POST /projects/{slug}/members/{user_id}/role": {"PATCH /projects/{slug}/members/{user_id}"},
    "POST /projects/{slug}/members/{user_id}/remove": {"DELETE /projects/{slug}/members/{user_id}"},
    "POST /projects/{slug}/turn": {
        "POST /projects/{slug}/next",
        "POST /assignments/{assignment_id}/judgment",
        "POST /assignments/{assignment_id}/release",
    },
    "POST /projects/{slug}/undo": {"POST /judgments/{judgment_id}/withdraw"},
    "POST /projects/{slug}/turns/{assignment_id}/renew": {"POST /assignments/{assignment_id}/renew"},
    "POST /projects/{slug}/mine/{assignment_id}/change": {"POST /judgments/{judgment_id}/revise"},
    "POST /projects/{slug}/mine/{assignment_id}/withdraw": {"POST /judgments/{judgment_id}/withdraw"},
    "POST /projects/{slug}/items/{item_id}/change": {"PATCH /items/{item_id}"},
    "POST /projects/{slug}/import": {"POST /projects/{slug}/items"},
    "POST /datasets": {"POST /projects/{slug}/datasets"},
    "POST /runs": {"POST /runs", "POST /runs/sweep"},
    "POST /runs/{run_id}/labels": {"PATCH /runs/{run_id}"},
    "POST /checkpoints/{checkpoint_id}/aliases": {"PUT /checkpoints/{name}/aliases/{alias}"},
    "POST /checkpoints/{checkpoint_id}/aliases/remove": {"DELETE /checkpoints/{name}/aliases/{alias}"},
    "POST /checkpoints/{checkpoint_id}/delete": {"DELETE /checkpoints/{checkpoint_id}"},
}
ALONE = {
    "POST /sign-in": "a password makes a browser's session; programs have tokens",
    "POST /sign-out": "a token is revoked instead",
    "POST /language": "the API speaks English",
    "POST /join/{secret}": "whoever comes in by a link is a person and chooses a password",
    "POST /account/password": "asks for the old password, which no program should hold",
    "POST /tokens": "whoever came by a token could make others that outlive its revocation",
    "POST /projects/preview": "draws guidelines that are still being typed",
}
# What pages tell whose forms change nothing.
TOLD = {
    "GET /people": "GET /people",
    "GET /audit": "GET /audit",
    "GET /tokens": "GET /tokens",
    "GET /projects": "GET /projects",
    "GET /projects/{slug}": "GET /projects/{slug}",
    "GET /projects/{slug}/live": "GET /projects/{slug}/progress",
    "GET /projects/{slug}/people": "GET /projects/{slug}/members",
    "GET /projects/{slug}/history": "GET /projects/{slug}/history",
    "GET /projects/{slug}/items": "GET /projects/{slug}/items",
    "GET /projects/{slug}/items/{item_id}": "GET /items/{item_id}",
    "GET /projects/{slug}/mine": "GET /projects/{slug}/judgments",
    "GET /projects/{slug}/mine/{assignment_id}": "GET /projects/{slug}/turns/{assignment_id}",
    "GET /projects/{slug}/practice/{judgment_id}": "GET /projects/{slug}/practice/{judgment_id}",
    "GET /datasets": "GET /datasets",
    "GET /datasets/new/preview": "POST /projects/{slug}/datasets/preview",
    "GET /datasets/{dataset_id}": "GET /datasets/{dataset_id}",
    "GET /runs": "GET /runs",
    "GET /runs/new": "GET /methods",
    "GET /runs/{run_id}": "GET /runs/{run_id}",
    "GET /runs/{run_id}/progress": "GET /runs/{run_id}/metrics",
    "GET /runs/compare": "GET /runs/compare",
    "GET /runs/preflight/{preflight_id}": "GET /runs/preflight/{preflight_id}",
    "GET /trainers": "GET /trainers",
    "GET /checkpoints": "GET /checkpoints",
    "GET /checkpoints/{checkpoint_id}": "GET /checkpoints/{checkpoint_id}",
}


VERBS = {"/change": "PATCH", "/state": "PATCH", "/delete": "DELETE"}


def shape(name: str) -> str:
    """A route without the names of what its address holds."""
    return re.sub(r"\{[^}]*\}", "{}", name)


def has_its_counterpart(form: str) -> bool:
    there = {shape(name) for name in names(API)}
    path = form.removeprefix("POST ")
    others = {f"{verb} {path.removesuffix(end)}" for end, verb in VERBS.items() if path.endswith(end)}
    return bool({shape(name) for name in {form} | others} & there)


def test_every_form_has_its_routes_or_a_reason():
    forms = {name for name in names(PAGES) if not name.startswith("GET")}
    told = set(SAME) | set(ALONE)
    assert told <= forms
    assert not set(SAME) & set(ALONE)
    assert {form for form in forms - told if not has_its_counterpart(form)} == set()


def test_the_routes_named_here_are_there():
    assert set().union(*SAME.values()) | set(TOLD.values()) <= names(API)
    assert set(TOLD) <= names(PAGES)
