"""Freezing what people judged."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import db
from app.access import Person
from app.datasets.order import SHAPES, Filters, Order, SplitRule
from app.datasets.service import freeze
from app.errors import BadInput, Conflict
from app.judgments.pseudonyms import pseudonym
from app.models import Audit, Dataset, Project, User
from app.storage import Storage
from tests.judged import add_item, judge, judged_pairs, make_project


@pytest.fixture
def admin(session: Session) -> Person:
    user = User(email="dora@example.org", name="Dora", password_hash="", role="admin")
    session.add(user)
    session.flush()
    return Person(user.id, user.name, "admin")


def rows(files: Storage, dataset: Dataset, side: str) -> list[dict[str, Any]]:
    whole = b"".join(files.read(f"{dataset.prefix}/{side}.jsonl"))
    return [json.loads(line) for line in whole.splitlines()]


def everything(files: Storage, dataset: Dataset) -> list[dict[str, Any]]:
    return rows(files, dataset, "train") + rows(files, dataset, "test")


def test_it_freezes_groups_with_all_that_training_needs(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    item = add_item(session, project, "How?", ["so", "thus", "hm"], metadata={"rule": "exact", "answer": "so"})
    judgment = judge(session, item, [1, 2, None], strength=2)
    dataset = freeze(session, admin, project, Order(name="how")).dataset
    assert rows(files, dataset, "train") == [
        {
            "group": item.id,
            "judgment": judgment.id,
            "prompt": [{"role": "user", "content": "How?"}],
            "responses": ["so", "thus", "hm"],
            "tiers": [1, 2, None],
            "outcome": "ranked",
            "margin": 2.0,
            "weight": 1.0,
            "judge_kind": "imported",
            "scores": [None, None, None],
            "models": ["model-0", "model-1", "model-2"],
            "metadata": '{"answer":"so","rule":"exact"}',
            "prompt_hash": rows(files, dataset, "train")[0]["prompt_hash"],
            "judgments": 1,
            "agreement": 1.0,
            "annotator": pseudonym(project, judgment.user_id),
        }
    ]
    assert dataset.counts["train"] == {"prompts": 1, "groups": 1, "tuples": 1, "outcomes": {"ranked": 1}}


def test_the_judgments_of_an_item_share_its_weight(session: Session, admin: Person, files: Storage):
    """Three people said something about the first item, one of them nothing that is taken; of the second item one."""
    project = make_project(session)
    item, other = (add_item(session, project, "Who?", texts) for texts in (["a", "b"], ["c", "d"]))
    judge(session, item, [1, 2], by="Ben")
    judge(session, item, [2, 1], by="Eve")
    judge(session, item, [1, 2], by="Kim", outcome="skip")
    judge(session, other, [1, 2])
    dataset = freeze(session, admin, project, Order(name="who")).dataset
    assert sorted((row["group"], row["weight"]) for row in rows(files, dataset, "train")) == [
        (item.id, 0.5),
        (item.id, 0.5),
        (other.id, 1.0),
    ]


def test_it_shares_no_prompt_between_the_sides(session: Session, admin: Person, files: Storage):
    project = judged_pairs(session, 40)
    again = add_item(session, project, "Question 3?", ["another", "pair"])
    judge(session, again, [2, 1])
    dataset = freeze(session, admin, project, Order(name="pairs", split=SplitRule(test=0.25))).dataset
    train, test = ({row["prompt"][0]["content"] for row in rows(files, dataset, side)} for side in ("train", "test"))
    assert not train & test
    assert len(train | test) == 40
    assert len(everything(files, dataset)) == 41
    assert (dataset.counts["train"]["prompts"], dataset.counts["test"]["prompts"]) == (len(train), len(test))


def test_it_leaves_out_what_does_not_count(session: Session, admin: Person, files: Storage):
    project = judged_pairs(session, 1)
    for number, told in enumerate(
        [{"outcome": "skip"}, {"withdrawn": True}, {"counted": False}, {"is_current": False}]
    ):
        judge(session, add_item(session, project, f"Left out {number}", ["a", "b"]), [1, 2], **told)
    dataset = freeze(session, admin, project, Order(name="pairs")).dataset
    assert [row["prompt"][0]["content"] for row in everything(files, dataset)] == ["Question 0?"]


def test_it_keeps_ties_and_groups_that_are_all_bad(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    judge(session, add_item(session, project, "Tie", ["a", "b"]), [1, 1], outcome="tie")
    judge(session, add_item(session, project, "Bad", ["a", "b"]), [None, None], outcome="all_bad")
    dataset = freeze(session, admin, project, Order(name="rest", split=SplitRule(test=0))).dataset
    found = {row["outcome"]: row["tiers"] for row in everything(files, dataset)}
    assert found == {"tie": [1, 1], "all_bad": [None, None]}
    assert dataset.counts["train"]["tuples"] == 0


def test_it_takes_only_what_the_filters_let_through(session: Session, admin: Person, files: Storage):
    project = judged_pairs(session, 3)
    judge(session, add_item(session, project, "By hand", ["a", "b"]), [1, 2], judge_kind="human")
    chosen = Order(name="human", filters=Filters(judge_kinds=("human",)))
    dataset = freeze(session, admin, project, chosen).dataset
    assert [row["prompt"][0]["content"] for row in everything(files, dataset)] == ["By hand"]
    assert dataset.filters == {"outcomes": ["ranked", "tie", "all_bad"], "judge_kinds": ["human"]}


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"min_strength": 2}, {"Clear"}),
        ({"models": ["model-1"]}, {"Clear", "Faint", "Tagged"}),
        ({"models": ["model-7"]}, set()),
        ({"sources": ["forum"]}, {"Tagged"}),
        ({"tags": ["maths", "law"]}, {"Tagged"}),
        ({"tags": ["law"]}, set()),
        ({"last_day": "2020-01-01"}, set()),
        ({"first_day": "2020-01-01"}, {"Clear", "Faint", "Tagged"}),
    ],
)
def test_it_filters_by_what_is_known_of_judgments_and_records(
    session: Session, admin: Person, files: Storage, filters: dict[str, Any], words: set[str]
):
    project = make_project(session)
    judge(session, add_item(session, project, "Clear", ["a", "b"]), [1, 2], strength=3)
    judge(session, add_item(session, project, "Faint", ["a", "b"]), [1, 2], strength=1)
    told = {"source": "forum", "tags": ["maths", "easy"]}
    judge(session, add_item(session, project, "Tagged", ["a", "b"], metadata=told), [1, 2])
    order = Order(name="some", filters=Filters.model_validate(filters))
    if not words:
        with pytest.raises(BadInput, match="passes these filters"):
            freeze(session, admin, project, order)
        return
    dataset = freeze(session, admin, project, order).dataset
    assert {row["prompt"][0]["content"] for row in everything(files, dataset)} == words


def test_it_takes_the_judgments_of_some_people_only(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    item = add_item(session, project, "Who?", ["a", "b"])
    mine = judge(session, item, [1, 2], by="Ben")
    judge(session, item, [2, 1], by="Eve")
    order = Order(name="who", filters=Filters(annotators=(mine.user_id,)))
    (row,) = everything(files, freeze(session, admin, project, order).dataset)
    assert (row["judgment"], row["weight"], row["annotator"]) == (mine.id, 1.0, pseudonym(project, mine.user_id))


def test_pseudonyms_stay_within_a_project_and_lead_nowhere_else(session: Session):
    one, other = make_project(session, "one"), make_project(session, "other")
    for project in (one, other):
        session.refresh(project)
    assert pseudonym(one, 7) == pseudonym(one, 7)
    assert len({pseudonym(one, 7), pseudonym(one, 8), pseudonym(other, 7)}) == 3


def test_margins_are_what_the_order_says(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    judge(session, add_item(session, project, "Clear", ["a", "b"]), [1, 2], strength=3)
    for margins, found in (((0.1, 0.5, 2.0), 2.0), (None, None)):
        dataset = freeze(session, admin, project, Order(name="some", margins=margins)).dataset
        assert everything(files, dataset)[0]["margin"] == found


def test_what_is_near_to_a_test_prompt_is_held_out(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    texts = [" ".join(f"{word}{number}" for word in "abcdefghijklmnopqrst") for number in range(30)]
    for words in texts:
        judge(session, add_item(session, project, words, ["a", "b"]), [1, 2])
        judge(session, add_item(session, project, words + " and so on", ["a", "b"]), [1, 2])
    rule = SplitRule(test=0.3, near_duplicates=True)
    dataset = freeze(session, admin, project, Order(name="near", split=rule)).dataset
    train, test = (
        {row["prompt"][0]["content"][:20] for row in rows(files, dataset, side)} for side in ("train", "test")
    )
    assert not train & test
    assert dataset.counts["near_duplicates"]["prompts"] > 0


def test_other_shapes_stand_in_folders_of_their_own(session: Session, admin: Person, files: Storage):
    project = judged_pairs(session, 4)
    again = add_item(session, project, "Question 1?", ["c", "d"])
    judge(session, again, [1, 2], comment="so much better")
    order = Order(name="pairs", split=SplitRule(test=0), shapes=SHAPES)
    dataset = freeze(session, admin, project, order).dataset
    paths = {file["path"] for file in dataset.files}
    assert {f"{shape}/train.parquet" for shape in SHAPES if shape != "log"} | {"log/judgments.jsonl"} <= paths

    def lines(path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in b"".join(files.read(f"{dataset.prefix}/{path}")).splitlines()]

    assert [len(lines(f"{shape}/train.jsonl")) for shape in SHAPES if shape != "log"] == [5, 5, 10, 4, 5]
    *_, last = lines("log/judgments.jsonl")
    assert (last["comment"], last["tiers"].count(":"), last["current"]) == ("so much better", 2, True)
    assert "user" not in " ".join(last)


def test_it_says_what_is_new_since_the_version_before(session: Session, admin: Person):
    project = judged_pairs(session, 5)
    first = freeze(session, admin, project, Order(name="pairs")).dataset
    judge(session, add_item(session, project, "New?", ["a", "b"]), [1, 2])
    second = freeze(session, admin, project, Order(name="pairs")).dataset
    assert "changes" not in first.summary
    assert second.summary["changes"] == {
        "since": 1,
        "added": 1,
        "removed": 0,
        "changed": 0,
        "to_test": 0,
        "to_train": 0,
    }


def test_it_gives_back_the_same_version_when_nothing_changed(session: Session, admin: Person):
    project = judged_pairs(session, 5)
    first = freeze(session, admin, project, Order(name="pairs"))
    second = freeze(session, admin, project, Order(name="pairs"))
    assert (first.is_new, second.is_new) == (True, False)
    assert second.dataset is first.dataset


def test_it_makes_a_new_version_of_new_judgments_and_keeps_the_old(session: Session, admin: Person, files: Storage):
    project = judged_pairs(session, 5)
    first = freeze(session, admin, project, Order(name="pairs")).dataset
    before = everything(files, first)
    judge(session, add_item(session, project, "New?", ["a", "b"]), [1, 2])
    second = freeze(session, admin, project, Order(name="pairs")).dataset
    assert (first.version, second.version) == (1, 2)
    assert first.sha256 != second.sha256
    assert everything(files, first) == before


def test_it_makes_a_new_version_of_another_split(session: Session, admin: Person):
    project = judged_pairs(session, 20)
    first = freeze(session, admin, project, Order(name="pairs", split=SplitRule(test=0.5, seed=0))).dataset
    second = freeze(session, admin, project, Order(name="pairs", split=SplitRule(test=0.5, seed=1))).dataset
    assert second.version == first.version + 1


def test_it_follows_the_split_of_the_records(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    for number, side in enumerate(["train", "test", "train"]):
        item = add_item(session, project, f"Q{number}", ["a", "b"], metadata={"source": {"split": side}})
        judge(session, item, [1, 2])
    by = Order(name="own", split=SplitRule(by="metadata.source.split"))
    dataset = freeze(session, admin, project, by).dataset
    assert [row["prompt"][0]["content"] for row in rows(files, dataset, "test")] == ["Q1"]
    assert dataset.split == {"by": "metadata.source.split"}


def test_it_says_how_many_groups_were_held_out_against_their_word(session: Session, admin: Person, files: Storage):
    project = make_project(session)
    for words, side in (("Both", "train"), ("Both", "test"), ("One", "train")):
        item = add_item(session, project, words, [side, words], metadata={"split": side})
        judge(session, item, [1, 2])
    dataset = freeze(session, admin, project, Order(name="own", split=SplitRule(by="metadata.split"))).dataset
    assert dataset.counts["moved_to_test"] == {"prompts": 1, "groups": 1}
    assert {row["prompt"][0]["content"] for row in rows(files, dataset, "train")} == {"One"}


def test_it_says_what_to_do_when_nothing_was_judged(session: Session, admin: Person):
    with pytest.raises(BadInput, match="Nobody has judged anything in “empty”"):
        freeze(session, admin, make_project(session, "empty"), Order(name="empty"))


def test_it_says_when_the_filters_let_nothing_through(session: Session, admin: Person):
    order = Order(name="none", filters=Filters(outcomes=("tie",)))
    with pytest.raises(BadInput, match="passes these filters"):
        freeze(session, admin, judged_pairs(session, 2), order)


def test_it_says_when_all_records_are_test_records(session: Session, admin: Person):
    project = make_project(session)
    judge(session, add_item(session, project, "Q", ["a", "b"], metadata={"split": "test"}), [1, 2])
    with pytest.raises(BadInput, match="All records say “test”"):
        freeze(session, admin, project, Order(name="none", split=SplitRule(by="metadata.split")))


def test_it_keeps_a_name_for_its_project(session: Session, admin: Person):
    freeze(session, admin, judged_pairs(session, 2, "one"), Order(name="pairs"))
    with pytest.raises(Conflict, match="Another project has a dataset named “pairs”"):
        freeze(session, admin, judged_pairs(session, 2, "two"), Order(name="pairs"))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Pairs"}, "name"),
        ({"name": "../pairs"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 97}, "name"),
        ({"split": SplitRule(test=1.0)}, "split.test"),
        ({"split": SplitRule(test=-0.1)}, "split.test"),
        ({"split": SplitRule(test=float("nan"))}, "split.test"),
        ({"split": SplitRule(seed=2**63)}, "split.seed"),
        ({"split": SplitRule(by="colour")}, "split.by"),
        ({"split": SplitRule(by="metadata.")}, "split.by"),
        ({"split": SplitRule(by="metadata.split", test=0.5)}, "split"),
        ({"filters": Filters(outcomes=())}, "filters"),
    ],
)
def test_it_names_the_field_that_is_wrong(session: Session, admin: Person, wrong: dict[str, Any], field: str):
    with pytest.raises(BadInput) as caught:
        freeze(session, admin, judged_pairs(session, 2), Order(**({"name": "pairs"} | wrong)))
    assert caught.value.field == field


def test_it_refuses_to_freeze_a_name_twice_at_once(ada: User, files: Storage):
    person = Person(ada.id, ada.name, "admin")
    with db.work_unit() as session:
        project_id = judged_pairs(session, 3).id
    with db.work_unit() as one, db.work_unit() as other:
        freeze(one, person, one.get_one(Project, project_id), Order(name="pairs"))
        with pytest.raises(Conflict, match="being frozen right now"):
            freeze(other, person, other.get_one(Project, project_id), Order(name="pairs"))


def test_it_is_written_down_who_froze_what(session: Session, admin: Person):
    freeze(session, admin, judged_pairs(session, 2), Order(name="pairs"))
    noted = session.scalars(select(Audit).where(Audit.action == "dataset.frozen")).one()
    assert (noted.user_id, noted.subject) == (admin.id, "pairs v1")
