"""Every page at both widths and in both themes: nothing sticks out to the side, no script complains.

With TIEBREAK_SCREENSHOTS=folder the pictures are kept there, for people to look at.
"""

import os
from pathlib import Path

import pytest

from app.models import User
from tests.browser.conftest import Open
from tests.browser.full_place import fill

WIDTHS = {"desk": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
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
    "import": "/projects/everyday/import",
    "datasets": "/datasets",
    "dataset_new": "/datasets/new",
    "runs": "/runs",
    "run_new": "/runs/new",
    "checkpoints": "/checkpoints",
    "people": "/people",
    "tokens": "/tokens",
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits(visit: Open, ada: User, ben: User, cleo: User, width: str, theme: str, tmp_path: Path) -> None:
    rows = fill(ada, ben)
    folder = Path(os.environ.get("TIEBREAK_SCREENSHOTS") or tmp_path)
    told = {
        "viewport": WIDTHS[width],
        "color_scheme": theme,
        "has_touch": width == "phone",
        "is_mobile": width == "phone",
    }
    too_wide = {}
    for person, places in ((None, NOBODYS), (ben, BENS), (ada, ADAS | rows)):
        page = visit(person, "/sign-in", **told)
        for name, path in places.items():
            page.goto(path)
            page.screenshot(path=folder / f"{name}_{width}_{theme}.png", full_page=not name.startswith("judge"))
            sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if sideways:
                too_wide[name] = sideways
    assert too_wide == {}
