"""What every way of judging has to keep, whatever it asks: a new kind is tested as soon as it is listed."""

import random
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import kinds
from app.errors import BadInput, BadJudgment
from app.kinds import KINDS, Kind, Verdict, kind_named
from app.models.project import OUTCOMES
from app.preference import tuples

SHARED = {"__init__", "verdict", "form"}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
ODD_WORDS = st.text(max_size=8) | st.sampled_from(["ranked", "tie", "all_bad", "skip", "1", "2", "0", "-1", "9" * 30])


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
    stored = kind.check(Verdict(outcome, said), ids, OUTCOMES)
    assert kind.check(stored, ids, OUTCOMES) == stored
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
    assert kind.check(kind.read(form, shown), shown, OUTCOMES).tiers == said


@every_kind
@given(seed=st.integers(0, 2**32), form=st.dictionaries(st.sampled_from(["choice", "strength", "comment"]), ODD_WORDS))
def test_what_no_form_sends_is_a_bad_judgment_and_nothing_else(kind: Kind, seed: int, form: dict[str, str]):
    ids = ids_of(kind, seed)
    try:
        kind.check(kind.read(form, ids), ids, OUTCOMES)
    except BadJudgment:
        return
    assert form["choice"] in OUTCOMES


@every_kind
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_the_project_does_not_offer_is_refused(kind: Kind, outcome: str):
    ids = [uuid4() for _ in range(kind.SIZES.start)]
    said = dict(zip(ids, range(1, len(ids) + 1), strict=True)) if outcome == "ranked" else {}
    kind.check(Verdict(outcome, said), ids, [outcome])
    with pytest.raises(BadJudgment, match="not offered"):
        kind.check(Verdict(outcome, said), ids, [other for other in OUTCOMES if other != outcome])


@every_kind
def test_every_outcome_but_an_order_needs_no_tiers(kind: Kind):
    ids = [uuid4() for _ in range(kind.SIZES.start)]
    for outcome in ("tie", "all_bad", "skip"):
        verdict = kind.read({"choice": outcome}, ids)
        assert not list(tuples(kind.check(verdict, ids, OUTCOMES).tiers))
