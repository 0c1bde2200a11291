"""Which side of a dataset a prompt is on: pure, and stable when data is added.

All groups of a prompt go to the same side, so that no model is measured on a prompt it was trained on. Two ways:

`ByPrompt`    a prompt is a test prompt when h(seed, prompt) < test, where h is the first 64 bits of
              SHA-256("<seed>:" ‖ content hash of the prompt), read as a fraction of 1. h depends on nothing else, so a
              prompt never moves when others arrive. One exception keeps both sides usable: of two or more prompts at
              least one is on each side, if need be the one nearest to the border. `test` 0 means no test side.
              When near duplicates are to be kept together, what is near to a test prompt is held out as well: so a prompt
              that arrives may move others to the test side, and never one from test to train.
`ByMetadata`  the records say it themselves: `metadata.split` holds "train" or "test". Where records of one prompt
              disagree, as they do in published splits, the prompt is held out: all its groups go to the test side.

Both need to have seen all groups once, those of a prompt in a row, before the first is placed; they keep a few numbers
and the prompts in disagreement, not all prompts.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Literal

from app.datasets.near import Near
from app.errors import BadInput
from app.language import gettext

Side = Literal["train", "test"]
SIDES: tuple[Side, ...] = ("train", "test")
_WHOLE = 1 << 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group as a split sees it: its prompt's hash, what its record's metadata say, words to recognise it by, and all of them."""

    prompt_hash: bytes
    value: object
    words: str
    text: str = ""


def fraction_of_64_bits(seed: int, prompt_hash: bytes) -> int:
    """h(seed, prompt) · 2⁶⁴."""
    return int.from_bytes(hashlib.sha256(f"{seed}:".encode() + prompt_hash).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class ByPrompt:
    """Test prompts are those with h · 2⁶⁴ < `border`, and those `held_out` because they are near to one of them."""

    seed: int
    border: int
    prompts: dict[Side, int]
    held_out: frozenset[bytes] = frozenset()

    def side(self, candidate: Candidate) -> Side:
        return "test" if self._is_drawn(candidate.prompt_hash) or candidate.prompt_hash in self.held_out else "train"

    def _is_drawn(self, prompt_hash: bytes) -> bool:
        return fraction_of_64_bits(self.seed, prompt_hash) < self.border

    def with_near(self, near: Near) -> "ByPrompt":
        """The same split with what is near to a test prompt held out."""
        moved: set[bytes] = set()
        for cluster in near.clusters():
            drawn = {prompt_hash for prompt_hash in cluster if self._is_drawn(prompt_hash)}
            if drawn:
                moved.update(set(cluster) - drawn)
        n = len(moved)
        prompts: dict[Side, int] = {"train": self.prompts["train"] - n, "test": self.prompts["test"] + n}
        return replace(self, prompts=prompts, held_out=frozenset(moved))


def by_prompt(candidates: Iterable[Candidate], *, test: float, seed: int, near_duplicates: bool = False) -> ByPrompt:
    """Draw the border between train and test."""
    border, lowest, highest = int(test * _WHOLE), _WHOLE, -1
    n_all = n_test = 0
    near = Near()
    for prompt_hash, groups in groupby(candidates, key=attrgetter("prompt_hash")):
        place = fraction_of_64_bits(seed, prompt_hash)
        lowest, highest = min(lowest, place), max(highest, place)
        n_all, n_test = n_all + 1, n_test + (place < border)
        if near_duplicates:
            near.add(prompt_hash, next(groups).text)
    if n_test == n_all and n_all > 0:  # nothing left to train on
        border, n_test = highest, n_all - 1
    elif n_test == 0 and n_all > 1 and test > 0:
        border, n_test = lowest + 1, 1
    drawn = ByPrompt(seed, border, {"train": n_all - n_test, "test": n_test})
    return drawn.with_near(near) if near_duplicates else drawn


@dataclass(frozen=True, slots=True)
class ByMetadata:
    """`moved` names the prompts whose records disagree, with how many of their groups said “train”."""

    field: str
    prompts: dict[Side, int]
    moved: dict[bytes, int]

    def side(self, candidate: Candidate) -> Side:
        return "test" if candidate.prompt_hash in self.moved else _declared(candidate, self.field)


def by_metadata(candidates: Iterable[Candidate], *, field: str) -> ByMetadata:
    """Read every prompt's side from its records. Raises BadInput for a record that does not say."""
    prompts: dict[Side, int] = {"train": 0, "test": 0}
    moved: dict[bytes, int] = {}
    for prompt_hash, groups in groupby(candidates, key=attrgetter("prompt_hash")):
        said = Counter(_declared(group, field) for group in groups)
        prompts["test" if said["test"] else "train"] += 1
        if len(said) > 1:
            moved[prompt_hash] = said["train"]
    return ByMetadata(field, prompts, moved)


Split = ByPrompt | ByMetadata


def _declared(candidate: Candidate, field: str) -> Side:
    for side in SIDES:
        if candidate.value == side:
            return side
    if candidate.value is None:
        lacks = gettext("A record of the prompt “%(words)s” has no “%(field)s”.", words=candidate.words, field=field)
    else:
        lacks = gettext(
            "A record of the prompt “%(words)s” has %(value)s in “%(field)s”.",
            words=candidate.words,
            value=repr(candidate.value),
            field=field,
        )
    rule = gettext("To split by it, every record must hold “train” or “test” there; or split by a seed.")
    raise BadInput(lacks + " " + rule, field="split")
