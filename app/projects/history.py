"""What was done to a project, in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.language import gettext as _
from app.models import Audit


@dataclass(frozen=True, slots=True)
class Deed:
    at: datetime
    who: str
    words: str


def told(audit: Audit, name: str | None) -> Deed:
    return Deed(audit.at, name or _("the command line"), _words(audit.action, audit.subject, audit.detail))


def _words(action: str, subject: str, detail: Mapping[str, Any]) -> str:
    """An action that has no words yet is shown by its name."""
    who = str(detail.get("name") or detail.get("user") or "")
    role = _role(str(detail.get("role", "")))
    sentences = {
        "project.created": _("made the project"),
        "project.changed": _("changed: %(fields)s", fields=_changes(detail)),
        "member.added": _("added %(who)s as %(role)s", who=who, role=role),
        "member.role_changed": _("made %(who)s %(role)s", who=who, role=role),
        "member.removed": _("took %(who)s out", who=who),
        "invitation.made": _("made a link for %(who)s, as %(role)s", who=detail.get("for") or _("somebody"), role=role),
        "invitation.revoked": _("revoked the link for %(who)s", who=detail.get("for") or _("somebody")),
        "invitation.accepted": _("came in by a link, as %(role)s", role=role),
        "items.imported": _(
            "imported %(source)s; new items: %(items)s, judgments: %(judgments)s",
            source=detail.get("source", ""),
            items=detail.get("imported", 0),
            judgments=detail.get("judgments", 0),
        ),
        "dataset.frozen": _("froze %(name)s", name=subject),
    }
    return sentences.get(action, action)


def _role(role: str) -> str:
    return {"annotator": _("annotator"), "manager": _("manager")}.get(role, role)


def _changes(detail: Mapping[str, Any]) -> str:
    """The fields by their names in the API, with both values where they are short: judgments_per_item 1 → 3."""
    values: Mapping[str, Any] = detail.get("values", {})
    return ", ".join(_change(field, values.get(field)) for field in detail.get("changed", ()))


def _change(field: str, values: list[Any] | None) -> str:
    return f"{field} {_short(values[0])} → {_short(values[1])}" if values else field


def _short(value: Any) -> str:
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return words if len(words) <= 60 else words[:60] + "…"
