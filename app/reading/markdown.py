"""Markdown as HTML that can neither run nor load anything.

Prompts, responses, comments and guidelines come from anywhere: raw HTML stays text, an image becomes a link with its
words, and whatever the renderer makes of a text passes an allow-list of tags, attributes and classes at the end. Each
block finds its own direction, since one response may hold Arabic, English and code; what is too wide scrolls by itself.

Rendering costs 0.05 ms for a paragraph, 2 ms for a long response with code and tables, and the same one is shown to several people: the results are kept, by
content, up to a number of characters. A text that would take long is shown as it is.
"""

# ruff: noqa: ARG002 -- each rule of a renderer is called with the same four

from collections.abc import Sequence
from html import escape
from threading import Lock

import nh3
from cachetools import LRUCache, cached
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from app.reading import code, formulas

# Beyond these a text is shown as it is. Time grows with the square of the brackets that open and never close; with both
# limits the worst text found takes about a second.
LONGEST_MARKDOWN = 50_000
MOST_BRACKETS = 4_000
KEPT_CHARACTERS = 16 << 20
# Blocks that find their direction by their own first letter. What is inside them has none of its own, or it would not
# be looked at; the stylesheet lets lines and cells in there turn by themselves.
_BLOCKS = {
    "paragraph_open",
    "heading_open",
    "bullet_list_open",
    "ordered_list_open",
    "blockquote_open",
}
_TASKS = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


class _Renderer(RendererHTML):
    """What CommonMark's own renderer would not do: scrolling, sides as classes, code in colours, images as links."""

    def table_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="scroll" tabindex="0" dir="auto">' + self.renderToken(tokens, at, options, env)

    def th_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """A column's side as a class, since the policy refuses a style."""
        side = str(tokens[at].attrs.pop("style", "")).removeprefix("text-align:")
        if side in {"right", "center"}:
            tokens[at].attrSet("class", side)
        return self.renderToken(tokens, at, options, env)

    td_open = th_open

    def table_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return self.renderToken(tokens, at, options, env) + "</div>"

    def fence(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        language = tokens[at].info.strip().partition(" ")[0]
        return code.block(tokens[at].content, language)

    def code_block(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return code.block(tokens[at].content, "")

    def image(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Nothing is fetched: its words, as a link to it, unless they stand in a link already."""
        words = escape(tokens[at].content or str(tokens[at].attrGet("title") or "")) or "…"
        if tokens[at].meta.get("in_link"):
            return f"🖼 {words}"
        return f'<a href="{escape(str(tokens[at].attrGet("src") or ""))}">🖼 {words}</a>'

    def formula(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return formulas.shown(tokens[at])

    formula_block = formula


def _lower_headings(state: StateCore) -> None:
    """A text's own headings rank below the page's, without a gap, whichever levels the text uses."""
    headings = [token for token in state.tokens if token.type in {"heading_open", "heading_close"}]
    levels = sorted({token.tag for token in headings})
    for token in headings:
        token.tag = f"h{min(3 + levels.index(token.tag), 6)}"


def _turn_by_themselves(state: StateCore) -> None:
    for token in state.tokens:
        if token.level == 0 and token.type in _BLOCKS:
            token.attrSet("dir", "auto")


def _tick_tasks(state: StateCore) -> None:
    """`- [x] done` as GitHub shows it; the box is a letter, so that it is read out and is no control of the form."""
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        first = (inline.children or [inline])[0]
        if item.type == "list_item_open" and paragraph.type == "paragraph_open" and first.content[:4] in _TASKS:
            item.attrSet("class", "task")
            first.content = _TASKS[first.content[:4]] + first.content[4:]


def _notice_linked_images(state: StateCore) -> None:
    for block in state.tokens:
        depth = 0
        for token in block.children or ():
            depth += (token.type == "link_open") - (token.type == "link_close")
            token.meta["in_link"] = depth > 0


_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
_markdown.enable(["table", "strikethrough"]).use(formulas.rules)
for _rule in (_lower_headings, _turn_by_themselves, _tick_tasks, _notice_linked_images):
    _markdown.core.ruler.push(_rule.__name__.strip("_"), _rule)

_TAGS = {"a", "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "div", "span"}
_TAGS |= {"h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start", "dir"},
    "div": {"tabindex", "dir"},
    "pre": {"tabindex", "dir"},
    "span": {"tabindex"},
    **{tag: {"dir"} for tag in ("p", "ul", "blockquote", "h3", "h4", "h5", "h6")},
}
_CLASSES = {
    "div": {"scroll", "formula"},
    "th": {"right", "center"},
    "td": {"right", "center"},
    "li": {"task"},
    "pre": {"plain"},
    "code": {"formula", *(f"language-{name}" for name in code.LANGUAGES)},
    "span": {"formula", *code.CLASSES.values()},
    "mtd": formulas.CLASSES,
}
_cleaner = nh3.Cleaner(
    tags=_TAGS | formulas.TAGS,
    attributes=_ATTRIBUTES | formulas.ATTRIBUTES,
    allowed_classes=_CLASSES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


@cached(LRUCache(KEPT_CHARACTERS, getsizeof=len), lock=Lock())
def markdown(text: str) -> Markup:
    """Rendered once, then kept while there is room."""
    return rendered(text)


def rendered(text: str) -> Markup:
    if len(text) > LONGEST_MARKDOWN or text.count("[") > MOST_BRACKETS:
        return Markup('<pre class="plain" dir="auto">{}</pre>').format(text)
    return Markup(_cleaner.clean(_markdown.render(text)))  # noqa: S704 -- cleaned by the allow-lists above
