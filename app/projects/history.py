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
    nobody = _("by itself") if audit.action == "webhook.switched_off" else _("the command line")
    return Deed(audit.at, name or nobody, _words(audit.action, audit.subject, audit.detail))


def _words(action: str, subject: str, detail: Mapping[str, Any]) -> str:
    """An action that has no words yet is shown by its name."""
    who = str(detail.get("name") or detail.get("user") or "")
    role = _role(str(detail.get("role", "")))
    sentences = (
        _of_items(detail, who)
        | _of_webhooks(detail)
        | {
            "project.created": _("made the project"),
            "project.changed": _("changed: %(fields)s", fields=_changes(detail)),
            "member.added": _("added %(who)s as %(role)s", who=who, role=role),
            "member.role_changed": _("made %(who)s %(role)s", who=who, role=role),
            "member.removed": _("took %(who)s out", who=who),
            "invitation.made": _(
                "made a link for %(who)s, as %(role)s", who=detail.get("for") or _("somebody"), role=role
            ),
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
    )
    return sentences.get(action, action)


def _of_items(detail: Mapping[str, Any], who: str) -> dict[str, str]:
    """What was done to one item, or to several."""
    item = detail.get("item", "")
    priority = detail.get("priority", 0)
    return {
        "items.freed": _(
            "freed items that were reserved for somebody who cannot judge them: %(n)s", n=detail.get("items")
        ),
        "item.set_aside": _("set item %(item)s aside", item=item),
        "item.opened_again": _("opened item %(item)s again", item=item),
        "item.priority_set": _("made item %(item)s urgent", item=item)
        if priority < 0
        else _("gave item %(item)s its turn among the others", item=item),
        "item.reserved": _("reserved item %(item)s for %(who)s", item=item, who=who),
        "item.unreserved": _("gave item %(item)s to everybody", item=item),
        "item.made_gold": _("made item %(item)s training with a known answer", item=item)
        if detail.get("training")
        else _("made item %(item)s a hidden check with a known answer", item=item),
        "item.made_ordinary": _("made item %(item)s ordinary", item=item),
    }


def _of_webhooks(detail: Mapping[str, Any]) -> dict[str, str]:
    told = {"id": detail.get("webhook"), "server": detail.get("server", "")}
    return {
        "webhook.made": _("made webhook %(id)s, which tells %(server)s", **told),
        "webhook.changed": _("changed webhook %(id)s, which tells %(server)s", **told),
        "webhook.paused": _("paused webhook %(id)s", **told),
        "webhook.activated": _("activated webhook %(id)s", **told),
        "webhook.switched_off": _("webhook %(id)s was switched off", **told),
        "webhook.secret_rotated": _("gave webhook %(id)s a new secret", **told),
        "webhook.tested": _("sent a test to webhook %(id)s", **told),
        "webhook.sent_again": _("had webhook %(id)s send again: %(n)s", n=detail.get("deliveries"), **told),
        "webhook.deleted": _("deleted webhook %(id)s, which told %(server)s", **told),
    }


def _role(role: str) -> str:
    return {"annotator": _("annotator"), "manager": _("manager")}.get(role, role)


def _changes(detail: Mapping[str, Any]) -> str:
    """The settings as their form names them, with both values where they are short: Judgments per item: 1 → 3."""
    values: Mapping[str, Any] = detail.get("values", {})
    return "; ".join(_change(field, values.get(field)) for field in detail.get("changed", ()))


def _change(field: str, values: list[Any] | None) -> str:
    words = _settings().get(field, field)
    return f"{words}: {_short(field, values[0])} → {_short(field, values[1])}" if values else words


def _short(field: str, value: Any) -> str:
    several = value if isinstance(value, list) else [value]
    words = ", ".join(_value(field, one) for one in several) or "–"
    return words if len(words) <= 60 else words[:60] + "…"


def _value(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if field in {"gold_share", "repeat_share"}:
        return f"{100 * value:g}"  # the form asks in percent
    choices = {
        "comments": {"off": _("not taken"), "optional": _("may be written"), "required": _("must be written")},
        "item_order": {"random": _("random"), "imported": _("as imported"), "priority": _("by priority")},
        "outcomes": {"ranked": _("ranked"), "tie": _("equally good"), "all_bad": _("all bad"), "skip": _("skipped")},
    }
    return choices.get(field, {}).get(value, str(value))


def _settings() -> dict[str, str]:
    return {
        "name": _("Name"),
        "guidelines": _("Guidelines"),
        "judgments_per_item": _("Judgments per item"),
        "outcomes": _("Answers besides the choice"),
        "asks_strength": _("How much better"),
        "dimensions": _("Dimensions"),
        "comments": _("Comments"),
        "comment_min_length": _("Least length of a comment that must be written"),
        "lease_minutes": _("Minutes until an item is given to somebody else"),
        "item_order": _("Order in which items are handed out"),
        "gold_share": _("Turns spent on items with a known answer, in percent"),
        "repeat_share": _("Turns spent on items that the same person has judged before, in percent"),
    }
