r"""Formulas: `$…$`, `$$…$$`, `\(…\)` and `\[…\]` as MathML, which browsers draw and read out without a script.

A dollar is a price until it looks like a formula: the opening one has no letter or digit before it and no space after
it, the closing one no space before it and no letter or digit after it, and what is between does not begin with a number
and go on in words. What does not parse is shown as its source.

The converter is written in Rust and recurses: braces nested thousands deep would end the whole process, and each bracket
that opens and never closes doubles its time. So only so many characters, so many braces at once, so few brackets and no
macros reach it; whether they close depends on what each command takes as its argument, so all of them are counted.
"""

import re
from html import escape
from unicodedata import category

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from math_core import LatexError, LatexToMathML

LONGEST_FORMULA = 2000
DEEPEST_BRACES = 30
MOST_BRACKETS = 14
# A longer one in a line scrolls by itself: browsers do not break formulas.
LONGEST_UNBROKEN = 30
_CLOSERS = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_DISPLAYED = {"$$", r"\["}
_converter = LatexToMathML(fancy_error=False, max_expansions=0)
# Money and what it was spent on, or words in escaped brackets: words in a row and no sign of mathematics.
_MATHEMATICS = re.compile(r"[\\^_=+<>{}|]")
_WORDS = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}|^\d.*?(?:[A-Za-z]{3,}|\s[A-Za-z]{2,})", re.DOTALL)
# Whatever may open a bracket, in any spelling; rather too much than too little.
_OPENING = re.compile(
    r"\\[bB]igg?[lm]?(?![A-Za-z])\s*(?:\\?[(\[{])?|\\?[(\[]|\\\{|\\mathopen"
    r"|\\[lLu]+[A-Za-z]*(?:paren|brac|bag|ang|group|moust|floor|ceil|corner|[vV]ert)[a-z]*|\\lAngle"
)
_NUMBERED = re.compile(r"\\(begin|end)\{(align|equation|gather|multline)\}")
_STYLE = re.compile(r' style="([^"]*)"')

_ELEMENTS = (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts "
    "mprescripts mtable mtr mtd mpadded mphantom menclose mstyle merror"
)
TAGS = set(_ELEMENTS.split())
_OF_ALL = {"displaystyle", "scriptlevel", "mathvariant"}
ATTRIBUTES = dict.fromkeys(TAGS, _OF_ALL) | {
    "math": {*_OF_ALL, "display"},
    "mo": {
        *_OF_ALL,
        "stretchy",
        "form",
        "fence",
        "separator",
        "lspace",
        "rspace",
        "largeop",
        "movablelimits",
        "symmetric",
    },
    "mspace": {"width", "height", "depth"},
    "mpadded": {*_OF_ALL, "width", "height", "depth", "lspace", "voffset"},
    "mfrac": {*_OF_ALL, "linethickness"},
    "menclose": {*_OF_ALL, "notation"},
    "mover": {*_OF_ALL, "accent"},
    "munder": {*_OF_ALL, "accentunder"},
    "munderover": {*_OF_ALL, "accent", "accentunder"},
}
CLASSES = {"left", "right", "ruled-right", "ruled-top"}


def rules(markdown: MarkdownIt) -> None:
    markdown.inline.ruler.before("escape", "formula", _inline)
    interrupted: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    markdown.block.ruler.before("fence", "formula_block", _block, interrupted)


def shown(token: Token) -> str:
    """A formula's token as HTML; its markup is the opening sign."""
    is_displayed = token.markup in _DISPLAYED
    drawn = _mathml(token.content, is_displayed=is_displayed)
    if drawn is None:
        source = f"{token.markup}{token.content}{_CLOSERS[token.markup]}"
        drawn = f'<code class="formula">{escape(source)}</code>'
    if token.block:
        return f'<div class="formula" tabindex="0">{drawn}</div>\n'
    if len(token.content) > LONGEST_UNBROKEN or is_displayed:
        return f'<span class="formula" tabindex="0">{drawn}</span>'
    return drawn


def _mathml(source: str, *, is_displayed: bool) -> str | None:
    if len(source) > LONGEST_FORMULA or _depth(source) > DEEPEST_BRACES or _opened(source) > MOST_BRACKETS:
        return None
    try:
        drawn = _converter.convert_with_local_state(_NUMBERED.sub(r"\\\1{\2*}", source), displaystyle=is_displayed)
    except LatexError:
        return None
    return _STYLE.sub(_as_class, drawn)


def _depth(source: str) -> int:
    depth = deepest = 0
    for sign in source:
        depth += (sign == "{") - (sign == "}" and depth > 0)
        deepest = max(deepest, depth)
    return deepest


def _opened(source: str) -> int:
    rare = sum(not sign.isascii() and category(sign) in {"Ps", "Pi"} for sign in source)
    return rare + len(_OPENING.findall(source))


def _as_class(style: re.Match[str]) -> str:
    """What a cell's style says, as classes of ours: the policy refuses a style."""
    said = style.group(1)
    names = [side for side in ("left", "right") if f"text-align: {side}" in said]
    names += [f"ruled-{side}" for side in ("right", "top") if f"border-{side}" in said]
    return f' class="{" ".join(names)}"' if names else ""


def _inline(state: StateInline, silent: bool) -> bool:
    opener = _opener(state.src, state.pos)
    if not opener:
        return False
    begin = state.pos + len(opener)
    end = state.src.find(_CLOSERS[opener], begin, min(state.posMax, begin + LONGEST_FORMULA))
    if end < 0 or not _is_formula(state.src, begin, end, opener):
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = state.src[begin:end], opener
    state.pos = end + len(_CLOSERS[opener])
    return True


def _opener(source: str, at: int) -> str:
    sign = source[at : at + 2]
    return sign if sign in _CLOSERS else "$" if sign[:1] == "$" else ""


def _is_formula(source: str, begin: int, end: int, opener: str) -> bool:
    content = source[begin:end]
    if not content.strip() or (not _MATHEMATICS.search(content) and _WORDS.search(content)):
        return False
    return opener != "$" or not _is_price(
        source[begin - 2 : begin - 1] if begin > 1 else "", content, source[end + 1 : end + 2]
    )


def _is_price(before: str, content: str, after: str) -> bool:
    if any(sign.isalnum() or sign == "$" for sign in (before, after)):
        return True
    return content[0].isspace() or content[-1].isspace() or content[-1] == "\\"


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Lines from one that begins with `$$` or `\[` to one that ends with its counterpart, without an empty one between."""
    if state.is_code_block(start):
        return False
    opener = state.src[state.bMarks[start] + state.tShift[start] :][:2]
    if opener not in _DISPLAYED:
        return False
    content = ""
    for line in range(start, end):
        words = state.getLines(line, line + 1, state.sCount[start], keepLastLF=False).strip()
        content += "\n" + words
        if not words or state.sCount[line] < state.blkIndent or len(content) > LONGEST_FORMULA:
            return False
        if line > start and _begins_another(words, opener):
            return False
        inside = content.strip()[2:]
        if inside.strip() and inside.endswith(_CLOSERS[opener]):
            return silent or _push(state, start, line + 1, opener, inside.removesuffix(_CLOSERS[opener]))
    return False


def _begins_another(words: str, opener: str) -> bool:
    """Then the first one is none. Looking on would take thousands of lines again for each of thousands of openers."""
    if opener == r"\[":
        return words.startswith(opener)
    return opener in words and not words.endswith(opener)


def _push(state: StateBlock, start: int, after: int, opener: str, content: str) -> bool:
    if not content.strip() or _CLOSERS[opener] in content:
        return False
    state.line = after
    token = state.push("formula_block", "math", 0)
    token.block, token.content, token.markup, token.map = True, content.strip(), opener, [start, after]
    return True
