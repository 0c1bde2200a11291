"""Ben spends his day: with one key, with the mouse, without JavaScript, with a nervous finger and a bad connection."""

from collections.abc import Sequence

from playwright.sync_api import Page, Route, expect
from sqlalchemy import delete, select

from app import db
from app.models import Judgment, Membership, Response, User
from tests.browser.conftest import Open, a_moment_later, intercept, until, with_its_own_clock
from tests.unjudged import open_item, open_project

PAIR = "/projects/pairs/judge"


def pairs(ben: User, n: int) -> None:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben, guidelines="Prefer the *shorter* one.")
        for number in range(n):
            open_item(session, project, f"Question {number}?", [f"Short {number}.", f"Long-winded {number}."])


def stories(ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "stories", "ranking", ben)
        open_item(session, project, "Tell me a story.", ["Once.", "Twice upon a time.", "Never."])


def judgments() -> list[Judgment]:
    with db.work_unit() as session:
        return list(session.scalars(select(Judgment).order_by(Judgment.id)))


def until_there_is_one(page: Page, sent: Sequence[Route]) -> None:
    while not sent:
        page.wait_for_timeout(20)


def words_of(tiers: dict[str, int], tier: int) -> set[str]:
    with db.work_unit() as session:
        keys = [key for key, given in tiers.items() if given == tier]
        return set(session.scalars(select(Response.text).where(Response.id.in_(keys))))


def test_it_takes_one_key_for_each_of_ten_pairs(visit: Open, ben: User) -> None:
    pairs(ben, 10)
    page = with_its_own_clock(visit(ben, PAIR))
    chosen = []
    for done in range(10):
        page.get_by_text(f"{done} judged by you").wait_for()
        a_moment_later(page)
        chosen.append(page.locator(".response .prose").first.inner_text())
        page.keyboard.press("1")
    page.get_by_role("heading", name="All done. Thank you.").wait_for()
    stored = judgments()
    assert [words_of(one.tiers, 1) for one in stored] == [{words} for words in chosen]
    assert all(one.duration_ms is not None and one.duration_ms > 350 for one in stored)


def test_it_shows_what_was_saved_and_takes_it_back(visit: Open, ben: User) -> None:
    pairs(ben, 2)
    page = visit(ben, PAIR)
    before = page.locator(".conversation").inner_text()
    page.get_by_role("button", name="B is better").click()
    page.locator(".choices__saved").get_by_text("Saved: B is better.").wait_for()
    page.locator("#notices").get_by_text("Saved: B is better.").wait_for(state="attached")
    assert page.locator(".conversation").inner_text() != before
    page.keyboard.press("u")
    page.get_by_text("Taken back. Here it is again.").first.wait_for()
    assert page.locator(".conversation").inner_text() == before
    page.keyboard.press("u")
    page.locator("#notices").get_by_text("You have taken the last one back already.").wait_for()
    assert [one.withdrawn for one in judgments()] == [False, True]


def test_a_comment_box_drawn_taller_does_not_break_the_policy_of_the_next_turn(visit: Open, ben: User) -> None:
    pairs(ben, 2)
    page = visit(ben, PAIR)
    page.locator("#comment").evaluate(
        "box => { box.style.height = '120px' }"
    )  # as its corner does; `visit` hears the policy
    page.keyboard.press("1")
    page.locator(".choices__saved").get_by_text("Saved: A is better.").wait_for()


def test_the_next_turn_begins_at_its_top_with_the_focus(visit: Open, ben: User) -> None:
    pairs(ben, 2)
    page = visit(ben, PAIR, viewport={"width": 390, "height": 300})
    page.mouse.wheel(0, 400)
    until(page, "scrollY > 20")
    page.get_by_role("button", name="B is better").click()
    page.locator("#notices").get_by_text("Saved: B is better.").wait_for(state="attached")
    until(page, "scrollY < 20")
    until(page, "document.activeElement.textContent === 'The prompt'")


def test_it_works_without_javascript(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR, java_script_enabled=False)
    page.get_by_role("button", name="Equally good").click()
    page.get_by_text("Saved: equally good.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.locator("summary", has_text="Skip").click()
    page.get_by_role("button", name="Without a reason").click()
    page.get_by_text("Skipped.").wait_for()
    assert [one.outcome for one in judgments()] == ["tie", "tie", "skip"]


def test_a_double_click_stores_one_judgment(visit: Open, ben: User) -> None:
    """However long the answer takes: the server hears of the first click after the second."""
    pairs(ben, 3)
    page = visit(ben, PAIR)
    sent = list[Route]()

    def hold(route: Route) -> None:
        sent.append(route)

    intercept(page, "**/turn", hold)
    page.get_by_role("button", name="A is better").dblclick(delay=20)
    until_there_is_one(page, sent)
    for route in sent:
        route.fulfill(response=route.fetch())
    page.get_by_text("Saved: A is better.").first.wait_for()
    assert len(judgments()) == 1


def test_a_key_pressed_twice_does_not_judge_the_next_pair_unseen(visit: Open, ben: User) -> None:
    """The second time in the moment in which the next pair comes."""
    pairs(ben, 3)
    page = with_its_own_clock(visit(ben, PAIR))
    page.evaluate(
        "addEventListener('htmx:afterSwap', () => document.querySelector('[data-key~=\"2\"]').click(), { once: true })"
    )
    page.keyboard.press("2")
    page.locator(".choices__saved").get_by_text("Saved: B is better.").wait_for()
    a_moment_later(page)
    page.keyboard.press("1")
    page.locator(".choices__saved").get_by_text("Saved: A is better.").wait_for()
    assert len(judgments()) == 2


def test_a_second_tab_with_the_same_pair_stores_nothing_twice(visit: Open, ben: User) -> None:
    pairs(ben, 2)
    page = visit(ben, PAIR)
    other = page.context.new_page()
    other.goto(PAIR)
    page.get_by_role("button", name="A is better").click()
    page.get_by_text("Saved: A is better.").first.wait_for()
    other.get_by_role("button", name="Both bad").click()
    other.get_by_text("You have judged this item already").wait_for()
    assert [one.outcome for one in judgments()] == ["ranked"]


def test_it_ranks_with_digits_and_enter(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, "/projects/stories/judge")
    shown = page.locator(".response .prose").all_inner_texts()
    for digit in "212":
        page.keyboard.press(digit)
    page.keyboard.press("Enter")
    page.get_by_text("Saved: B, then A = C.").first.wait_for()
    (one,) = judgments()
    assert words_of(one.tiers, 1) == {shown[1]}
    assert words_of(one.tiers, 2) == {shown[0], shown[2]}


def test_a_ranking_with_a_gap_is_not_stored(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, "/projects/stories/judge")
    page.keyboard.press("1")
    page.get_by_role("button", name="Save the order").click()
    page.get_by_text("These have no place yet: B, C.").wait_for()
    assert judgments() == []


def test_a_lost_connection_is_said_and_the_judgment_is_sent_again_by_itself(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR)
    page.context.set_offline(True)
    page.get_by_role("button", name="A is better").click()
    page.get_by_text("Not saved yet: the server cannot be reached.").wait_for()
    assert page.get_by_role("button", name="A is better").get_attribute("aria-pressed") == "true"
    page.context.set_offline(False)
    page.get_by_role("heading", name="All done. Thank you.").wait_for()
    assert len(judgments()) == 1


def test_what_the_server_refuses_is_said_in_its_words(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR)
    with db.work_unit() as session:
        session.execute(delete(Membership))
    page.get_by_role("button", name="A is better").click()
    page.get_by_text("There is no project “pairs” that you may see.").wait_for()


def test_a_server_that_is_broken_is_not_passed_over_in_silence(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR)
    intercept(page, "**/turn", lambda route: route.fulfill(status=500, body="<h1>Broken</h1>"))
    page.get_by_role("button", name="A is better").click()
    page.get_by_text("Not saved: something is broken on our side.").wait_for()
    assert page.get_by_role("button", name="A is better").is_visible()


def test_a_digit_that_the_marked_question_does_not_know_saves_nothing(visit: Open, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben, asks_strength=True, dimensions=["honest", "clear"])
        open_item(session, project, "Which?", ["This.", "That."])
    page = visit(ben, PAIR)
    choice = page.get_by_role("button", name="A much better")
    assert not choice.locator("kbd").is_visible()
    page.keyboard.press("6")
    page.get_by_text("First comes “honest”: 1, 2 or 3, and 0 leaves it open.").wait_for()
    for digit in "10":
        page.keyboard.press(digit)
    assert page.get_by_text("First comes").count() == 0
    assert choice.locator("kbd").is_visible()
    assert judgments() == []
    page.keyboard.press("6")
    page.get_by_text("Saved: B is clearly better. honest: A.").first.wait_for()


def test_guidelines_longer_than_their_sheet_are_read_with_the_keyboard(visit: Open, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben, guidelines="Read to the end.\n\n" * 60)
        open_item(session, project, "Which?", ["This.", "That."])
    page = visit(ben, PAIR)
    assert page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0  # no bar where all fits
    page.keyboard.press("g")
    sheet = page.locator(".desk__sheet").first
    expect(sheet).to_be_focused()  # a moment after it has opened
    page.keyboard.press("End")
    expect(sheet.locator("p").last).to_be_in_viewport()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    sheet.wait_for(state="hidden")
    assert judgments() == []
    page.keyboard.press("1")
    page.get_by_text("Saved: A is better.").first.wait_for()


def test_a_sheet_that_a_finger_opened_is_closed_by_one(visit: Open, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben, guidelines="Be fair.", comments="required")
        open_item(session, project, "Which?", ["This.", "That.\n\n" * 40])
    page = visit(ben, PAIR, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    switch, sheet = page.locator("summary", has_text="Guidelines"), page.locator(".desk__sheet").first
    for beside in (switch, page.locator(".response .prose").first):
        switch.tap()
        expect(sheet).to_be_visible()
        page.wait_for_timeout(350)  # two taps of one place within less are a double tap
        beside.tap()
        expect(sheet).to_be_hidden()
    page.get_by_role("button", name="A is better").tap()
    comment = page.locator("#comment")
    expect(comment).to_be_focused()
    top, bottom = (f"document.querySelector('{one}').getBoundingClientRect()" for one in (".choices", "#comment"))
    until(page, f"{bottom}.bottom <= {top}.top")
    assert judgments() == []


def test_keys_can_be_turned_off(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR)
    page.keyboard.press("?")
    page.get_by_label("Single keys press buttons").uncheck()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("1")
    page.get_by_role("button", name="Equally good").click()
    page.get_by_role("heading", name="All done. Thank you.").wait_for()
    assert [one.outcome for one in judgments()] == ["tie"]


def test_a_session_that_ended_leads_back_to_the_same_page(visit: Open, ben: User) -> None:
    pairs(ben, 1)
    page = visit(ben, PAIR)
    page.context.clear_cookies()
    page.get_by_role("button", name="A is better").click()
    page.wait_for_url(f"**/sign-in?next={PAIR}")
