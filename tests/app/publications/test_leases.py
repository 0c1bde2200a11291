"""Who may work on a publication, and what becomes of one that nobody works on any more."""

from datetime import timedelta

import pytest
from sqlalchemy import func, text, update
from sqlalchemy.exc import IntegrityError

from app import db
from app.models import Checkpoint, Publication, User
from app.models.publication import MAX_ATTEMPTS
from app.publications import leases
from app.publications.progress import Progress, Stopped
from tests import trained
from tests.app.publications.conftest import ordered, row_of, to_hub
from tests.hub_to_write import Hub


@pytest.fixture
def one(ada: User, checkpoint: Checkpoint, elsewhere: Hub) -> int:
    return ordered(ada, checkpoint, to_hub(elsewhere))


def forget_about(publication_id: int) -> None:
    """As if its process had died a while ago."""
    with db.work_unit() as session:
        long_ago = func.now() - timedelta(minutes=5)
        session.execute(update(Publication).where(Publication.id == publication_id).values(lease_until=long_ago))


def swept() -> int:
    with db.work_unit() as session:
        return leases.take_back(session)


def claimed(publication_id: int) -> int:
    fence = leases.claim(publication_id)
    assert fence is not None
    return fence


def test_it_is_claimed_once(one: int):
    assert leases.claim(one) == 1
    assert leases.claim(one) is None


def test_few_go_on_at_once(ada: User, elsewhere: Hub):
    with db.work_unit() as session:
        made = [trained.make_checkpoint(session, trained.make_run(session)) for _ in range(leases.MOST_AT_ONCE + 1)]
    ids = [ordered(ada, each, to_hub(elsewhere, repository=f"ada/v{n}")) for n, each in enumerate(made)]
    assert [leases.claim(each) for each in ids] == [1] * leases.MOST_AT_ONCE + [None]
    assert leases.end(ids[0], 1, "failed", error="over")
    assert leases.claim(ids[-1]) == 1


def test_whoever_was_taken_for_dead_writes_nothing_more(one: int):
    first = claimed(one)
    forget_about(one)
    assert swept() == 1
    second = claimed(one)
    assert second > first
    assert not leases.hold(one, first, done_files=3).is_mine
    assert not leases.end(one, first, "finished", address="nowhere")
    leases.put_off(one, first, "late")
    leases.give_back(one, first)
    row = row_of(one)
    assert (row.state, row.fence, row.done_files, row.error) == ("running", second, 0, None)
    assert leases.hold(one, second, done_files=1).is_mine


def test_a_sender_hears_that_it_has_lost_the_row(one: int):
    progress = Progress(one, claimed(one))
    progress.tell()
    progress.move()
    forget_about(one)
    swept()
    progress.tell()
    with pytest.raises(Stopped):
        progress.move()


def test_a_sender_that_hangs_is_not_waited_for(one: int):
    left: list[int] = []
    progress = Progress(one, claimed(one), leave=left.append)
    progress.ask_to_stop("leaving")
    progress._see_to_the_end(now=0.0)
    progress._see_to_the_end(now=1000.0)
    assert (left, row_of(one).state) == ([0], "queued")


def test_a_server_that_says_nothing_is_tried_again_later(one: int):
    left: list[int] = []
    progress = Progress(one, claimed(one), leave=left.append)
    progress._see_to_the_end(now=progress._moved_at + 601)
    row = row_of(one)
    assert (left, row.state, row.not_before is not None) == ([0], "queued", True)


def test_attempts_that_get_no_further_come_to_an_end_with_the_secret(one: int):
    for n in range(MAX_ATTEMPTS):
        fence = claimed(one)
        if n == 1:
            leases.hold(one, fence, done_files=2)
        forget_about(one)
        swept()
    assert row_of(one).state == "queued", "the second one got further"
    claimed(one)
    forget_about(one)
    swept()
    row = row_of(one)
    assert (row.state, row.secret, row.error) == ("failed", None, leases.AWAY)


def test_a_secret_does_not_lie_about_for_longer_than_a_day(one: int):
    with db.work_unit() as session:
        assert leases.forget_secrets(session) == 0
        session.execute(update(Publication).values(waiting_since=func.now() - timedelta(hours=25)))
    with db.work_unit() as session:
        assert leases.forget_secrets(session) == 1
    row = row_of(one)
    assert (row.state, row.secret) == ("failed", None)


def test_the_database_keeps_no_secret_of_one_that_is_over(one: int):
    with pytest.raises(IntegrityError, match="no_secret_left"), db.work_unit() as session:
        session.execute(text("UPDATE publication SET state = 'failed'"))
