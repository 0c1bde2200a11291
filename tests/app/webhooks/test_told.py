"""Everything that happens is told once, in its own transaction: by the triggers, and by the sweep that counts."""

import pytest
from sqlalchemy import update

from app import jobs
from app.access import Person
from app.db import work_unit
from app.models import Delivery, Judgment, Project, Run, User, Webhook, WebhookCount
from app.runs.verbs import cancel_run
from app.webhooks import events, service
from app.webhooks.counting import tell_counts
from tests import trained
from tests.app.webhooks.hooked import deliveries, hook, person
from tests.judged import judged_pairs, make_project
from tests.ordered import ordered_run
from worker import lease
from worker.report import Report

pytestmark = pytest.mark.usefixtures("loopback_allowed")
URL = "http://127.0.0.1:9/"


def told(webhook: Webhook) -> list[tuple[str, object]]:
    return [(row.event, row.data.get("id", row.data.get("count"))) for row in deliveries(webhook)]


def test_a_dataset_is_told_of_when_it_is_there(ada: User):
    one = hook(ada, URL)
    with work_unit() as session:
        dataset = trained.make_dataset(session, "words")
        project = session.get_one(Project, dataset.project_id)
    [row] = deliveries(one)
    assert row.event == "dataset.ready"
    assert row.data == {
        "id": dataset.id, "name": "words", "version": 1, "sha256": dataset.sha256, "project": project.slug,
    }  # fmt: skip


def test_what_is_rolled_back_is_not_told(ada: User):
    one = hook(ada, URL)

    def freeze_and_fail() -> None:
        with work_unit() as session:
            trained.make_dataset(session, "words")
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        freeze_and_fail()
    assert deliveries(one) == []


def test_a_run_that_publishes_tells_of_its_end_and_of_its_checkpoint(ada: User):
    run_id = ordered_run(ada)
    one = hook(ada, URL)
    held = lease.claim(run_id, "train@here")
    assert held
    report = Report(run_id, held.fence)
    run, _dataset = report.read()
    report.publish(run, "policy", "checkpoints/none", [], "ab" * 32, {})
    assert {event for event, _id in told(one)} == {"run.finished", "checkpoint.published"}
    finished = next(row for row in deliveries(one) if row.event == "run.finished")
    assert finished.data["id"] == run_id
    assert (finished.data["state"], finished.data["error"]) == ("finished", None)


def test_a_run_that_fails_tells_why_in_its_first_words_and_not_its_log(ada: User):
    run_id = ordered_run(ada)
    one = hook(ada, URL)
    held = lease.claim(run_id, "train@here")
    assert held
    lease.fail(held, "The loss is not a number.\n\nstep 11 of a log that is nobody's business")
    [row] = deliveries(one)
    assert (row.event, row.data["error"]) == ("run.failed", "The loss is not a number.")


def test_a_run_that_is_cancelled_before_it_begins_is_told_of_too(ada: User):
    run_id = ordered_run(ada)
    one = hook(ada, URL)
    with work_unit() as session:
        cancel_run(session, Person(ada.id, ada.name, ada.role), session.get_one(Run, run_id))
    assert told(one) == [("run.cancelled", run_id)]


def test_a_run_that_goes_back_to_the_queue_is_not_over(ada: User):
    run_id = ordered_run(ada)
    one = hook(ada, URL)
    held = lease.claim(run_id, "train@here")
    assert held
    lease.give_back(held)
    assert told(one) == []


def test_a_webhook_is_told_what_it_asked_for_and_what_is_of_its_project(ada: User):
    with work_unit() as session:
        ours, other = make_project(session, "ours"), make_project(session, "other")
    everything = hook(ada, URL, events=["dataset.ready"])
    runs = hook(ada, URL, events=["run.finished"])
    of_ours = hook(ada, URL, project=ours)
    of_other = hook(ada, URL, project=other)
    with work_unit() as session:
        dataset = trained.make_dataset(session, "words")
        paused = session.get_one(Webhook, everything.id)
        service.pause(session, person(ada), paused)
        session.execute(update(Project).where(Project.id == dataset.project_id).values(name="Words"))
    with work_unit() as session:
        second = trained.make_dataset(session, "more")
        second.project_id = ours.id
    assert told(everything) == [("dataset.ready", dataset.id), ("dataset.ready", second.id)]
    assert (told(runs), told(of_ours), told(of_other)) == ([], [], [])


def test_every_event_has_a_place_in_the_api(ada: User):
    one = hook(ada, URL)
    with work_unit() as session:
        dataset = trained.make_dataset(session, "words")
        run = trained.make_run(session, dataset, state="running")
        run.state = "finished"
        session.flush()
        trained.make_checkpoint(session, run)
    bodies = [events.body(row, "https://here") for row in deliveries(one)]
    places = [body.partition(b'"url":"')[2].partition(b'"')[0].decode() for body in bodies]
    assert [place.split("/")[-2] for place in places] == ["datasets", "runs", "checkpoints"]


# --- judgments


def counted() -> int:
    with work_unit() as session:
        return tell_counts(session)


def more(slug: str, n: int) -> None:
    """So many judgments more, in a project of their own that is then one with `slug`."""
    with work_unit() as session:
        into = session.query(Project).filter_by(slug=slug).one()
        spare = judged_pairs(session, n, f"spare-{session.query(Project).count()}")
        session.execute(update(Judgment).where(Judgment.project_id == spare.id).values(project_id=into.id))


def test_numbers_of_judgments_are_told_when_they_are_reached(ada: User):
    with work_unit() as session:
        project = make_project(session, "words")
    one = hook(ada, URL, project=project, judgment_counts=[3, 5], judgments_every=None)
    more("words", 2)
    assert counted() == 0
    more("words", 2)
    assert counted() == 1
    assert counted() == 0
    more("words", 1)
    assert counted() == 1
    assert told(one) == [("judgments.reached", 3), ("judgments.reached", 5)]
    [three, five] = deliveries(one)
    assert three.data == {"project": "words", "count": 3, "judgments": 4}
    assert five.data == {"project": "words", "count": 5, "judgments": 5}


def test_numbers_that_were_reached_before_are_no_news(ada: User):
    with work_unit() as session:
        project = judged_pairs(session, 4, "words")
    one = hook(ada, URL, project=project, judgment_counts=[2, 5], judgments_every=None)
    assert counted() == 0
    more("words", 1)
    assert counted() == 1
    assert told(one) == [("judgments.reached", 5)]


def test_a_number_is_told_once_also_when_judgments_are_withdrawn_and_given_again(ada: User):
    with work_unit() as session:
        project = make_project(session, "words")
    one = hook(ada, URL, project=project, judgment_counts=[3], judgments_every=None)
    more("words", 3)
    counted()
    with work_unit() as session:
        session.execute(update(Judgment).values(is_current=False))
    more("words", 3)
    with work_unit() as session:
        session.execute(update(WebhookCount).values(looked_at=None))
    assert counted() == 0
    assert told(one) == [("judgments.reached", 3)]


def test_a_webhook_of_the_whole_place_counts_each_project_also_those_to_come(ada: User):
    one = hook(ada, URL, events=["judgments.reached"], judgments_every=10)
    with work_unit() as session:
        judged_pairs(session, 12, "words")
        judged_pairs(session, 9, "others")
    jobs.sweep()
    more("others", 1)
    jobs.sweep()
    jobs.sweep()
    assert [(row.data["project"], row.data["count"]) for row in deliveries(one)] == [("words", 10), ("others", 10)]


def test_nothing_is_counted_while_too_little_has_come_in(ada: User):
    with work_unit() as session:
        project = make_project(session, "words")
    hook(ada, URL, project=project, judgment_counts=[10_000], judgments_every=None)
    counted()
    more("words", 2)
    with work_unit() as session:
        before = session.query(WebhookCount).one().looked_at
    counted()
    with work_unit() as session:
        assert session.query(WebhookCount).one().looked_at == before
        assert session.query(Delivery).count() == 0
