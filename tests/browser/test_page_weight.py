"""How much travels: sizes are the same on every machine, so they can be promised."""

import gzip
from collections.abc import Callable

from app.models import User
from app.settings import ROOT
from tests.browser.conftest import Open
from tests.browser.test_judging import PAIR, pairs
from tests.browser.weight import weighed

FIRST_LOAD_KB = 60
NEXT_ITEM_KB = 10


def test_the_judging_page_is_light_and_the_next_item_lighter(
    visit: Open, ben: User, record_property: Callable[[str, object], None]
) -> None:
    pairs(ben, 3)
    page = visit(ben, "/projects")
    sizes = weighed(page)
    page.goto(PAIR, wait_until="networkidle")
    first_load = sum(sizes)
    sizes.clear()
    page.keyboard.press("1")
    page.locator(".choices__saved").get_by_text("Saved: A is better.").wait_for()
    while not sizes:
        page.wait_for_timeout(20)
    next_item = sum(sizes)
    record_property("bytes", {"first load": first_load, "next item": next_item})
    assert 10_000 < first_load < FIRST_LOAD_KB * 1000
    assert 500 < next_item < NEXT_ITEM_KB * 1000


def test_our_own_scripts_stay_small() -> None:
    ours = {path.name: len(gzip.compress(path.read_bytes(), mtime=0)) for path in (ROOT / "static").glob("*.js")}
    assert sum(ours.values()) < 20_000, ours
    assert max(ours.values()) < 5_000, ours
