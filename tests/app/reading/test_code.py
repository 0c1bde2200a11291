import re
from html import unescape
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reading import code
from app.reading.markdown import markdown


def test_code_is_in_colours_by_class() -> None:
    html = code.block("def f(x):\n    return 'a'  # why\n", "Python")
    assert '<pre tabindex="0"><code class="language-python"><span class="hl-keyword">def</span>' in html
    assert '<span class="hl-string">&#x27;a&#x27;</span>' in html
    assert '<span class="hl-comment"># why</span>' in html
    assert "style=" not in html


@pytest.mark.parametrize("language", ["", "klingon", "python onclick=x", '"><script>'])
def test_an_unknown_language_is_plain(language: str) -> None:
    assert code.block("a < b", language) == '<pre tabindex="0"><code>a &lt; b</code></pre>\n'


def test_a_long_block_is_plain() -> None:
    assert "<span" not in code.block("x = 1\n" * 5000, "python")


def test_what_takes_a_language_too_long_is_plain() -> None:
    words = "a\n" * 9_000
    begun = thread_time()
    html = code.block(words, "cs")
    assert thread_time() - begun < 10
    assert html == f'<pre tabindex="0"><code class="language-cs">{words}</code></pre>\n'


def test_every_language_of_the_list_is_known() -> None:
    for language in code.LANGUAGES:
        assert code._lexer(language).name


@given(st.sampled_from(sorted(code.LANGUAGES)), st.text(max_size=80))
@settings(max_examples=200)
def test_no_character_is_lost(language: str, source: str) -> None:
    shown = re.sub(r"</?(pre|code|span)[^>]*>", "", code.block(source, language)).removesuffix("\n")
    assert unescape(shown) == source


def test_a_fence_says_its_language_first() -> None:
    assert 'class="language-js"' in markdown("~~~js title=x\nlet a\n~~~")
