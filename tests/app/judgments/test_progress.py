"""How far somebody is, and how much is left for them."""

import pytest

from app import db
from app.judgments import progress as progress_module
from app.judgments.progress import Progress, progress
from app.models import Project, User
from tests.queued import claimed, judged, person_of, queued, write


def seen_by(user: User, project: Project) -> Progress:
    with db.work_unit() as session:
        return progress(session, person_of(user), project)


def test_what_is_left_is_what_this_person_may_still_take(ben: User, cleo: User):
    project = queued(ben, cleo, items=5, wanted=2)
    judged(ben, claimed(ben, project))
    claimed(ben, project)
    assert (seen_by(ben, project).open_items, seen_by(cleo, project).open_items) == (3, 5)
    write("UPDATE item SET reserved_for = :cleo", cleo=cleo.id)
    assert (seen_by(ben, project).open_items, seen_by(cleo, project).open_items) == (0, 5)
    assert not seen_by(cleo, project).are_more


def test_many_are_said_as_at_least_so_many_also_behind_those_that_are_judged(
    ben: User, cleo: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(progress_module, "_have_many", {})
    monkeypatch.setattr(progress_module, "COUNTED_LEFT", 4)
    project = queued(ben, cleo, items=12, wanted=2, item_order="imported")
    for _ in range(7):
        judged(ben, claimed(ben, project))
    assert (seen_by(ben, project).open_items, seen_by(ben, project).are_more) == (4, True)
    claimed(cleo, project)
    monkeypatch.setattr(progress_module, "LOOKED_AT", 6)
    monkeypatch.setattr(progress_module, "COUNTED_LEFT", 100)
    assert seen_by(cleo, project).are_more
    assert seen_by(cleo, project).open_items <= 6
