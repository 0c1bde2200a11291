"""A group before it is stored, and what makes two groups the same. Pure.

A prompt is the same when its messages are: SHA-256 of their JSON with roles and contents in one spelling. Splits go by
that hash. A response is the same when its prompt, its text and the model that wrote it are: two models that happen to
say the same thing stay two, or scores of models could not be told apart later. An item is the same when its prompt and
its set of responses are, in whatever order a file names them: a vote for A over B and one for B over A are two
judgments of one item.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from app.models.table import Json

Message = dict[str, str]
# Beyond it two numbers next to each other may be the same to the database.
LARGEST_PRIORITY = 1e15


@dataclass(frozen=True, slots=True)
class GivenResponse:
    """A response as a record brings it. `score` is somebody else's number, kept as it came."""

    text: str
    model: str | None = None
    score: float | None = None
    sampling: Json | None = None

    def content_hash(self) -> bytes:
        return _sha256([self.model, self.text])


@dataclass(frozen=True, slots=True)
class Placing:
    """How an item is to be handed out when it is new: see `Item`. `gold` has the right tiers in the record's order."""

    gold: tuple[int, ...] = ()
    is_training: bool = False
    priority: float | None = None
    reserved_for: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A prompt with its responses in the record's order. `external_id` is the record's own id."""

    messages: list[Message]
    responses: tuple[GivenResponse, ...]
    external_id: str | None = None
    metadata: Json = field(default_factory=dict)
    placing: Placing = Placing()

    def prompt_hash(self) -> bytes:
        return _sha256([[message["role"], message["content"]] for message in self.messages])


def item_hash(prompt_hash: bytes, response_hashes: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"".join([prompt_hash, *sorted(response_hashes)])).digest()


def _sha256(value: object) -> bytes:
    return hashlib.sha256(orjson.dumps(value)).digest()
