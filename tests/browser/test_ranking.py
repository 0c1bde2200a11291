"""Ben puts responses in order: with the mouse, with a finger, with the keyboard. What he sees is what is stored."""

from playwright.sync_api import Locator, Page

from app import db
from app.models import User
from tests.browser.conftest import Open, until
from tests.browser.test_judging import judgments, words_of
from tests.unjudged import open_item, open_project

STORIES = "/projects/stories/judge"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def stories(ben: User, *, items: int = 1, **told: object) -> None:
    with db.work_unit() as session:
        project = open_project(session, "stories", "ranking", ben, **told)
        for number in range(items):
            open_item(session, project, f"Tell me {number}.", ["Once.", "Twice upon a time.", "Never.", "Soon."])


def letter(page: Page, label: str) -> Locator:
    return page.locator(f".order__letter[data-label={label}]")


def order(page: Page) -> str:
    """The list as it is seen, “B›A=C›D”."""
    return "".join(page.locator(".order__list").inner_text().split()).replace("Response", "")


def texts(page: Page) -> dict[str, str]:
    return dict(zip("ABCD", page.locator(".response .prose").all_inner_texts(), strict=True))


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def stored_as(shown: dict[str, str], *tiers: str) -> bool:
    (one,) = judgments()
    return all(words_of(one.tiers, tier) == {shown[label] for label in group} for tier, group in enumerate(tiers, 1))


def test_the_order_that_was_dragged_is_the_order_that_is_stored(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, STORIES)
    shown = texts(page)
    page.mouse.move(*middle(letter(page, "D")))
    page.mouse.down()
    x, y = middle(letter(page, "A"))
    page.mouse.move(x - 10, y, steps=8)
    page.mouse.up()
    assert order(page) == "D›A›B›C"
    page.locator(".order__sign").nth(1).click()
    assert order(page) == "D›A=B›C"
    page.get_by_role("button", name="Save the order").click()
    page.get_by_text("Saved: D, then A = B, then C.").first.wait_for()
    assert stored_as(shown, "D", "AB", "C")


def test_a_finger_drags_at_the_width_of_a_phone(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, STORIES, **PHONE)
    shown = texts(page)
    finger = page.context.new_cdp_session(page)
    (x, y), (there, _) = middle(letter(page, "A")), middle(letter(page, "C"))
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        point = {"x": x + (there + 12 - x) * step / 8, "y": y}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, "document.querySelector('.order__letter').dataset.label === 'B'")
    assert order(page) == "B›C›A›D"
    page.get_by_role("button", name="Save the order").click()  # a tap so soon is taken for the end of the drag at times
    page.get_by_text("Saved: B, then C, then A, then D.").first.wait_for()
    assert stored_as(shown, "B", "C", "A", "D")


def test_arrow_keys_move_a_letter_and_every_move_is_said(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, STORIES)
    shown = texts(page)
    letter(page, "C").focus()
    page.keyboard.press("ArrowUp")
    page.get_by_text("C is now in place 2 of 4").wait_for(state="attached")
    page.keyboard.press("=")
    page.get_by_text("C is now in place 1 of 4, equally good as A").wait_for(state="attached")
    assert order(page) == "A=C›B›D"
    page.reload()
    assert order(page) == "A=C›B›D"
    letter(page, "D").focus()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.get_by_text("Saved: D, then A = C, then B.").first.wait_for()
    assert stored_as(shown, "D", "AC", "B")


def test_arrow_keys_lead_from_the_texts_to_the_letters(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, STORIES)
    page.keyboard.press("ArrowRight")
    assert letter(page, "A").evaluate("one => one === document.activeElement")
    assert order(page) == "A›B›C›D"
    page.keyboard.press("ArrowRight")
    assert order(page) == "B›A›C›D"


def test_an_order_that_nobody_touched_is_asked_about_once(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, STORIES)
    page.keyboard.press("Enter")
    page.get_by_text("This is the order in which they were shown to you.").wait_for()
    assert judgments() == []
    page.keyboard.press("Enter")
    page.get_by_text("Saved: A, then B, then C, then D.").first.wait_for()


def test_an_order_with_a_gap_is_not_stored_and_without_ties_none_are_made(visit: Open, ben: User) -> None:
    stories(ben, outcomes=["ranked", "skip"])
    page = visit(ben, STORIES)
    shown = texts(page)
    for digit in "21":
        page.keyboard.press(digit)
    page.keyboard.press("Enter")
    page.get_by_text("These have no place yet: C, D.").wait_for()
    assert judgments() == []
    for digit in "22":
        page.keyboard.press(digit)
    assert order(page) == "B›D›C›A"
    assert page.locator("button.order__sign").count() == 0
    page.keyboard.press("Enter")
    page.get_by_text("Saved: B, then D, then C, then A.").first.wait_for()
    assert stored_as(shown, "B", "D", "C", "A")


def test_without_javascript_places_are_numbers(visit: Open, ben: User) -> None:
    stories(ben)
    page = visit(ben, STORIES, java_script_enabled=False)
    assert not page.locator(".order").is_visible()
    for at, place in enumerate("2113"):
        page.locator(".place").nth(at).locator(f"input[value='{place}']").check(force=True)
    page.get_by_role("button", name="Save the order").click()
    page.get_by_text("Saved: B = C, then A, then D.").wait_for()
