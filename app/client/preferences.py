"""Preferences as records: as they come out of a project now, or out of a dataset as they were frozen.

The two streams are cut in different ways. What a project holds moves: a stream of it that broke off cannot be gone on with,
since whoever changed their mind in between would be in it twice. It ends with a line that says so; without that line a
`CutStreamError` is raised, and one begins again. A frozen file is the same for ever, so reading it goes on where it broke.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from .connection import Connection
from .errors import CutStreamError, UnexpectedAnswerError
from .reading import Message, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One tuple (x, a⁺, a⁻): to `prompt`, `chosen` was preferred to `rejected`; all three are messages.

    `group` is the item that was judged, so that the tuples of one ranking can be kept together; `annotator` a pseudonym,
    None where a row stands for several people. `weight` and `margin` are what training makes of it. The last four are
    known of a project's preferences and not of a dataset's.
    """

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    margin: float | None
    group: int
    judgment: int
    annotator: str | None
    judge_kind: str
    chosen_model: str | None
    rejected_model: str | None
    metadata: dict[str, Any]
    weight: float = 1.0
    counted: bool = True
    chosen_id: str | None = None
    rejected_id: str | None = None
    judged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A row of a dataset: a prompt with its responses and what was said of them, ties and “all bad” too.

    `tiers`, `models` and `scores` are aligned with `responses`; tier 1 is best, None was not judged.
    """

    group: int
    judgment: int
    prompt: list[Message]
    responses: list[str]
    tiers: list[int | None]
    outcome: str
    margin: float | None
    weight: float
    judge_kind: str
    models: list[str | None]
    scores: list[float | None]
    metadata: dict[str, Any] = field(default_factory=dict)
    judgments: int = 1
    agreement: float = 1.0
    annotator: str | None = None

    def preferences(self) -> Iterator[Preference]:
        """Every response in a better tier against every response in a worse one."""
        judged = sorted((tier, place) for place, tier in enumerate(self.tiers) if tier is not None)
        for at, (tier, better) in enumerate(judged):
            for other, worse in judged[at + 1 :]:
                if tier < other:
                    yield self._preference(better, worse)

    def _preference(self, better: int, worse: int) -> Preference:
        return Preference(
            prompt=self.prompt,
            chosen=_said(self.responses[better]),
            rejected=_said(self.responses[worse]),
            margin=self.margin,
            group=self.group,
            judgment=self.judgment,
            annotator=self.annotator,
            judge_kind=self.judge_kind,
            chosen_model=self.models[better],
            rejected_model=self.models[worse],
            metadata=self.metadata,
            weight=self.weight,
        )


def of_project(connection: Connection, slug: str) -> Iterator[Preference]:
    """Raises CutStreamError where the stream broke off."""
    n_read = 0
    cut: httpx.TransportError | None = None
    with connection.stream(f"projects/{quote(slug, safe='')}/preferences") as answer:
        try:
            for told in records(answer.iter_bytes()):
                if told.get("end") is True and "prompt" not in told:
                    if told.get("tuples") != n_read:
                        raise UnexpectedAnswerError(f"{n_read:,} preferences came, of {told.get('tuples')}")
                    return
                n_read += 1
                yield read(Preference, told)
        except httpx.TransportError as lost:
            cut = lost
    words = f"the stream broke off after {n_read:,} preferences; there are more, so begin again"
    raise CutStreamError(words, n_read=n_read) from cut


def groups(chunks: Iterable[bytes]) -> Iterator[Group]:
    """The rows of a dataset's file, in which what a record said of itself is text."""
    for told in records(chunks):
        yield read(Group, {**told, "metadata": json.loads(told.get("metadata") or "{}")})


def records(chunks: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """Every whole line as JSON. A last line without its end is what a cut leaves over, and no record."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
        for line in lines:
            yield json.loads(line)


def _said(text: str) -> list[Message]:
    return [Message(role="assistant", content=text)]
