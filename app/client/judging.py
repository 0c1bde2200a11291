"""Turns: what a program that judges is given, and what it says about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .connection import Connection
from .errors import TiebreakError
from .reading import Message, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One item to judge: a prompt and its responses, yours until `expires_at`. Which model wrote what is not told."""

    assignment: int
    item: int
    prompt: list[Message]
    responses: tuple[Response, ...]
    expires_at: datetime
    training: bool = False
    _connection: Connection = field(repr=False, compare=False)

    def judge(
        self,
        tiers: Sequence[int] = (),
        *,
        outcome: str = "",
        strength: int | None = None,
        comment: str = "",
        dimensions: Mapping[str, Sequence[int]] | None = None,
        skip_reason: str = "",
    ) -> int:
        """Say in which tier each response is, in their order, 1 for the best: `[2, 1]` prefers the second. Returns the judgment's id.

        Tiers that are all the same are a tie. `outcome` says what has no tiers: `tie`, `all_bad` or `skip`. `strength` is 1
        (slightly better) to 3 (much better), for a pair. `dimensions` has tiers for the project's dimensions by name.
        """
        said: dict[str, Any] = {"outcome": outcome or _outcome(tiers)}
        said |= {"tiers": self._by_id(tiers)} if tiers else {}
        said |= {"strength": strength} if strength is not None else {}
        said |= {"comment": comment} if comment else {}
        said |= {"skip_reason": skip_reason} if skip_reason else {}
        if dimensions:
            said["dimensions"] = {name: self._by_id(of_one) for name, of_one in dimensions.items()}
        stored = self._connection.post(f"assignments/{self.assignment}/judgment", said)
        return int(stored["judgment"]["id"])

    def renew(self) -> datetime:
        """Keep it for longer; returns until when."""
        return datetime.fromisoformat(self._connection.post(f"assignments/{self.assignment}/renew")["expires_at"])

    def release(self) -> None:
        """Give it back, for somebody else to take."""
        self._connection.post(f"assignments/{self.assignment}/release")

    def _by_id(self, tiers: Sequence[int]) -> dict[str, int]:
        if len(tiers) != len(self.responses):
            raise ValueError(f"there are {len(self.responses)} responses and {len(tiers)} tiers; give one for each")
        return {response.id: tier for response, tier in zip(self.responses, tiers, strict=True)}


def _outcome(tiers: Sequence[int]) -> str:
    if not tiers:
        raise ValueError("say a tier for each response, or an outcome: tie, all_bad or skip")
    return "ranked" if len(set(tiers)) > 1 else "tie"


def claim(connection: Connection, slug: str) -> Turn | None:
    """The turn one has, the same until it is judged, or else a new one; None when nothing is left."""
    told = connection.post(f"projects/{quote(slug, safe='')}/next")
    return None if told is None else read(Turn, told, connection)


def turns(connection: Connection, slug: str) -> Iterator[Turn]:
    """Raises TiebreakError when a turn comes again because nothing was said about it: that would never end."""
    last = None
    while (turn := claim(connection, slug)) is not None:
        if turn.assignment == last:
            raise TiebreakError(
                f"turn {last} was not judged; say something about it, `judge(outcome='skip')` if nothing else"
            )
        last = turn.assignment
        yield turn
