"""Every page at both widths and in both themes: nothing sticks out to the side, no script complains, axe finds nothing.

The pages are those of the app's routes: one that is not looked at fails the last test.
With TIEBREAK_SCREENSHOTS=folder the pictures are kept there, for people to look at; the judging pages with more contrast and with
colours of the reader's own as well.
"""

import os
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Page
from sqlalchemy import Engine

from app.main import PAGES
from app.models import User
from tests.browser.axe import OF_COLOURS, OF_WORDS, violations
from tests.browser.conftest import Open
from tests.browser.full_place import fill

WIDTHS = {"desk": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
NOBODYS = {"sign_in": "/sign-in"}
BENS = {
    "judge_pair": "/projects/everyday/judge",
    "judge_ranking": "/projects/farewells/judge",
    "judge_nothing": "/projects/empty/judge",
    "projects_annotator": "/projects",
    "mistake": "/people",
}
ADAS = {
    "projects": "/projects",
    "project": "/projects/everyday",
    "project_new": "/projects/new",
    "project_settings": "/projects/everyday/settings",
    "project_people": "/projects/everyday/people",
    "project_history": "/projects/everyday/history",
    "import": "/projects/everyday/import",
    "items": "/projects/everyday/items",
    "datasets": "/datasets",
    "dataset_new": "/datasets/new",
    "runs": "/runs",
    "trainers": "/trainers",
    "run_new": "/runs/new",
    "run_new_checked": "/runs/new?preflight=1&preset=careful",
    "checkpoints": "/checkpoints",
    "people": "/people",
    "audit": "/audit",
    "account": "/account",
    "tokens": "/tokens",
    "webhooks": "/webhooks",
    "webhook_new": "/webhooks/new?project=everyday",
}
# Routes that answer with no page of their own.
PARTS = {
    "/": "leads to the projects",
    "/projects/{slug}/live": "part of /projects/{slug}",
    "/people/invitations": "leads to /people",
    "/people/passwords": "leads to /people",
    "/projects/{slug}/invitations": "leads to the people of a project",
    "/datasets/new/preview": "part of /datasets/new",
    "/runs/new/launch_form": "part of /runs/new",
    "/runs/preflight/{preflight_id}": "part of /runs/new",
    "/runs/{run_id}/progress": "part of /runs/{run_id}",
    "/webhooks/{webhook_id}/deliveries": "part of /webhooks/{webhook_id}",
    "/webhooks/{webhook_id}/secret": "leads to /webhooks/{webhook_id}",
}
# What readers may set for themselves (WCAG 1.4.12).
SPACED = """
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }");
    document.adoptedStyleSheets = [sheet];
"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_axe_finds_nothing(visit: Open, ada: User, ben: User, cleo: User, width: str) -> None:
    rows = fill(ada, ben)
    is_phone = width == "phone"
    told = {"viewport": WIDTHS[width], "has_touch": is_phone, "is_mobile": is_phone, "reduced_motion": "reduce"}
    too_wide, broken = {}, {}
    for person, places in ((None, NOBODYS), (ben, BENS), (ada, ADAS | rows)):
        page = visit(person, "/sign-in", **told)
        for name, path in places.items():
            page.emulate_media(color_scheme="light")
            page.goto(path)
            take_picture(page, f"{name}_{width}_light")
            too_wide[name] = page.evaluate(SIDEWAYS)
            broken[name] = violations(page)
            page.emulate_media(color_scheme="dark")
            take_picture(page, f"{name}_{width}_dark")
            broken[f"{name} in the dark"] = violations(page, *OF_COLOURS)
            if name.startswith("judge"):
                page.emulate_media(color_scheme="light", contrast="more")
                take_picture(page, f"{name}_{width}_contrast")
                page.emulate_media(contrast="no-preference", forced_colors="active")
                take_picture(page, f"{name}_{width}_forced")
                page.emulate_media(forced_colors="none")
    assert {name: found for name, found in broken.items() if found} == {}
    assert {name: pixels for name, pixels in too_wide.items() if pixels} == {}


def take_picture(page: Page, name: str) -> None:
    if folder := os.environ.get("TIEBREAK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=not name.startswith("judge"))


@pytest.mark.slow
def test_every_page_fits_a_narrow_window_with_more_space_between_letters(
    visit: Open, ada: User, ben: User, cleo: User
) -> None:
    """320 pixels are a desk's 1280 at four times the size (WCAG 1.4.10). German words are long."""
    rows = fill(ada, ben)
    too_wide, misnamed = {}, {}
    for person, places in ((None, NOBODYS), (ben, BENS), (ada, ADAS | rows)):
        page = visit(person, "/sign-in", viewport={"width": 320, "height": 640}, locale="de")
        for name, path in places.items():
            page.goto(path)
            misnamed[name] = violations(page, OF_WORDS)
            page.evaluate(SPACED)
            too_wide[name] = page.evaluate(SIDEWAYS)
    assert {name: found for name, found in misnamed.items() if found} == {}
    assert {name: pixels for name, pixels in too_wide.items() if pixels} == {}


def test_no_page_is_left_out(database: Engine, ada: User, ben: User, cleo: User) -> None:
    seen = {*NOBODYS.values(), *BENS.values(), *(ADAS | fill(ada, ben)).values()}
    routes = [route for router in PAGES for route in router.routes if isinstance(route, APIRoute)]
    pages = {route.path for route in routes if "GET" in route.methods}
    paths = {path.partition("?")[0] for path in seen}
    looked_at = {next(one.path for one in routes if one.path_regex.match(path)) for path in paths}
    assert pages - looked_at == set(PARTS)


def test_axe_would_find_something(visit: Open) -> None:
    """Otherwise that it finds nothing would say nothing."""
    page = visit(None, "/sign-in")
    page.evaluate("document.querySelector('label').remove(); document.querySelector('h1').style.color = '#ccc'")
    assert {one.split(":")[0] for one in violations(page)} >= {"label", "color-contrast"}
    assert {one.split(":")[0] for one in violations(page, *OF_COLOURS)} == {"color-contrast"}
