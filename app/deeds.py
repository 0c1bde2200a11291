"""What was done, in words: every action of the audit has its sentence here, whatever page or program asks. Pure.

Whoever reads sees beside a sentence who did it, and in the audit of the whole place what it was done to.
"""

from collections.abc import Callable, Mapping
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
    return Deed(audit.at, name or nobody, words(audit.action, audit.subject, audit.detail))


def words(action: str, subject: str, detail: Mapping[str, Any]) -> str:
    """The sentence of an action; one that an earlier version wrote and this one has no words for is shown by its name."""
    family = action.partition(".")[0]
    if family == "dataset":
        sentences = {"dataset.frozen": _("froze %(name)s", name=subject)}
    else:
        sentences = _FAMILIES[family](detail) if family in _FAMILIES else {}
    return sentences.get(action, action)


def _of_projects(detail: Mapping[str, Any]) -> dict[str, str]:
    return {
        "project.created": _("made the project"),
        "project.changed": _("changed: %(fields)s", fields=_changes(detail)),
    }


def _of_members(detail: Mapping[str, Any]) -> dict[str, str]:
    who, role = _who(detail), _role(detail)
    return {
        "member.added": _("added %(who)s as %(role)s", who=who, role=role),
        "member.role_changed": _("made %(who)s %(role)s", who=who, role=role),
        "member.removed": _("took %(who)s out", who=who),
    }


def _of_invitations(detail: Mapping[str, Any]) -> dict[str, str]:
    who, role = detail.get("for") or _("somebody"), _role(detail)
    return {
        "invitation.made": _("made a link for %(who)s, as %(role)s", who=who, role=role),
        "invitation.revoked": _("revoked the link for %(who)s", who=who),
        "invitation.accepted": _("came in by a link, as %(role)s", role=role),
    }


def _of_users(detail: Mapping[str, Any]) -> dict[str, str]:
    return {
        "user.added": _("made the account, as %(role)s", role=_role(detail)),
        "user.password_set": _("gave the account another password"),
        "user.password_changed": _("changed their own password"),
        "user.disabled": _("shut the account out"),
        "user.enabled": _("let the account in again"),
    }


def _of_tokens(detail: Mapping[str, Any]) -> dict[str, str]:
    scopes, projects = ", ".join(detail.get("scopes", ())), ", ".join(detail.get("projects", ()))
    return {
        "token.made": _("made a token with %(scopes)s, for %(projects)s alone", scopes=scopes, projects=projects)
        if projects
        else _("made a token with %(scopes)s", scopes=scopes),
        "token.revoked": _("revoked the token"),
    }


def _of_imports(detail: Mapping[str, Any]) -> dict[str, str]:
    return {
        "items.imported": _(
            "imported %(source)s; new items: %(items)s, judgments: %(judgments)s",
            source=detail.get("source", ""),
            items=detail.get("imported", 0),
            judgments=detail.get("judgments", 0),
        ),
        "items.freed": _(
            "freed items that were reserved for somebody who cannot judge them: %(n)s", n=detail.get("items")
        ),
    }


def _of_items(detail: Mapping[str, Any]) -> dict[str, str]:
    item, who = detail.get("item", ""), _who(detail)
    priority = detail.get("priority", 0)
    return {
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


def _of_runs(detail: Mapping[str, Any]) -> dict[str, str]:
    run, steps, epochs = {"run": detail.get("run")}, detail.get("steps"), detail.get("epochs")
    what = {name: detail.get(name) for name in ("method", "dataset", "base")}
    return {
        "run.ordered": _("ordered run %(run)s: %(method)s on %(dataset)s, from %(base)s", **what, **run),
        "run.priority": _("gave run %(run)s the priority %(priority)s", priority=detail.get("priority"), **run),
        "run.labelled": _("changed the tags or the note of run %(run)s", **run),
        "run.cancelled": _("cancelled run %(run)s", **run),
        "run.resumed": _("resumed run %(run)s", **run),
        "run.extended": _("extended run %(run)s; epochs: %(n)s", n=epochs, **run)
        if steps is None
        else _("extended run %(run)s; steps: %(n)s", n=steps, **run),
    }


def _of_checkpoints(detail: Mapping[str, Any]) -> dict[str, str]:
    alias, before, after = detail.get("alias"), detail.get("from"), detail.get("to")
    return {
        "checkpoint.published": _("published it with run %(run)s", run=detail.get("run")),
        "checkpoint.deleted": _("deleted v%(version)s", version=detail.get("version")),
        "checkpoint.alias_removed": _("took “%(alias)s” away from v%(version)s", alias=alias, version=before),
        "checkpoint.alias_moved": _("let “%(alias)s” stand for v%(version)s", alias=alias, version=after)
        if before is None
        else _("moved “%(alias)s” from v%(before)s to v%(after)s", alias=alias, before=before, after=after),
    }


def _of_publications(detail: Mapping[str, Any]) -> dict[str, str]:
    told = {name: detail.get(name) for name in ("version", "place", "server")}
    return {
        "publication.ordered": _("had v%(version)s sent to %(place)s (%(server)s)", **told),
        "publication.cancelled": _("cancelled the sending of v%(version)s to %(place)s (%(server)s)", **told),
        "publication.retried": _("had v%(version)s sent to %(place)s (%(server)s) once more", **told),
    }


_FAMILIES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "project": _of_projects,
    "member": _of_members,
    "invitation": _of_invitations,
    "user": _of_users,
    "token": _of_tokens,
    "items": _of_imports,
    "item": _of_items,
    "webhook": _of_webhooks,
    "run": _of_runs,
    "checkpoint": _of_checkpoints,
    "publication": _of_publications,
}


def _who(detail: Mapping[str, Any]) -> str:
    return str(detail.get("name") or detail.get("user") or "")


def _role(detail: Mapping[str, Any]) -> str:
    role = str(detail.get("role", ""))
    return {"annotator": _("annotator"), "manager": _("manager"), "admin": _("admin")}.get(role, role)


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
