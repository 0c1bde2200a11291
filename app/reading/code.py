"""Code in colours: classes that the stylesheet has colours for, in light and dark.

Only languages of a list are highlighted: each lexer is a set of regular expressions, and some of the six hundred take for
ever on text in another language. Those of the list are quick on code, but several are quadratic in the length of text that is not
code, such as a page of line ends; so each block has a time limit. An unknown language, a long block, a lexer that loses a
character or is too slow leaves plain text.
"""

from collections.abc import Iterator
from functools import lru_cache
from html import escape
from time import thread_time

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Operator, String, _TokenType

LONGEST_HIGHLIGHTED = 20_000
# Seconds of the processor for a block: several times what code takes.
MOST_SECONDS, MOST_SECONDS_PER_CHARACTER = 0.1, 20e-6
_NAMES = (
    "bash c c++ cpp cs csharp css dart diff docker dockerfile elixir erlang go golang graphql haskell hs html http ini "
    "java javascript js json jsx julia kotlin latex less lua make makefile matlab nginx objective-c objc ocaml "
    "perl php plpgsql postgres powershell protobuf ps1 py pycon python python3 r rb rs ruby rust scala scss sh shell sql "
    "swift tex toml ts tsx typescript vim xml yaml yml zig zsh"
)
LANGUAGES = frozenset(_NAMES.split())
# The first that a token belongs to; the rest stays in the colour of the text.
CLASSES = {
    Comment: "hl-comment",
    String: "hl-string",
    Number: "hl-number",
    Keyword.Type: "hl-name",
    Keyword: "hl-keyword",
    Operator.Word: "hl-keyword",
    Name.Function: "hl-name",
    Name.Class: "hl-name",
    Name.Tag: "hl-keyword",
    Name.Attribute: "hl-name",
    Name.Decorator: "hl-name",
    Name.Builtin: "hl-name",
    Name.Exception: "hl-name",
    Literal: "hl-string",
    Generic.Deleted: "hl-deleted",
    Generic.Inserted: "hl-inserted",
    Generic.Heading: "hl-comment",
    Generic.Subheading: "hl-comment",
    Generic.Prompt: "hl-comment",
}


def block(source: str, language: str) -> str:
    """A block as HTML. Long lines scroll, so it can be reached by keys."""
    language = language.lower()
    if language not in LANGUAGES:
        return f'<pre tabindex="0"><code>{escape(source)}</code></pre>\n'
    inside = "".join(_spans(source, language)) if len(source) <= LONGEST_HIGHLIGHTED else escape(source)
    return f'<pre tabindex="0"><code class="language-{language}">{inside}</code></pre>\n'


def _spans(source: str, language: str) -> Iterator[str]:
    pieces = _pieces(source, _lexer(language))
    before, gathered = "", ""
    for name, words in [*pieces, ("end", "")]:
        if name != before:
            yield f'<span class="{before}">{escape(gathered)}</span>' if before else escape(gathered)
            before, gathered = name, ""
        gathered += words


def _pieces(source: str, lexer: Lexer) -> list[tuple[str, str]]:
    """The source in pieces, each with its class; in one without a class where the lexer is of no use."""
    pieces = []
    ends = thread_time() + MOST_SECONDS + len(source) * MOST_SECONDS_PER_CHARACTER
    for kind, words in lexer.get_tokens(source):
        pieces.append((_class_of(kind), words))
        if thread_time() > ends:
            break
    return pieces if "".join(words for _, words in pieces) == source else [("", source)]


@lru_cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language, stripnl=False, ensurenl=False)


@lru_cache(maxsize=512)
def _class_of(kind: _TokenType) -> str:
    return next((name for parent, name in CLASSES.items() if kind in parent), "")  # type: ignore[comparison-overlap]  # a kind is in those above it
