"""What is read in a real browser: it fits, it folds without a script, it loads nothing, and what differs is a key away."""

from app import db
from app.models import User
from tests.browser.conftest import Open
from tests.browser.stories import WIDE
from tests.unjudged import open_item, open_project

HOSTILE = """<script>alert(1)</script><img src="http://evil.example/a.png" onerror="alert(1)"> ![a](http://evil.example/b.png)

<style>body { display: none }</style> <svg onload="alert(1)"> <iframe src="http://evil.example"></iframe>

[click](javascript:alert(1)) $\\href{javascript:alert(1)}{x}$ <math><mtext><script>alert(1)</script></mtext></math>
"""
SENTENCES = "Water them early. Cover the soil with straw. Pick what is spoilt, and do it soon."
OTHERS = SENTENCES.replace("early", "late").replace("straw", "bark")


def pair(ben: User, prompt: str | list[dict[str, str]], texts: list[str]) -> str:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben)
        open_item(session, project, prompt, texts)
    return "/projects/pairs/judge"


def test_wide_texts_scroll_by_themselves_and_never_the_page(visit: Open, ben: User) -> None:
    path = pair(ben, WIDE, [WIDE, HOSTILE])
    for width in (390, 1280):
        page = visit(ben, path, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        for wide in (".scroll", "pre", "div.formula", "span.formula"):
            box = page.locator(f".response {wide}").first
            assert box.evaluate("box => box.scrollWidth > box.clientWidth"), wide
    assert (
        page.locator(".response li").first.evaluate("item => getComputedStyle(item.parentElement).direction") == "rtl"
    )


def test_nothing_in_a_text_runs_or_is_loaded(visit: Open, ben: User) -> None:
    path = pair(ben, HOSTILE, [HOSTILE, "x"])
    page = visit(ben, "/projects")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith("http://127.0.0.1")] == []
    assert page.locator(".prose").locator("script, img, style, svg, iframe").count() == 0
    assert page.get_by_text("alert(1)").first.is_visible()


def test_a_formula_is_drawn_as_one(visit: Open, ben: User) -> None:
    page = visit(ben, pair(ben, "Why $\\frac{a}{b}$?", ["x", "y"]))
    above, below = (page.locator("mfrac > mi").nth(place).bounding_box() for place in (0, 1))
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"] + 1


def test_a_long_conversation_folds_without_javascript(visit: Open, ben: User) -> None:
    turns = [
        {"role": role, "content": f"{role} {n}. " + "More. " * 100} for n in range(3) for role in ("user", "assistant")
    ]
    path = pair(
        ben, [*turns, {"role": "user", "content": "The last question. " + "Words. " * 600 + "The end."}], ["x", "y"]
    )
    page = visit(ben, path, java_script_enabled=False)
    assert page.get_by_role("heading", name="User").count() == 1
    page.get_by_text("6 earlier turns").click()
    assert page.get_by_role("heading", name="User").count() == 4
    long = page.locator(".fold > .prose").last
    height = "box => box.getBoundingClientRect().height"
    folded = long.evaluate(height)
    page.get_by_text("Show all").click()
    assert long.evaluate(height) > folded + 100
    page.get_by_text("Show less").click()
    assert long.evaluate(height) == folded


def test_what_differs_is_a_key_away(visit: Open, ben: User) -> None:
    page = visit(ben, pair(ben, "How?", [SENTENCES, OTHERS]))
    first = page.locator(".response .prose").first.inner_text()
    page.keyboard.press("d")
    page.locator("#difference mark").first.wait_for()
    marked = [words.strip() for words in page.locator("#difference mark").all_inner_texts()]
    assert marked == (["early", "straw", "late", "bark"] if "early" in first else ["late", "bark", "early", "straw"])
    page.keyboard.press("d")
    page.locator("#difference mark").first.wait_for(state="hidden")


def test_what_differs_has_a_page_without_javascript(visit: Open, ben: User) -> None:
    page = visit(ben, pair(ben, "How?", [SENTENCES, OTHERS]), java_script_enabled=False)
    page.get_by_text("Show what differs").click()
    page.get_by_role("link", name="See them side by side").click()
    assert page.locator("mark").count() == 4
    page.get_by_role("link", name="Back to judging").click()
    assert page.get_by_text("How?").count() == 1
