import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reading import markdown as module
from app.reading.markdown import markdown

VOID = {"br", "hr"}
ADDRESS = re.compile(r"(https?:|mailto:)", re.IGNORECASE)
PIECES = [
    *"*_~`[]()!<>#$|\\-+=:&\"' \n\tax1é🙂ש",
    "$$",
    "\\(",
    "\\]",
    "```",
    "\n\n",
    "\n> ",
    "\n- [x] ",
    "\n1. ",
    "\n|a|b|\n|-|-:|\n",
    "```python\n",
    "```html\n",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "](javascript:alert(1))",
    "](data:text/html,x)",
    "![",
    "<style>",
    "<math><mtext></style>",
    "<svg/onload=alert(1)>",
    "\\frac{",
    "\\text{<b onclick=x>}",
    "\\href{javascript:alert(1)}{x}",
    "\\begin{matrix}",
    "\\newcommand\\a{\\a\\a}\\a",
    "&lt;script&gt;",
    "&#x3c;",
    "http://example.org/?a=<b>",
    "\x00",
    "\u202e",
]


class Strict(HTMLParser):
    """Everything that stands in the HTML is on the lists, and whatever is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in module._TAGS | module.formulas.TAGS
        allowed = module._ATTRIBUTES.get(tag, set()) | module.formulas.ATTRIBUTES.get(tag, set())
        for name, value in attrs:
            if name == "class":
                assert set((value or "").split()) <= module._CLASSES[tag]
            elif (tag, name) != ("a", "rel"):
                assert name in allowed
            if name == "href":
                assert ADDRESS.match(value or "") or ":" not in (value or "").split("/")[0]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200))
@settings(max_examples=300)
def test_no_text_makes_anything_that_is_not_on_the_lists(text: str) -> None:
    Strict(module.rendered(text))


def test_it_keeps_tables_code_and_lines_and_scrolls_wide_tables() -> None:
    html = markdown("| a |\n|--:|\n| 1 |\n\n```\nx < 1\n```\n\none\ntwo")
    assert '<div class="scroll" tabindex="0" dir="auto"><table>' in html
    assert '<th class="right">a</th>' in html
    assert '<pre tabindex="0"><code>x &lt; 1\n</code></pre>' in html
    assert "one<br>" in html


def test_headings_of_a_text_rank_below_those_of_the_page() -> None:
    assert markdown("## Two\n###### Six") == '<h3 dir="auto">Two</h3>\n<h4 dir="auto">Six</h4>\n'


def test_tasks_are_shown_as_boxes_that_nobody_can_tick() -> None:
    assert markdown("- [x] done\n- [ ] *open*\n- [y] other") == (
        '<ul dir="auto">\n<li class="task">☑ done</li>\n<li class="task">☐ <em>open</em></li>\n<li>[y] other</li>\n</ul>\n'
    )


def test_a_box_with_nothing_behind_it_is_no_task() -> None:
    assert "<li>[x]<br>" in markdown("- [x] \n  |a|\n")


def test_what_was_struck_out_is_struck_out() -> None:
    assert markdown("~~old~~") == '<p dir="auto"><s>old</s></p>\n'


def test_each_block_finds_its_own_direction() -> None:
    html = markdown("שלום\n\n- مرحبا\n\n> hello")
    assert [html.count(tag) for tag in ('<p dir="auto">', '<ul dir="auto">', '<blockquote dir="auto">')] == [1, 1, 1]
    assert "<p>hello</p>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<div class=scroll onclick=x>",
        "![a](http://evil.example/a.png)",
        "[a](javascript:alert(1))",
        "<http://ok.example> <img src=x onerror=alert(1)>",
        "[a](data:text/html,<script>)",
        "<th class=masthead>",
        "<math><mtext><script>",
    ],
)
def test_it_neither_runs_nor_loads_anything(text: str) -> None:
    html = markdown(text)
    for sign in ("<script", "<img", "<div", "<th", "<math", 'href="javascript', 'href="data'):
        assert sign not in html


def test_an_image_becomes_a_link_with_its_words() -> None:
    assert '<a href="http://x.example/c.png" rel="noopener noreferrer nofollow">🖼 a cat</a>' in markdown(
        "![a cat](http://x.example/c.png)"
    )
    assert markdown("[![a cat](http://x.example/c.png)](http://y.example)").count("<a ") == 1


def test_a_text_that_would_take_long_is_shown_as_it_is() -> None:
    for text in ("*a* <b>" * 9000, "[" * 5000):
        html = markdown(text)
        assert html.startswith('<pre class="plain" dir="auto">')
        assert "<em>" not in html
        assert "<b>" not in html


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "![",
        "*a_",
        "**a*",
        "> ",
        "- ",
        "1. ",
        "`",
        "$a ",
        "$$\n",
        "$$a\n",
        "\\[\na\n",
        "\\[a\n",
        "|a",
        "a\n",
        "<a ",
        "~~a",
        "![a](b) ",
    ],
)
def test_the_longest_texts_of_the_worst_kind_take_seconds_at_most(piece: str) -> None:
    begun = time.process_time()
    module.rendered(piece * (module.LONGEST_MARKDOWN // len(piece)))
    assert time.process_time() - begun < 10
