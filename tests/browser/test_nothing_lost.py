"""What Ben has begun is not lost, and what he has said is stored once: connections drop, tabs multiply, sessions end."""

from playwright.sync_api import Page, Route, expect

from app import db
from app.models import User
from tests.browser.conftest import Open, a_moment_later, intercept, until, with_its_own_clock
from tests.browser.test_judging import PAIR, judgments, pairs
from tests.queued import value
from tests.unjudged import open_item, open_project

WORDS = "B leaves out the question."
COMMENT = "#comment"


def asked(ben: User, **told: object) -> None:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben, **told)
        for number in range(2):
            open_item(session, project, f"Question {number}?", [f"Short {number}.", f"Long-winded {number}."])


def write_comment(page: Page) -> None:
    page.keyboard.press("c")
    page.locator(COMMENT).press_sequentially(WORDS)


def saved(page: Page, words: str) -> None:
    page.locator(".choices__saved").get_by_text(words).wait_for()


def test_a_half_written_comment_and_half_answered_questions_survive_a_reload(visit: Open, ben: User) -> None:
    asked(ben, dimensions=["Honest", "Kind"], asks_strength=True)
    page = visit(ben, PAIR)
    page.keyboard.press("1")
    write_comment(page)
    page.reload()
    assert page.locator(COMMENT).input_value() == WORDS
    assert page.locator("[name='dimension.Honest']:checked").count() == 1
    assert page.locator("[name='dimension.Kind']:checked").count() == 0
    for key in "37":
        page.keyboard.press(key)
    saved(page, f"Saved: B is much better. Honest: A. Kind: equal. Comment: “{WORDS}”")
    assert page.locator(COMMENT).input_value() == ""
    until(page, "!Object.keys(localStorage).some((one) => one.includes('draft'))")
    assert [(one.strength, one.comment) for one in judgments()] == [(3, WORDS)]


def test_ctrl_enter_saves_from_within_a_required_comment(visit: Open, ben: User) -> None:
    asked(ben, comments="required", comment_min_length=10)
    page = visit(ben, PAIR)
    page.keyboard.press("c")
    until(page, "document.activeElement.id === 'comment'")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    until(page, "document.activeElement.id === 'comment'")
    assert page.get_by_role("button", name="B is better").get_attribute("aria-pressed") == "true"
    page.keyboard.type(WORDS)
    page.keyboard.press("Control+Enter")
    saved(page, "Saved: B is better.")
    assert [one.comment for one in judgments()] == [WORDS]


def test_a_judgment_whose_answer_got_lost_is_sent_again_and_stored_once(visit: Open, ben: User) -> None:
    pairs(ben, 2)
    page = visit(ben, PAIR)
    tries = []

    def lose_the_first_answer(route: Route) -> None:
        tries.append(route.request.post_data_json["key"])
        if len(tries) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    intercept(page, "**/turn", lose_the_first_answer)
    page.keyboard.press("1")
    page.get_by_text("Not saved yet: the server cannot be reached.").wait_for()
    saved(page, "Saved: A is better.")
    assert len(tries) == 2
    assert len(set(tries)) == 1
    assert [one.outcome for one in judgments()] == ["ranked"]
    expect(page.locator("#notices .notice")).to_have_count(0)


def test_a_session_that_ended_while_judging_gives_the_chosen_answer_back(visit: Open, ben: User) -> None:
    asked(ben)
    page = visit(ben, PAIR)
    write_comment(page)
    page.keyboard.press("Escape")
    page.context.clear_cookies()
    page.keyboard.press("2")
    page.wait_for_url("**/sign-in?next=**")
    page.get_by_label("E-mail address").fill("ben@example.org")
    page.get_by_label("Password").fill("ben-password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("You had chosen an answer that was not saved.").wait_for()
    assert page.locator(COMMENT).input_value() == WORDS
    page.keyboard.press("Enter")
    saved(page, "Saved: B is better.")
    assert [one.comment for one in judgments()] == [WORDS]


def test_the_back_button_stores_nothing_twice(visit: Open, ben: User) -> None:
    pairs(ben, 2)
    page = visit(ben, "/projects")
    page.goto(PAIR)
    page.keyboard.press("1")
    saved(page, "Saved: A is better.")
    page.evaluate("window.isTheOld = true")
    page.go_back()
    page.go_forward()
    until(page, "!window.isTheOld && document.readyState === 'complete'")  # one that the browser kept is loaded anew
    page.keyboard.press("2")
    page.get_by_role("heading", name="All done. Thank you.").wait_for()
    assert len(judgments()) == 2
    assert len({one.item_id for one in judgments()}) == 2


def test_what_a_second_tab_wrote_too_late_is_there_again_after_an_undo(visit: Open, ben: User) -> None:
    asked(ben)
    page = visit(ben, PAIR)
    other = page.context.new_page()
    other.goto(PAIR)
    with_its_own_clock(other)
    page.keyboard.press("1")
    saved(page, "Saved: A is better.")
    write_comment(other)
    other.keyboard.press("Escape")
    other.keyboard.press("2")
    other.get_by_text("You have judged this item already").wait_for()
    assert other.locator(COMMENT).input_value() == ""
    a_moment_later(other)
    other.keyboard.press("u")
    other.get_by_text("Taken back. Here it is again.").first.wait_for()
    assert other.locator(COMMENT).input_value() == WORDS
    assert len(judgments()) == 2


def test_a_reason_to_skip_takes_two_keys_and_none_takes_one(visit: Open, ben: User) -> None:
    pairs(ben, 3)
    page = with_its_own_clock(visit(ben, PAIR))
    page.keyboard.press("s")
    page.keyboard.press("3")
    saved(page, "Skipped: Broken or unreadable.")
    a_moment_later(page)
    page.keyboard.press("Shift+S")
    saved(page, "Skipped.")
    a_moment_later(page)
    page.keyboard.press("s")
    page.get_by_placeholder("Another reason").fill("cut off")
    page.keyboard.press("Enter")
    page.get_by_text("Skipped: cut off.").first.wait_for()
    assert [one.skip_reason for one in judgments()] == ["unreadable", "", "cut off"]


def test_the_layout_and_the_lease_are_kept_while_the_page_is_open(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR)
    page.clock.install()
    page.reload()
    value("UPDATE assignment SET expires_at = now() + interval '1 minute' RETURNING 1")
    page.keyboard.press("v")
    assert "turn--stacked" in (page.locator("#turn").get_attribute("class") or "")
    with page.expect_response("**/renew") as renewed:
        page.clock.run_for(11 * 60_000)
    assert renewed.value.status == 204
    assert value("SELECT expires_at > now() + interval '20 minutes' FROM assignment")
    page.reload()
    assert "turn--stacked" in (page.locator("#turn").get_attribute("class") or "")
