"""What axe-core finds wrong with a page. The library comes with the set-up for tests and is never served."""

import json
from functools import lru_cache

from playwright.sync_api import Page

from app.settings import ROOT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules whose answer depends on the theme."""


@lru_cache
def library() -> str:
    return (ROOT / ".venv" / "test" / "axe.min.js").read_text()


def violations(page: Page, *, of_colours_only: bool = False) -> list[str]:
    """Each broken rule with the elements that break it; none is what we want."""
    page.evaluate(library())
    run = {"type": "rule", "values": OF_COLOURS} if of_colours_only else {"type": "tag", "values": TAGS}
    wish = json.dumps({"runOnly": run, "resultTypes": ["violations"]})
    found = page.evaluate(f"axe.run(document, {wish}).then((result) => result.violations)")
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
