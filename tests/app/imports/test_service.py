"""Records in: items, judgments, bad lines; and the same again."""

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from app import db
from app.access import Person
from app.errors import BadInput, Conflict, TooLarge
from app.imports import service
from app.imports.found import Found
from app.imports.service import Report, import_file, import_records
from app.models import Audit, Item, Judgment, Project, User
from app.projects.service import create_project
from tests.conftest import account, somebody
from tests.queued import person_of, slots_that_do_not_add_up


@pytest.fixture
def ada(session: Session) -> Person:
    """The admin, in the transaction that is rolled back."""
    user = somebody("ada", "admin")
    session.add(user)
    session.flush()
    return person_of(user)


@pytest.fixture
def bea(database: Engine) -> Person:
    """An admin whose work is committed."""
    return person_of(account("bea", "admin"))


def project(session: Session, person: Person, *, kind: str = "pair", slug: str = "p", wanted: int = 1) -> Project:
    return create_project(session, person, slug=slug, name=slug, kind=kind, judgments_per_item=wanted)


def imported(session: Session, into: Project, person: Person, *values: Any) -> Report:
    found = [Found(line, value) for line, value in enumerate(values, start=1)]
    return import_records(session, into, person, found, source="test")


def told(report: Report) -> tuple[int, int, int, int]:
    return report.imported, report.duplicates, report.judgments, report.failed


def pair(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"prompt": f"p{number}", "chosen": "good", "rejected": "bad", **more}


def test_it_takes_in_good_records_and_names_bad_ones(session: Session, ada: Person):
    report = import_records(
        session,
        project(session, ada),
        ada,
        [
            Found(1, {"prompt": "p", "responses": ["a", "b"]}),
            Found(2, problem="not JSON"),
            Found(4, {"prompt": "p", "responses": ["a"]}),
            Found(5, [], element=4),
            Found(6, pair()),
        ],
    )
    assert told(report) == (2, 0, 1, 3)
    assert [(error["line"], error["message"][:10]) for error in report.errors] == [
        (2, "not JSON"),
        (4, "“responses"),
        (5, "record 4: "),
    ]


def test_importing_again_adds_nothing(session: Session, ada: Person):
    into = project(session, ada)
    rows = [pair(1), pair(2, annotator="x"), {"prompt": "q", "responses": ["a", "b"]}]
    assert told(imported(session, into, ada, *rows)) == (3, 0, 2, 0)
    before = session.execute(text("SELECT sum(open_slots), count(*) FROM item")).one()
    assert told(imported(session, into, ada, *rows)) == (0, 3, 0, 0)
    assert session.execute(text("SELECT sum(open_slots), count(*) FROM item")).one() == before == (1, 3)


def test_another_annotator_adds_a_judgment_to_the_item_that_is_there(session: Session, ada: Person):
    into = project(session, ada, wanted=2)
    first = imported(session, into, ada, pair(annotator="x"))
    turned = {"prompt": "p0", "chosen": "bad", "rejected": "good", "annotator": "y"}
    assert told(first) == (1, 0, 1, 0)
    assert told(imported(session, into, ada, turned)) == (0, 1, 1, 0)
    assert session.scalar(select(Item.open_slots)) == 0
    judges = session.execute(select(User.name, User.judge_kind, User.email).where(User.project_id == into.id))
    assert sorted(judges) == [("x", "imported", None), ("y", "imported", None)]


def test_an_annotator_who_contradicts_themselves_is_named(session: Session, ada: Person):
    into = project(session, ada)
    turned = {"prompt": "p0", "chosen": "bad", "rejected": "good"}
    report = imported(session, into, ada, pair(), turned)
    assert told(report) == (1, 0, 1, 1)
    assert "“imported” has judged these responses otherwise" in report.errors[0]["message"]


def test_tiers_become_dense_and_a_tie_is_a_tie(session: Session, ada: Person):
    into = project(session, ada, kind="ranking")
    tiers = [{"text": name, "tier": tier} for name, tier in (("a", 10), ("b", 0), ("c", 10))]
    ties = [{"text": name, "tier": 5} for name in "abc"]
    report = imported(session, into, ada, {"prompt": "p", "responses": tiers}, {"prompt": "q", "responses": ties})
    assert told(report) == (2, 0, 2, 0)
    rows = session.scalars(select(Judgment).order_by(Judgment.id)).all()
    assert [(row.outcome, sorted(row.tiers.values())) for row in rows] == [("ranked", [1, 2, 2]), ("tie", [1, 1, 1])]


def test_the_kind_says_how_many_responses(session: Session, ada: Person):
    three = {"prompt": "p", "responses": ["a", "b", "c"]}
    many = {"prompt": "p", "responses": [str(number) for number in range(13)]}
    report = imported(session, project(session, ada), ada, three)
    assert report.errors[0]["message"].endswith("has 3 responses; a project of the kind “pair” takes exactly 2")
    report = imported(session, project(session, ada, kind="ranking", slug="r"), ada, three, many)
    assert told(report) == (1, 0, 0, 1)
    assert "takes 2 to 12" in report.errors[0]["message"]


def test_the_project_says_which_outcomes_there_are(session: Session, ada: Person):
    into = project(session, ada)
    into.outcomes = ["ranked"]
    tie = {"prompt": "p", "responses": [{"text": "a", "tier": 1}, {"text": "b", "tier": 1}]}
    report = imported(session, into, ada, tie)
    assert told(report) == (0, 0, 0, 1)
    assert "“tie” is not offered" in report.errors[0]["message"]


def test_an_id_that_is_used_for_other_content_is_named(session: Session, ada: Person):
    report = imported(session, project(session, ada), ada, pair(1, id="q"), pair(2, id="q"))
    assert told(report) == (1, 0, 1, 1)
    assert report.errors == [
        {"line": 2, "message": "the id “q” belongs to an item with other content already; give this one its own"}
    ]


def test_batches_change_nothing(session: Session, ada: Person, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "BATCH", 3)
    rows = [pair(number % 7, annotator=f"x{number % 2}", id=f"q{number % 7}") for number in range(20)]
    assert told(imported(session, project(session, ada), ada, *rows)) == (7, 13, 14, 0)


def test_it_names_a_thousand_bad_lines_and_counts_the_rest(session: Session, ada: Person):
    report = imported(session, project(session, ada), ada, *[7] * 1001)
    assert (report.failed, len(report.errors)) == (1001, 1000)


def test_it_leaves_a_trace(session: Session, ada: Person):
    report = imported(session, project(session, ada), ada, pair(), 7)
    row = session.get_one(Audit, report.id)
    assert (row.user_id, row.action, row.subject) == (ada.id, "items.imported", "p")
    assert row.detail == {
        "source": "test",
        "imported": 1,
        "duplicates": 0,
        "judgments": 1,
        "failed": 1,
        "errors": [{"line": 2, "message": "a record is an object {…}, this is a number"}],
    }


def test_signs_that_cannot_be_stored_do_not_spoil_the_report(session: Session, ada: Person):
    odd = "x\0\ud800\n"
    report = imported(
        session,
        project(session, ada),
        ada,
        {"prompt": "p", "responses": ["a", {"text": "b", odd: 1}]},
        {"prompt": "p", "responses": ["a", {"text": "b", "tier": odd}]},
        {"prompt": [{"role": odd, "content": "p"}], "responses": ["a", "b"]},
        {"prompt": "p", "responses": ["a", "b"], "metadata": {odd: 1}},
        {"prompt": "p", "responses": ["a", "b"], "metadata": odd},
        {"prompt": "p", "responses": ["a", "b"], "id": odd, "annotator": odd},
    )
    assert report.failed == 6
    assert all(error["message"].isprintable() for error in report.errors)
    assert session.get_one(Audit, report.id).detail["errors"] == report.errors


def test_a_file_that_breaks_off_leaves_nothing(session: Session, ada: Person):
    into = project(session, ada)

    def broken() -> Any:
        yield from (Found(number, pair(number)) for number in range(1, 800))
        raise TooLarge("enough")

    with pytest.raises(TooLarge):
        import_records(session, into, ada, broken())
    assert session.scalar(text("SELECT count(*) FROM item")) == 0
    assert session.scalar(text("SELECT count(*) FROM response")) == 0


def test_it_reads_a_file_of_this_machine(session: Session, ada: Person, tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(orjson.dumps(pair()))
    into = project(session, ada)
    assert told(import_file(session, into, ada, path)) == (1, 0, 1, 0)
    with pytest.raises(BadInput, match="No such file"):
        import_file(session, into, ada, tmp_path / "missing.jsonl")
    with pytest.raises(BadInput, match="Is a directory"):
        import_file(session, into, ada, tmp_path)


def test_two_imports_into_a_project_take_turns(database: Engine, bea: Person):
    with db.work_unit() as session:
        into = project(session, bea)
    rows = [pair(number, annotator=f"x{number % 3}") for number in range(300)]
    reports: list[Report] = []

    def bring(order: int) -> None:
        with db.work_unit() as session:
            reports.append(imported(session, session.get_one(Project, into.id), bea, *rows[::order]))

    threads = [threading.Thread(target=bring, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told(report) for report in reports) == [(0, 300, 0, 0)] * 3 + [(300, 0, 300, 0)]
    assert slots_that_do_not_add_up() == []


def test_an_import_that_waits_too_long_says_so(database: Engine, bea: Person, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "WAIT_S", 1)
    with db.work_unit() as session:
        into = project(session, bea)
    with db.work_unit() as first:
        imported(first, first.get_one(Project, into.id), bea, pair())
        with db.work_unit() as second, pytest.raises(Conflict, match="another import"):
            imported(second, second.get_one(Project, into.id), bea, pair())


_WORDS = some.sampled_from(
    ["a", "b", " ", "é漢🍋", "\x01\x7f", "'; --", "\\u0000", "\\", "{}", "null", "%s", ":x", "$1"]
)
_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1) | some.floats(allow_nan=False) | _WORDS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
_RESPONSES = _WORDS | some.fixed_dictionaries(
    {"text": _WORDS},
    optional={
        "tier": some.integers(0, 3),
        "score": some.floats(),
        "model": _WORDS,
        "sampling": some.dictionaries(_WORDS, _VALUES, max_size=2),
    },
)
_RECORDS = some.fixed_dictionaries(
    {"prompt": _WORDS, "responses": some.lists(_RESPONSES, min_size=2, max_size=3)},
    optional={"id": _WORDS, "annotator": _WORDS, "metadata": some.dictionaries(_WORDS, _VALUES), "more": _VALUES},
)


@settings(max_examples=150, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(_RECORDS, max_size=5))
def test_whatever_is_recognised_can_be_stored(session: Session, ada: Person, values: list[Any]):
    into = session.scalars(select(Project)).one_or_none() or project(session, ada, kind="ranking", wanted=2)
    report = imported(session, into, ada, *values)
    again = imported(session, into, ada, *values)
    assert report.imported + report.duplicates + report.failed == len(values)
    assert (again.imported, again.judgments, again.failed) == (0, 0, report.failed)
