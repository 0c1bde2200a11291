"""Votes that were given elsewhere, given again in a real browser by keyboard alone: the keys that the page itself prints."""

import random

import pytest
from playwright.sync_api import Page

from app import db
from app.models import User
from tests.annotator import Turn, turn_on
from tests.browser.conftest import Open, until
from tests.queued import slots_that_do_not_add_up
from tests.unjudged import open_item, open_project
from tests.voted import Ballots, Voted, assert_equal_to_source

# The page takes no key within 350 ms of a turn's arrival: it would be meant for the one before.
ARRIVED_MS = 450
ANOTHER = "last => document.readyState === 'complete' && document.querySelector('[name=assignment]')?.value !== last"


def on_desk(ben: User, kind: str, votes: list[tuple[int, ...]]) -> list[Voted]:
    items = [
        Voted(f"Question {n}?", tuple(f"Answer {n}.{place} of *{kind}*" for place in range(len(vote))), (vote,))
        for n, vote in enumerate(votes)
    ]
    with db.work_unit() as session:
        project = open_project(session, kind, kind, ben)
        for item in items:
            open_item(session, project, item.prompt, item.texts)
    return items


def keys_for(turn: Turn, form: dict[str, str]) -> list[str]:
    """The digits of the places in the order of the page, and the key of the button that the form presses."""
    places = [form[f"tier.{key}"] for key in turn.texts if f"tier.{key}" in form]
    return [*places, turn.form.button(form["choice"]).keys.split()[0]]


def judge_by_keyboard(page: Page, email: str, ballots: Ballots) -> None:
    while (turn := turn_on(page.content())) is not None:
        page.wait_for_timeout(ARRIVED_MS)
        for key in keys_for(turn, turn.filled(ballots.decide(email, turn))):
            page.keyboard.press(key)
        until(page, ANOTHER, turn.assignment)
        ballots.note(email, turn)


@pytest.mark.slow
def test_two_dozen_pairs_and_a_dozen_rankings_are_judged_with_keys_as_they_were_elsewhere(
    visit: Open, ben: User
) -> None:
    draw = random.Random(11)
    kinds = {
        "pair": [draw.choice([(1, 2), (2, 1), (1, 1)]) for _ in range(24)],
        "ranking": [tuple(draw.sample(range(1, size + 1), size)) for size in [3, 4, 5] * 4],
    }
    for kind, votes in kinds.items():
        items = on_desk(ben, kind, votes)
        ballots = Ballots(items)
        judge_by_keyboard(visit(ben, f"/projects/{kind}/judge"), ben.email or "", ballots)
        assert_equal_to_source(items, ballots, [kind])
    assert slots_that_do_not_add_up() == []
