"""What every way of judging has to keep, whatever it asks: a new kind is tested as soon as it is listed."""

import random
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import kinds
from app.errors import BadInput, BadJudgment
from app.kinds import KINDS, Asked, Kind, Verdict, kind_named
from app.kinds.form import SKIP_REASONS
from app.models.project import OUTCOMES
from app.preference import tuples

SHARED = {"__init__", "verdict", "form"}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
EVERYTHING = Asked(dimensions=("honest", "kind to the reader"))
ODD_WORDS = st.text("a1 -\0²٣é\n", max_size=8) | st.sampled_from(
    ["ranked", "tie", "all_bad", "skip", "skip harmful", "skip  ", "tie 2", "1", "2", "0", "-1", "9" * 30]
)
FIELDS = st.sampled_from(
    ["choice", "strength", "comment", "skip_words", "dimension.honest", "dimension.kind to the reader"]
)


def ids_of(kind: Kind, seed: int) -> list[UUID]:
    draw = random.Random(seed)
    return [UUID(int=draw.getrandbits(128)) for _ in range(draw.choice(kind.SIZES))]


def test_every_file_of_a_kind_is_listed():
    folder = Path(kinds.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - SHARED == {kind.NAME for kind in KINDS}


def test_a_kind_is_found_by_its_name_and_an_unknown_one_is_named():
    assert [kind_named(kind.NAME) for kind in KINDS] == list(KINDS)
    with pytest.raises(BadInput, match="pair, ranking"):
        kind_named("banana")


@every_kind
@given(seed=st.integers(0, 2**32), data=st.data())
def test_an_order_comes_back_whole_and_makes_its_tuples(kind: Kind, seed: int, data: st.DataObject):
    ids = ids_of(kind, seed)
    numbers = data.draw(st.lists(st.integers(1, len(ids)), min_size=len(ids), max_size=len(ids)))
    said = dict(zip(ids, numbers, strict=True))
    outcome = "ranked" if len(set(numbers)) > 1 else "tie"
    stored = kind.check(Verdict(outcome, said), ids, EVERYTHING)
    assert kind.check(stored, ids, EVERYTHING) == stored
    assert set(stored.tiers) == set(ids)
    assert set(stored.tiers.values()) == set(range(1, len(set(numbers)) + 1))
    made = set(tuples(stored.tiers))
    assert made == {(a, b) for a in ids for b in ids if said[a] < said[b]}
    assert all(chosen != rejected for chosen, rejected in made)


@every_kind
@given(seed=st.integers(0, 2**32), data=st.data())
def test_what_is_shown_in_another_order_is_judged_the_same(kind: Kind, seed: int, data: st.DataObject):
    ids = ids_of(kind, seed)
    numbers = data.draw(st.permutations(range(1, len(ids) + 1)))
    said = dict(zip(ids, numbers, strict=True))
    shown = data.draw(st.permutations(ids))
    form = {"choice": "ranked"} | {f"tier.{key}": str(said[key]) for key in shown}
    if kind.NAME == "pair":
        form["choice"] = str(min(said, key=lambda key: said[key]))
    assert kind.check(kind.read(form, shown, EVERYTHING), shown, EVERYTHING).tiers == said


@every_kind
@given(seed=st.integers(0, 2**32), form=st.dictionaries(FIELDS, ODD_WORDS))
def test_what_no_form_sends_is_a_bad_judgment_and_nothing_else(kind: Kind, seed: int, form: dict[str, str]):
    ids = ids_of(kind, seed)
    try:
        kind.check(kind.read(form, ids, EVERYTHING), ids, EVERYTHING)
    except BadJudgment:
        return
    assert form["choice"].split(" ")[0] in OUTCOMES


@every_kind
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_the_project_does_not_offer_is_refused(kind: Kind, outcome: str):
    ids = [uuid4() for _ in range(kind.SIZES.start)]
    said = dict(zip(ids, range(1, len(ids) + 1), strict=True)) if outcome == "ranked" else {}
    kind.check(Verdict(outcome, said), ids, Asked([outcome]))
    with pytest.raises(BadJudgment, match="not offered"):
        kind.check(Verdict(outcome, said), ids, Asked([other for other in OUTCOMES if other != outcome]))


@every_kind
def test_every_outcome_but_an_order_needs_no_tiers(kind: Kind):
    ids = [uuid4() for _ in range(kind.SIZES.start)]
    for outcome in ("tie", "all_bad", "skip"):
        verdict = kind.read({"choice": outcome}, ids, EVERYTHING)
        assert not list(tuples(kind.check(verdict, ids, EVERYTHING).tiers))


def some_tiers(data: st.DataObject, ids: list[UUID]) -> dict[UUID, int]:
    numbers = data.draw(st.lists(st.integers(1, len(ids)), min_size=len(ids), max_size=len(ids)))
    return dict(zip(ids, numbers, strict=True))


def some_verdict(data: st.DataObject, ids: list[UUID]) -> Verdict:
    """Anything that a project may be told about a group, with a reason, dimensions and a comment."""
    words = st.sampled_from(["", "because", "line\nline", "skip", "  "]).map(str.strip)
    outcome = data.draw(st.sampled_from(OUTCOMES))
    if outcome == "skip":
        return Verdict("skip", comment=data.draw(words), skip_reason=data.draw(words | st.sampled_from(SKIP_REASONS)))
    answered = data.draw(st.sets(st.sampled_from(EVERYTHING.dimensions)))
    dimensions = {name: some_tiers(data, ids) for name in answered}
    tiers = some_tiers(data, ids) if outcome in {"ranked", "tie"} else {}
    outcome = "tie" if tiers and len(set(tiers.values())) == 1 else "ranked" if tiers else outcome
    return Verdict(outcome, tiers, comment=data.draw(words), dimensions=dimensions)


@every_kind
@given(seed=st.integers(0, 2**32), data=st.data())
def test_the_form_written_for_a_verdict_reads_as_that_verdict(kind: Kind, seed: int, data: st.DataObject):
    ids = ids_of(kind, seed)
    stored = kind.check(some_verdict(data, ids), ids, EVERYTHING)
    shown = data.draw(st.permutations(ids))
    form = kind.write(stored, EVERYTHING)
    assert kind.check(kind.read(form, shown, EVERYTHING), ids, EVERYTHING) == stored


@every_kind
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_required_comment_is_asked_for_unless_somebody_skips(kind: Kind, outcome: str):
    ids = [uuid4() for _ in range(kind.SIZES.start)]
    said = dict(zip(ids, range(1, len(ids) + 1), strict=True)) if outcome == "ranked" else {}
    asked = Asked(comments="required", comment_min_length=5)
    kind.check(Verdict(outcome, said, comment="clear"), ids, asked)
    for comment in ("", "   \n   ", "clea "):
        if outcome == "skip":
            kind.check(Verdict(outcome, comment=comment), ids, asked)
            continue
        with pytest.raises(BadJudgment) as refusal:
            kind.check(Verdict(outcome, said, comment=comment), ids, asked)
        assert refusal.value.field == "comment"


@every_kind
def test_no_comment_is_taken_where_none_is_wanted(kind: Kind):
    ids = [uuid4() for _ in range(kind.SIZES.start)]
    with pytest.raises(BadJudgment, match="no comments") as refusal:
        kind.check(Verdict("tie", comment="but"), ids, Asked(comments="off"))
    assert refusal.value.field == "comment"
