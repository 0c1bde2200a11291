"""Votes that were given elsewhere, to be given again through the pages, and the comparison of what is stored with them.

Who gets which item is the queue's to decide, and that is what is put to the test; so nobody is led to “their” items.
Whoever is handed an item gives one of the votes of the source that nobody has given yet, and `Ballots` notes it when the
page has answered. Afterwards the database must hold exactly what was noted (who, which item, which order of the texts)
and each item exactly the votes that the source has for it. The votes thus change hands between people, but none is
invented, lost, given twice, or given to the wrong text.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sqlalchemy import text

from app import db
from app.preference import tuples
from tests.annotator import Answer, Turn, text_key

Tiers = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Voted:
    """An item of the source with its votes, each the tiers of its texts in their order."""

    prompt: str
    texts: tuple[str, ...]
    votes: tuple[tuple[int, ...], ...]

    def tiers(self, vote: Sequence[int]) -> Tiers:
        return frozenset(zip(self.texts, vote, strict=True))

    def record(self) -> dict[str, Any]:
        return {"prompt": self.prompt, "responses": list(self.texts)}


@dataclass
class Ballots:
    """The votes of a source that are not given yet, by what a page shows of their item."""

    items: Collection[Voted]
    given: list[tuple[str, str, Tiers]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._texts = {one.texts: [text_key(words) for words in one.texts] for one in self.items}
        self._by_texts = {frozenset(self._texts[one.texts]): one for one in self.items}
        assert len(self._by_texts) == len(self.items), "two items of the source look the same"
        self._left = {one.texts: list(one.votes) for one in self.items}
        self._held: dict[tuple[str, str], tuple[Voted, tuple[int, ...]]] = {}

    def decide(self, email: str, turn: Turn) -> Answer:
        """A vote for the turn's item; the same again if the same person is shown the same turn again."""
        with self._lock:
            held = self._held.get((email, turn.assignment))
            if held is None:
                item = self._by_texts[frozenset(turn.texts.values())]
                held = item, self._left[item.texts].pop()
                self._held[email, turn.assignment] = held
        item, vote = held
        return dict(zip(self._texts[item.texts], vote, strict=True))

    def note(self, email: str, turn: Turn) -> None:
        with self._lock:
            item, vote = self._held[email, turn.assignment]
            self.given.append((email, item.prompt, item.tiers(vote)))

    @property
    def n_left(self) -> int:
        return sum(map(len, self._left.values()))


def stored(slugs: Collection[str]) -> list[tuple[str, str, Tiers]]:
    """What the database holds, response ids put back into texts: who, on which prompt, which tiers."""
    with db.work_unit() as session:
        rows = session.execute(
            text("""
            SELECT "user".email, prompt.messages, judgment.tiers,
                (SELECT json_object_agg(id, text) FROM response WHERE id = ANY (item.response_ids)) AS texts
            FROM judgment JOIN "user" ON "user".id = judgment.user_id JOIN item ON item.id = judgment.item_id
            JOIN prompt ON prompt.id = item.prompt_id JOIN project ON project.id = judgment.project_id
            WHERE project.slug = ANY (:slugs) AND judgment.is_current
            """),
            {"slugs": list(slugs)},
        ).all()
    return [
        (row.email, row.messages[-1]["content"], frozenset((row.texts[key], tier) for key, tier in row.tiers.items()))
        for row in rows
    ]


def assert_equal_to_source(items: Collection[Voted], ballots: Ballots, slugs: Collection[str]) -> None:
    there = stored(slugs)
    assert Counter(there) == Counter(ballots.given), "who said what"
    wanted = Counter((one.prompt, one.tiers(vote)) for one in items for vote in one.votes)
    assert Counter((prompt, tiers) for _, prompt, tiers in there) == wanted, "what the source says"


def tuples_that_differ() -> list[int]:
    """Judgments whose stored tuples are not those that follow from their tiers."""
    with db.work_unit() as session:
        rows = session.execute(
            text("""
            SELECT judgment.id, tiers, coalesce(json_agg(json_build_array(chosen_id, rejected_id))
                FILTER (WHERE chosen_id IS NOT NULL), '[]') AS pairs
            FROM judgment LEFT JOIN preference ON preference.judgment_id = judgment.id AND preference.is_current
            WHERE judgment.is_current GROUP BY judgment.id
            """)
        ).all()
    return [row.id for row in rows if Counter(map(tuple, row.pairs)) != Counter(_tuples(row.tiers))]


def _tuples(tiers: Mapping[str, int]) -> list[tuple[str, str]]:
    return list(tuples(tiers))
