"""The examples in the API's description: one story, from a project about helpful answers to the model that learnt from it.

Each is kept under the name of the model that it is an example of, or, where a route answers without one, of the operation. Tests
hold all of them against their schemas.
"""

from typing import Any

_AT = "2026-03-02T09:15:00Z"
_LATER = "2026-03-02T09:45:00Z"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_GOOD, _POOR = "0b6f3a52-5a0e-4a53-9f0e-6f1c2a4f9f11", "7d1c9a70-3f0b-4c5e-8a57-2b9a64f2c802"
_PROMPT = [{"role": "user", "content": "How do I keep bread fresh?"}]
_WORDS = {_GOOD: "Wrap it in cloth and keep it at room temperature.", _POOR: "Bread does not stay fresh."}
_TIERS = {_GOOD: 1, _POOR: 2}
_BETTER = {"outcome": "ranked", "tiers": _TIERS, "strength": 2, "comment": "The other one gives up."}
_SETTINGS = {"max_steps": 200, "learning_rate": 0.00005, "seed": 1}
_FILES = [{"path": "train.jsonl", "size": 18304, "sha256": _SHA256}]
_EMAIL = "ben@example.org"

_FORM = {
    "guidelines": "Prefer the answer that helps more.",
    "judgments_per_item": 3,
    "lease_minutes": 30,
    "outcomes": ["ranked", "tie", "all_bad", "skip"],
    "asks_strength": True,
    "dimensions": ["honest"],
    "comments": "optional",
    "comment_min_length": 0,
    "item_order": "random",
    "gold_share": 0.05,
    "repeat_share": 0.0,
}
_PROJECT = {"slug": "helpful", "name": "Helpful answers", "kind": "pair"}
_PERSON = {
    "id": 2,
    "email": _EMAIL,
    "name": "Ben",
    "role": "annotator",
    "disabled": False,
    "created_at": _AT,
    "projects": [{"project": "helpful", "role": "annotator"}],
}
_LINK = {"id": 4, "note": "for Dora", "invited_by": "Ada", "created_at": _AT, "expires_at": "2026-03-09T09:15:00Z"}
_OPENS = {"link": "https://tiebreak.example.org/join/tbi_…"}
_ITEM = {
    "id": 7,
    "external_id": "bread-1",
    "prompt": _PROMPT,
    "wanted": 3,
    "open": 2,
    "counted": 1,
    "priority": 0.0,
    "set_aside": False,
    "reserved_for": None,
    "gold": None,
    "training": False,
    "repeat_of": None,
}
_IMPORT = {
    "id": 21,
    "at": _AT,
    "by": "Ada",
    "source": "kitchen.jsonl",
    "imported": 399,
    "duplicates": 1,
    "judgments": 0,
    "failed": 1,
}
_SAID = _BETTER | {"skip_reason": "", "revision": 1, "withdrawn": False, "created_at": _AT}
_JUDGMENT = _SAID | {
    "id": 31,
    "judge": _EMAIL,
    "judge_kind": "human",
    "reason": "",
    "dimensions": {"honest": _TIERS},
    "shown": [_POOR, _GOOD],
    "current": True,
    "counted": True,
}
_TURN = {
    "assignment": 12,
    "item": 7,
    "prompt": _PROMPT,
    "responses": [{"id": key, "text": words} for key, words in _WORDS.items()],
    "expires_at": _LATER,
    "training": False,
}
_ORDER = {"method": "dpo", "dataset": "helpful@v1", "base_model": "starter", "settings": _SETTINGS}
_RUN = {
    "id": 5,
    "method": "dpo",
    "state": "running",
    "priority": 0,
    "stage": "training",
    "dataset": 3,
    "dataset_name": "helpful@v1",
    "dataset_sha256": _SHA256,
    "base_model": "starter",
    "checkpoint_name": "helpful-dpo",
    "checkpoint": None,
    "settings": _SETTINGS,
    "tags": ["first try"],
    "note": "",
    "step": 80,
    "total_steps": 200,
    "seconds_left": 95.0,
    "attempt": 1,
    "results": {},
    "facts": {},
    "error": None,
    "created_at": _AT,
    "started_at": _AT,
    "finished_at": None,
    "cancel_requested_at": None,
    "waits": None,
    "diagnosis": None,
    "mirrors": None,
}
_NEW_HOOK = {
    "url": "https://hooks.example.org/tiebreak",
    "events": ["judgments.reached", "dataset.ready"],
    "project": "helpful",
    "name": "nightly training",
    "judgment_counts": [1000],
    "judgments_every": None,
}
_HOOK = _NEW_HOOK | {
    "id": 2,
    "state": "active",
    "off": "",
    "failing_since": None,
    "old_secret_until": None,
    "owner": "Ada",
    "created_at": _AT,
    "waiting": 0,
    "given_up": 0,
}

OF_MODELS: dict[str, dict[str, Any]] = {
    "NewPerson": {"email": _EMAIL, "name": "Ben", "role": "annotator", "project": "helpful"},
    "PersonChanges": {"disabled": True},
    "NewPassword": {"password": None},
    "PersonAnswer": _PERSON,
    "PersonWithPassword": _PERSON | {"password": "told-this-once"},
    "NewAdminLink": {"days": 7, "note": "for Dora"},
    "AdminLinkAnswer": _LINK,
    "MadeAdminLink": _LINK | _OPENS,
    "TokenAnswer": {
        "id": 9,
        "name": "nightly training",
        "scopes": ["export", "read"],
        "projects": ["helpful"],
        "created_at": _AT,
        "expires_at": "2027-03-02T09:15:00Z",
        "last_used_at": _LATER,
        "rate_limit": 6000,
        "is_this": True,
    },
    "AccountAnswer": {
        "id": 2,
        "email": _EMAIL,
        "name": "Ben",
        "role": "annotator",
        "scopes": ["judge", "read"],
        "projects": [{"project": "helpful", "name": "Helpful answers", "role": "annotator"}],
    },
    "PasswordChange": {"current": "the-old-password", "password": "a-better-password"},
    "NewProject": _PROJECT | {"judgments_per_item": 3, "asks_strength": True},
    "ProjectChanges": {"guidelines": "Prefer the answer that helps more.", "lease_minutes": 30},
    "ProjectAnswer": {"id": 1}
    | _PROJECT
    | _FORM
    | {"created_at": _AT}
    | {"counts": {"items": 400, "open": 380, "wanted": 1200, "counted": 60, "judgments": 61, "tuples": 55}},
    "NewMember": {"email": _EMAIL, "role": "annotator"},
    "ChangedRole": {"role": "manager"},
    "MemberAnswer": {
        "user": 2,
        "email": _EMAIL,
        "name": "Ben",
        "role": "annotator",
        "since": _AT,
        "disabled": False,
    },
    "NewInvitation": {"role": "annotator", "days": 7, "note": "for Dora"},
    "InvitationAnswer": _LINK | {"role": "annotator"},
    "MadeInvitation": _LINK | {"role": "annotator"} | _OPENS,
    "ImportAnswer": {
        "imported": 399,
        "duplicates": 1,
        "judgments": 0,
        "failed": 1,
        "errors": [{"line": 17, "message": "“prompt” is missing"}],
    },
    "PastImport": _IMPORT,
    "PastImportWithErrors": _IMPORT | {"errors": [{"line": 17, "message": "“prompt” is missing"}]},
    "ItemAnswer": _ITEM,
    "ItemChanges": {"priority": -1.0, "gold": {"outcome": "ranked", "tiers": _TIERS}},
    "WholeItemAnswer": _ITEM
    | {"metadata": {"source": "kitchen"}, "open_turns": 0, "judgments": [_JUDGMENT]}
    | {"responses": [{"id": key, "text": words, "model": "m1", "score": None} for key, words in _WORDS.items()]},
    "JudgmentOrder": _BETTER | {"dimensions": {"honest": _TIERS}, "duration_ms": 8200},
    "JudgmentAnswer": _JUDGMENT,
    "OwnJudgment": {key: _SAID[key] for key in _SAID if key != "revision"}
    | {"id": 31, "assignment": 12, "prompt": _PROMPT, "shown": [_POOR, _GOOD]},
    "OwnTurn": {
        "assignment": 12,
        "training": False,
        "prompt": _PROMPT,
        "responses": _TURN["responses"],
        "revisions": [_SAID | {"id": 31, "current": True}],
    },
    "Renewed": {"expires_at": _LATER},
    "Order": {
        "name": "helpful",
        "filters": {"outcomes": ["ranked", "tie"], "min_judgments": 2},
        "split": {"by": "prompt", "test": 0.1, "seed": 0},
        "combine": "majority",
    },
    "DatasetAnswer": {
        "id": 3,
        "name": "helpful",
        "version": 1,
        "project": "helpful",
        "filters": {"outcomes": ["ranked", "tie"], "min_judgments": 2},
        "split": {"by": "prompt", "test": 0.1, "seed": 0},
        "settings": {"combine": "majority"},
        "counts": {"train": {"prompts": 360, "groups": 360, "tuples": 341}},
        "summary": {},
        "sha256": _SHA256,
        "files": _FILES,
        "created_at": _AT,
    },
    "PlannedRun": _ORDER,
    "RunOrder": _ORDER | {"name": "helpful-dpo"},
    "SweepOrder": _ORDER | {"vary": {"learning_rate": [0.00001, 0.00005]}},
    "RunChanges": {"settings": {"seed": 2}, "name": "helpful-dpo-2"},
    "NewPriority": {"priority": 5},
    "Labels": {"tags": ["first try"], "note": "with the starter model"},
    "Extension": {"steps": 100},
    "RunAnswer": _RUN,
    "CheckpointAnswer": {
        "id": 6,
        "name": "helpful-dpo",
        "version": 1,
        "kind": "policy",
        "method": "dpo",
        "run": 5,
        "dataset": 3,
        "project": "helpful",
        "base_model": "starter",
        "metrics": {"before": {"accuracy": 0.5}, "after": {"accuracy": 0.8}},
        "sha256": _SHA256,
        "files": [{"path": "model.safetensors", "size": 40000, "sha256": _SHA256}],
        "aliases": ["production"],
        "created_at": _LATER,
        "deleted_at": None,
    },
    "FamilyAnswer": {
        "dataset": {"id": 3, "name": "helpful", "version": 1},
        "run": 5,
        "bases": [{"id": 1, "name": "starter", "version": 1}],
        "descendants": [
            {"run": 8, "role": "started_from", "checkpoint": {"id": 9, "name": "helpful-dpo-2", "version": 1}},
            {"run": 9, "role": "reference", "checkpoint": None},
        ],
        "written": [
            {"project": "helpful", "responses": 200, "datasets": [{"id": 4, "name": "helpful", "version": 2}]},
        ],
    },
    "Move": {"version": 1},
    "AliasAnswer": {"name": "helpful-dpo", "alias": "production", "version": 1, "moved_at": _LATER},
    "NewWebhook": _NEW_HOOK,
    "ChangedWebhook": {"state": "paused"},
    "WebhookAnswer": _HOOK,
    "MadeWebhook": _HOOK | {"secret": "whsec_…"},
    "NewSecret": {"old_hours": 24},
    "SecretAnswer": {"secret": "whsec_…"},
}
_TOLD = _SAID | {
    "id": 31,
    "assignment": 12,
    "item": 7,
    "dimensions": {"honest": _TIERS},
    "duration_ms": 8200,
    "counted": True,
}
OF_OPERATIONS: dict[str, dict[str, Any]] = {
    "next_turn": _TURN,
    "judge": {"judgment": _TOLD},
    "revise_judgment": {"judgment": _TOLD | {"revision": 2}},
    "withdraw_judgment": {"judgment": _TOLD | {"withdrawn": True}},
}
IMPORTED = [{"id": "bread-1", "prompt": _PROMPT[0]["content"], "responses": list(_WORDS.values())}]
