"""How long a person waits after a key: from the press to the next item on the screen, and how much travels for it.

    python -m benchmarks.keypress [--presses 30]

A real browser before the real server, on an account that judges pairs of long answers with tables and code. The other
side is the least that a press could cost here: the same page asks the same server for a static fragment and draws it.
The two take turns, and the median of their differences is what judging adds to it. Both end when the frame after the
change has been handed to the screen. A tenth of a second is what people take for at once (Nielsen 1993, ch. 5).
"""

import statistics
from contextlib import ExitStack

from playwright.sync_api import Page, sync_playwright

from app import db
from app.access import COOKIE, start_session
from app.models import Project, User
from app.people import service as people
from app.prompts.groups import GivenResponse, Group
from app.prompts.service import store
from benchmarks.databases import database_of_its_own
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.servers import served
from tests.browser.conftest import ARGUMENTS, any_browser
from tests.browser.weight import weighed

AT_ONCE_MS = 100
FIRST_LOAD_BYTES, NEXT_ITEM_BYTES = 60_000, 10_000
BETWEEN_PRESSES_MS = 600  # nobody reads faster, and the page takes a second key within 350 ms for a slip
PARAGRAPH = "A paragraph of some length, with *words* to stress, `code` in a line and a [link](https://example.org). "
TABLE = "| step | cost |\n|---|--:|\n| first | 12 |\n| second | 7 |\n"
CODE = "```python\ndef area(width: float, height: float) -> float:\n    return width * height\n```\n"
# Calls back with the milliseconds from the key to the frame in which `changed` has happened.
CLOCK = """
    window.clock = (changed) => new Promise((resolve) => {
        let pressed;
        addEventListener("keydown", () => { pressed = performance.now(); }, { capture: true, once: true });
        const drawn = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - pressed)));
        addEventListener(changed, drawn, { once: true });
    });
    addEventListener("keydown", async (event) => {
        if (event.key !== "F9") return;
        const answer = await fetch("/healthz", { method: "GET" });
        document.getElementById("notices").textContent = await answer.text();
        dispatchEvent(new Event("least"));
    });
"""


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--presses", type=int, default=30)
    presses: int = parser.parse_args().presses
    with database_of_its_own(fast=False) as home, ExitStack() as stack:
        secret = prepare(presses + 2)
        port, _ = stack.enter_context(served("app.main:app", 1, home / "web.log"))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=any_browser() or give_up("there is no Chromium on the PATH"), args=ARGUMENTS
        )
        stack.callback(browser.close)
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.add_cookies([{"name": COOKIE, "value": secret, "url": f"http://127.0.0.1:{port}"}])
        measure(context.new_page(), f"http://127.0.0.1:{port}/projects/benchmark/judge", presses)


def prepare(items: int) -> str:
    """A project and somebody who judges it; returns the secret of their cookie."""
    with db.work_unit() as session:
        project = Project(slug="benchmark", name="Benchmark", kind="pair")
        person = User(email="p@example.org", name="p", role="annotator")
        session.add_all([project, person])
        session.flush()
        people.join(session, person.id, project.id)
        store(session, project, [group(number) for number in range(items)])
        return start_session(session, person)


def group(number: int) -> Group:
    """A question, and two answers of some 1,800 characters each."""
    answers = (f"{PARAGRAPH * 8}\n\n{TABLE}\n{PARAGRAPH * 6}\n\n{CODE}\nAnswer {number}.{side}" for side in (1, 2))
    messages = [{"role": "user", "content": f"Question {number}: {PARAGRAPH}"}]
    return Group(messages, tuple(GivenResponse(words) for words in answers))


def measure(page: Page, address: str, presses: int) -> None:
    sizes = weighed(page)
    page.goto(address, wait_until="networkidle")
    first_load = sum(sizes)
    page.evaluate(CLOCK)
    judging, least, items = [], [], []
    for number in range(presses):
        for key, changed in sorted([("1", "htmx:afterSettle"), ("F9", "least")], reverse=number % 2 == 0):
            page.wait_for_timeout(BETWEEN_PRESSES_MS)
            sizes.clear()
            page.evaluate("changed => { window.measured = window.clock(changed); }", changed)
            page.keyboard.press(key)
            took = float(
                page.evaluate("() => Promise.race([window.measured, new Promise((_, no) => setTimeout(no, 20000))])")
            )
            (judging if key == "1" else least).append(took)
            if key == "1":
                items.append(sum(sizes))
    if "judged by you" not in page.content():
        give_up("the page does not say that anything was judged")
    report(judging, least, first_load, items)


def report(judging: list[float], least: list[float], first_load: int, items: list[int]) -> None:
    rows = [
        (name, f"{statistics.median(one):.0f}", f"{sorted(one)[int(len(one) * 0.95)]:.0f}")
        for name, one in (("key to next item", judging), ("the least a press costs", least))
    ]
    print_table(["", "median ms", "p95 ms"], rows)
    print(f"over the wire: {first_load:,} bytes the first time, {statistics.median(items):,.0f} for each next item")
    added = statistics.median(one - other for one, other in zip(judging, least, strict=True))
    finish(
        "keypress",
        {
            "key_to_next_item_ms": Figure(round(statistics.median(judging), 1), AT_ONCE_MS, at_least=False),
            "added_by_judging_ms": Figure(round(added, 1), AT_ONCE_MS, at_least=False),
            "first_load_bytes": Figure(first_load, FIRST_LOAD_BYTES, at_least=False),
            "next_item_bytes": Figure(max(items), NEXT_ITEM_BYTES, at_least=False),
        },
    )


if __name__ == "__main__":
    main()
