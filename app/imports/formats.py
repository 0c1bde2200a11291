"""The shapes of a record that are recognised, and in words what is wrong with one that is not. Pure.

    {prompt, responses: [text or {text, model, score, tier, sampling}], id, annotator, metadata}
    {prompt, chosen, rejected, …}     prompt, chosen and rejected as text or as messages
    {chosen, rejected, …}             the prompt is the conversation that both begin with, as in HH-RLHF transcripts

`prompt` is text or a list of messages. `chosen` and `rejected` as messages may hold the whole conversation or the
response alone. Other keys on top of a record are kept in its metadata, so that a dataset can be split or filtered by
them. Tiers, as well as chosen and rejected, are a judgment already made; with `gold: true` they are the right answer
instead, with `training: true` one that is shown to people before real work. `priority` is a number, below 0 for urgent, and
`reserved_for` the e-mail address of the one person who is to judge the item.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from app.errors import BadRecord
from app.imports.metadata import read_metadata
from app.imports.placing import PLACING_KEYS, read_placing
from app.imports.transcripts import kind_of, messages, prompt_of_text, short, text, transcript
from app.language import gettext
from app.models.table import Json
from app.pages import number
from app.prompts.groups import GivenResponse, Group, Message, Placing

KNOWN = frozenset({"prompt", "responses", "chosen", "rejected", "id", "annotator", "metadata", *PLACING_KEYS})
RESPONSE_KEYS = ("text", "model", "score", "tier", "sampling")
LONGEST_NAME = 500
LARGEST_TIER = 1_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """A group, and what its annotator made of it: a tier for each response, or none at all."""

    group: Group
    tiers: tuple[int, ...] = ()
    annotator: str = ""
    placing: Placing = field(default_factory=Placing)
    reserved_for: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether its tiers are somebody's judgment and not the right answer."""
        return bool(self.tiers) and not self.placing.gold


def recognise(value: Any) -> Record:
    """A record in our words. Raises BadRecord, which says what is missing or wrong and what to do."""
    if not isinstance(value, dict):
        raise BadRecord(gettext("a record is an object {…}, this is %(kind)s", kind=kind_of(value)))
    given = {key: part for key, part in value.items() if part is not None}
    if "responses" in given:
        prompt, responses, tiers = _listed(given)
    elif "chosen" in given or "rejected" in given:
        prompt, responses, tiers = _chosen_and_rejected(given)
    else:
        raise BadRecord(
            gettext("there are no “responses”, and no “chosen” and “rejected” either; a record needs one of them")
        )
    _check_differ(responses)
    group = Group(prompt, responses, _name(given, "id"), read_metadata(given, KNOWN))
    record = Record(group, tiers, _name(given, "annotator") or "", reserved_for=_name(given, "reserved_for") or "")
    return replace(record, placing=read_placing(given, record.tiers, record.reserved_for))


def _listed(given: dict[str, Any]) -> tuple[list[Message], tuple[GivenResponse, ...], tuple[int, ...]]:
    prompt = _prompt(given)
    listed = given["responses"]
    if not isinstance(listed, list):
        raise BadRecord(gettext("%(name)s must be a list, this is %(kind)s", name="“responses”", kind=kind_of(listed)))
    if len(listed) < 2:
        raise BadRecord(gettext("“responses” has %(n)s; there is nothing to compare with fewer than 2", n=len(listed)))
    read = [_response(one, f"responses[{place}]") for place, one in enumerate(listed)]
    tiers = [tier for _, tier in read if tier is not None]
    if tiers and len(tiers) < len(read):
        raise BadRecord(gettext("some responses have a tier and some have none; give one to each, or to none of them"))
    return prompt, tuple(response for response, _ in read), tuple(tiers)


def _prompt(given: dict[str, Any]) -> list[Message]:
    """The record's own prompt."""
    prompt = given.get("prompt")
    if prompt is None:
        raise BadRecord(gettext("there is no “prompt”; every record needs one, as text or as a list of messages"))
    if isinstance(prompt, str):
        if not prompt.strip():
            raise BadRecord(gettext("the “prompt” is empty; every record needs one"))
        return prompt_of_text(text(prompt, "“prompt”"))
    if isinstance(prompt, list):
        return _checked(messages(prompt, "prompt"), "prompt")
    raise BadRecord(gettext("“prompt” must be text or a list of messages, this is %(kind)s", kind=kind_of(prompt)))


def _checked(prompt: list[Message], name: str) -> list[Message]:
    """The prompt, if it asks for a response of the assistant."""
    if not prompt or prompt[-1]["role"] not in {"user", "tool"}:
        raise BadRecord(
            gettext("%(name)s does not end with a message of the user, so there is nothing to respond to", name=name)
        )
    if any(not message["content"].strip() for message in prompt):
        raise BadRecord(gettext("%(name)s holds an empty message; fill it in or take it out", name=name))
    return prompt


def _response(value: Any, name: str) -> tuple[GivenResponse, int | None]:
    """A response and its tier, from text, {text, …} or a message of the assistant."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and "role" in value:
        (message,) = messages([value], name)
        if message["role"] != "assistant":
            raise BadRecord(
                gettext(
                    "%(name)s is a message of the %(role)s; a response is one of the assistant",
                    name=name,
                    role=message["role"],
                )
            )
        value = message["content"]
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict) or value.get("text") is None:
        raise BadRecord(
            gettext("%(name)s must be text or {“text”: …}, this is %(kind)s", name=name, kind=kind_of(value))
        )
    unknown = sorted(value.keys() - set(RESPONSE_KEYS))
    if unknown:
        raise BadRecord(
            gettext(
                "%(name)s has the unknown key %(key)s; known are %(keys)s",
                name=name,
                key=short(unknown[0]),
                keys=", ".join(RESPONSE_KEYS),
            )
        )
    words = text(value["text"], name)
    if not words.strip():
        raise BadRecord(gettext("%(name)s is empty; nobody can judge that, so take it out or fill it in", name=name))
    response = GivenResponse(words, _name(value, "model"), _score(value.get("score"), name), _sampling(value, name))
    return response, _tier(value.get("tier"), name)


def _sampling(value: dict[str, Any], name: str) -> Json | None:
    given = value.get("sampling")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise BadRecord(
            gettext("%(name)s must be an object, this is %(kind)s", name=f"{name}.sampling", kind=kind_of(given))
        )
    return read_metadata({"metadata": given}, KNOWN)


def _score(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(
            gettext("%(name)s must be a number, this is %(kind)s", name=f"{name}.score", kind=kind_of(value))
        )
    if not math.isfinite(value):
        raise BadRecord(
            gettext("%(name)s is %(value)s; give a finite number or leave it out", name=f"{name}.score", value=value)
        )
    return float(value)


def _tier(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_TIER:
        raise BadRecord(
            gettext(
                "%(name)s is %(value)s; a tier is a whole number, the smallest is the best",
                name=f"{name}.tier",
                value=short(value),
            )
        )
    return value


def _name(given: dict[str, Any], key: str) -> str | None:
    """An id, a model, an annotator: a short text; whole numbers are taken as text."""
    value = given.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRecord(
            gettext("“%(key)s” must be text or a whole number, this is %(kind)s", key=key, kind=kind_of(value))
        )
    words = text(str(value), f"“{key}”").strip()
    if len(words) > LONGEST_NAME:
        raise BadRecord(
            gettext(
                "%(name)s has %(n)s characters; %(most)s are allowed",
                name=f"“{key}”",
                n=number(len(words)),
                most=LONGEST_NAME,
            )
        )
    return words or None


def _check_differ(responses: tuple[GivenResponse, ...]) -> None:
    seen: dict[str, int] = {}
    for place, response in enumerate(responses, start=1):
        first = seen.setdefault(response.text.strip(), place)
        if first != place:
            raise BadRecord(
                gettext(
                    "responses %(first)s and %(second)s are identical; there is nothing to choose between them",
                    first=first,
                    second=place,
                )
            )


def _chosen_and_rejected(given: dict[str, Any]) -> tuple[list[Message], tuple[GivenResponse, ...], tuple[int, ...]]:
    for name in ("chosen", "rejected"):
        if name not in given:
            raise BadRecord(gettext("there is no “%(name)s”; chosen and rejected come together", name=name))
    prompt = _prompt(given) if "prompt" in given else None
    before, chosen = _parted(given["chosen"], "chosen", prompt)
    before_rejected, rejected = _parted(given["rejected"], "rejected", prompt)
    if before != before_rejected:
        raise BadRecord(
            gettext("the prompt differs between “chosen” and “rejected”; both must respond to the same conversation")
        )
    if before:
        prompt = _reconciled(prompt, _checked(before, gettext("the conversation before the response")))
    if prompt is None:
        raise BadRecord(
            gettext(
                "there is no “prompt”; without one, “chosen” and “rejected” must be conversations, as lists of messages or as transcripts (“%(shape)s”)",
                shape=r"\n\nHuman: …\n\nAssistant: …",
            )
        )
    return prompt, (chosen, rejected), (1, 2)


def _parted(value: Any, name: str, prompt: list[Message] | None) -> tuple[list[Message], GivenResponse]:
    """What stands before the response, and the response."""
    if isinstance(value, str):
        turns = transcript(text(value, f"“{name}”"))
        if turns and turns[-1]["role"] == "assistant" and (prompt is None or turns[:-1] == prompt):
            return turns[:-1], _response(turns[-1]["content"], f"“{name}”")[0]
    elif isinstance(value, list) and len(value) > 1:
        turns = messages(value, name)
        return turns[:-1], _response([turns[-1]], f"“{name}”")[0]
    return [], _response(value, f"“{name}”")[0]


def _reconciled(prompt: list[Message] | None, before: list[Message]) -> list[Message]:
    """The conversation, which holds what `prompt` says and maybe more. Raises BadRecord when they contradict."""
    if prompt is not None and prompt != before and not (len(prompt) == 1 and prompt[0] in before):
        raise BadRecord(
            gettext(
                "“prompt” is not in the conversation that “chosen” and “rejected” begin with; leave one of them out"
            )
        )
    return before
