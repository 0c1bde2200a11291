"""How a project is getting on, as its owner sees it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db
from app.models import Project, User
from app.projects.live import Live, Standing, again_in_s, estimated_end, live, recent_rate
from tests.queued import claimed, judged, queued, value

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def seen() -> Live:
    with db.work_unit() as session:
        return live(session, session.scalars(select(Project)).one())


def hour(ago: int, n: int) -> dict[str, Any]:
    begins = NOW.replace(minute=0) - timedelta(hours=ago)
    return {"hour": begins, "n": n, "first": begins + timedelta(minutes=1)}


def test_every_judgment_wanted_is_done_open_with_people_or_set_aside(ben: User, cleo: User):
    project = queued(ben, cleo, items=4, wanted=2)
    judged(ben, claimed(ben, project))
    judged(cleo, claimed(cleo, project))
    claimed(ben, project)
    value("UPDATE item SET set_aside = true WHERE id = (SELECT max(id) FROM item WHERE open_slots = 2) RETURNING id")
    standing = seen().standing
    assert (standing.items, standing.wanted, standing.done, standing.leased) == (4, 8, 2, 1)
    assert standing.set_aside in {0, 2}
    assert standing.done + standing.leased + standing.open + standing.set_aside == standing.wanted


def test_it_counts_what_each_person_did(ben: User, cleo: User):
    project = queued(ben, cleo, items=4)
    judged(ben, claimed(ben, project))
    judged(ben, claimed(ben, project), outcome="tie")
    judged(cleo, claimed(cleo, project), outcome="skip")
    ours = {one.name: one for one in seen().annotators}
    assert (ours["Ben"].in_all, ours["Ben"].recently, ours["Ben"].tie_share, ours["Ben"].skip_share) == (2, 2, 0.5, 0)
    assert (ours["Cleo"].in_all, ours["Cleo"].skip_share, ours["Cleo"].median_s) == (1, 1, None)
    value("UPDATE judgment SET duration_ms = 1000 * id WHERE outcome <> 'skip' RETURNING id")
    assert {one.name: one.median_s for one in seen().annotators} == {"Ben": 1.5, "Cleo": None}


def test_old_work_counts_in_all_and_not_lately(ben: User):
    project = queued(ben, items=2)
    judged(ben, claimed(ben, project))
    value("UPDATE judgment SET created_at = now() - interval '3 days' RETURNING id")
    found = seen()
    (one,) = found.annotators
    assert (one.in_all, one.today, one.recently, found.rate, found.end, found.chart) == (1, 0, 0, 0, None, None)


def test_hours_without_judgments_are_drawn_as_none(ben: User):
    project = queued(ben, items=2)
    judged(ben, claimed(ben, project))
    assert seen().chart is None  # the hour that goes on would look like a fall
    value("UPDATE judgment SET created_at = now() - interval '5 hours' RETURNING id")
    chart = seen().chart
    assert chart
    assert len(chart.lines[0].strong[0].split()) == 47
    assert chart.lines[0].last == 0
    assert {tick.words[-3:] for tick in chart.x_ticks} > {":00"}


def test_the_rate_goes_by_the_last_day_or_since_the_first_judgment_in_it():
    assert recent_rate([], NOW) == 0
    assert recent_rate([hour(30, 500), hour(20, 24), hour(2, 24)], NOW) == pytest.approx(2, rel=0.05)
    assert recent_rate([hour(2, 50)], NOW) == pytest.approx(50 / 2.5, rel=0.05)
    assert recent_rate([hour(40, 50)], NOW) == 0


def test_the_end_is_said_once_enough_was_judged():
    standing = Standing(items=10, wanted=100, done=40, leased=10, open=40, set_aside=10)
    assert estimated_end(standing, 10, [hour(1, 40)], NOW) == NOW + timedelta(hours=5)
    assert estimated_end(standing, 10, [hour(1, 4)], NOW) is None
    assert estimated_end(standing, 0, [hour(40, 40)], NOW) is None
    done = Standing(items=10, wanted=100, done=90, leased=0, open=0, set_aside=10)
    assert estimated_end(done, 10, [hour(1, 40)], NOW) is None


def test_the_owner_sees_it_and_an_annotator_nothing_of_it(ada_browser: TestClient, ben: User, ben_browser: TestClient):
    project = queued(ben, items=2)
    judged(ben, claimed(ben, project))
    page = ada_browser.get("/projects/words").text
    assert 'hx-get="/projects/words/live"' in page
    assert "Ben" in page
    fragment = ada_browser.get("/projects/words/live", headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<section class="stack" id="live"')
    page = ben_browser.get("/projects/words").text
    assert "/live" not in page
    assert "How it is going" not in page
    assert ben_browser.get("/projects/words/live").status_code == 403


def test_whoever_watches_a_large_project_asks_more_seldom():
    assert [again_in_s(took_s) for took_s in (0.001, 0.1, 0.5, 60)] == [10, 10, 50, 300]
