"""What axe-core finds wrong with a page. The library comes with the set-up for tests and is never served."""

import json
from functools import lru_cache

from playwright.sync_api import Page

from app.settings import ROOT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The rules whose answer depends on the theme, and the one whose answer depends on the language.
OF_COLOURS = ("color-contrast", "link-in-text-block")
OF_WORDS = "label-content-name-mismatch"


@lru_cache
def library() -> str:
    return (ROOT / ".venv" / "test" / "axe.min.js").read_text()


def violations(page: Page, *rules: str) -> list[str]:
    """Each broken rule, of all or of these, with the elements that break it; none is what we want."""
    page.evaluate(library())
    run = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    wish = json.dumps({"runOnly": run, "resultTypes": ["violations"]})
    found = page.evaluate(f"axe.run(document, {wish}).then((result) => result.violations)")
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
