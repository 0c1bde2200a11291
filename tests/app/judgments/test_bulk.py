"""Judgments that a file brings: a finished turn, a judgment, its tuples, a slot."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.judgments.bulk import Fate, Judged, store_imported
from app.kinds import Verdict
from app.models import Assignment, Item, Judgment, Preference, Project, User
from app.prompts.groups import GivenResponse, Group
from app.prompts.service import StoredItem, store


def story(session: Session, *, wanted: int = 1, responses: int = 2) -> tuple[Project, StoredItem, list[User]]:
    """A project with one item and three imported judges."""
    project = Project(slug="p", name="p", kind="pair", judgments_per_item=wanted)
    session.add(project)
    session.flush()
    judges = [User(name=name, judge_kind="imported", project_id=project.id) for name in ("a", "b", "c")]
    session.add_all(judges)
    session.flush()
    given = tuple(GivenResponse(f"text {place}") for place in range(responses))
    (item,) = store(session, project, [Group([{"role": "user", "content": "p"}], given)])
    assert item is not None
    return project, item, judges


def judged(item: StoredItem, judge: User, *tiers: int) -> Judged:
    verdict = Verdict("ranked" if len(set(tiers)) > 1 else "tie", dict(zip(item.response_ids, tiers, strict=True)))
    return Judged(item.id, item.prompt_id, judge.id, verdict)


def tuples(session: Session) -> set[tuple[UUID, UUID]]:
    return set(session.execute(select(Preference.chosen_id, Preference.rejected_id)))


def test_it_stores_a_finished_turn_a_judgment_and_its_tuples(session: Session):
    project, item, (judge, *_) = story(session, responses=3)
    assert store_imported(session, project, [judged(item, judge, 2, 1, 2)]) == [Fate.STORED]
    row = session.scalars(select(Judgment)).one()
    assert (row.judge_kind, row.outcome, row.counted, row.is_current) == ("imported", "ranked", True, True)
    assert row.tiers == dict(zip(map(str, item.response_ids), (2, 1, 2), strict=True))
    turn = session.get_one(Assignment, row.assignment_id)
    assert (turn.state, turn.user_id, turn.shown_order) == ("done", judge.id, list(item.response_ids))
    first, second, third = item.response_ids
    assert tuples(session) == {(second, first), (second, third)}
    assert session.get_one(Item, item.id).open_slots == 0


def test_a_tie_is_kept_and_makes_no_tuple(session: Session):
    project, item, (judge, *_) = story(session)
    store_imported(session, project, [judged(item, judge, 1, 1)])
    assert session.scalars(select(Judgment.outcome)).one() == "tie"
    assert tuples(session) == set()


def test_the_same_verdict_again_adds_nothing_and_another_one_is_refused(session: Session):
    project, item, (judge, *_) = story(session, wanted=3)
    same, other = judged(item, judge, 1, 2), judged(item, judge, 2, 1)
    assert store_imported(session, project, [same, same, other]) == [Fate.STORED, Fate.KNOWN, Fate.CONTRADICTS]
    assert store_imported(session, project, [other, same]) == [Fate.CONTRADICTS, Fate.KNOWN]
    assert session.scalar(text("SELECT count(*) FROM judgment")) == 1
    assert session.scalar(select(Item.open_slots)) == 2


def test_work_beyond_the_number_wanted_is_kept_with_its_tuples_and_not_counted(session: Session):
    project, item, judges = story(session, wanted=2)
    verdicts = [judged(item, judge, 1, 2) for judge in judges]
    assert store_imported(session, project, verdicts) == [Fate.STORED] * 3
    assert session.scalars(select(Judgment.counted).order_by(Judgment.id)).all() == [True, True, False]
    assert session.scalar(text("SELECT count(*) FROM preference")) == 3
    assert session.scalar(select(Item.open_slots)) == 0


def test_a_slot_that_somebody_holds_is_not_taken(session: Session):
    project, item, (judge, *_) = story(session, wanted=1)
    session.execute(text("UPDATE item SET open_slots = 0"))
    store_imported(session, project, [judged(item, judge, 1, 2)])
    assert session.scalars(select(Judgment.counted)).one() is False
    assert session.scalar(select(Item.open_slots)) == 0


def test_a_slot_that_is_reserved_for_somebody_is_left_to_them(session: Session):
    project, item, (judge, ben, _) = story(session)
    session.get_one(Item, item.id).reserved_for = ben.id
    store_imported(session, project, [judged(item, judge, 1, 2)])
    assert session.scalars(select(Judgment.counted)).one() is False
    assert session.scalars(select(Item.open_slots)).one() == 1
