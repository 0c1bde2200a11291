import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reading import formulas
from app.reading.markdown import markdown


@pytest.mark.parametrize(
    "text", ["$x_1$", r"\(x_1\)", r"so $x_1$, then", "**$x_1$**", "| $x_1$ |\n|-|", "($x_1$)", "- $x_1$"]
)
def test_a_formula_in_a_line_is_mathml(text: str) -> None:
    assert "<math><msub><mi>x</mi><mn>1</mn></msub></math>" in markdown(text)


@pytest.mark.parametrize(
    "text", ["$$\nx\n$$", "\\[\nx\n\\]", "so:\n$$x$$", "$$\nx$$", "> $$\n> x\n> $$", "- a\n\n  \\[ x \\]"]
)
def test_a_formula_of_its_own_is_a_block(text: str) -> None:
    assert '<div class="formula" tabindex="0"><math display="block"><mi>x</mi></math></div>' in markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $10",
        "5$ or 10$",
        "US$5 (A$7)",
        "$5-$10 and $5/$10",
        "between $5 million and 10$",
        "$HOME/bin:$PATH",
        "from $10, or 5$ with a coupon",
        r"\$5 or 6\$",
        "`$x$`",
        "$ x $",
        "$",
        "$$",
        "$$$$",
        r"\(see below\)",
    ],
)
def test_money_and_words_stay_text(text: str) -> None:
    html = markdown(text)
    assert "<math" not in html
    assert 'class="formula"' not in html


@pytest.mark.parametrize(
    "text", [r"$\nonsense{x}$", r"$\frac{a$", r"so \[ \frac{ \]", r"$\href{javascript:x}{y}$", r"$\a\newcommand\a{x}$"]
)
def test_a_formula_that_does_not_parse_is_its_source(text: str) -> None:
    html = markdown(text)
    assert f'<code class="formula">{text.removeprefix("so ")}</code>' in html


@pytest.mark.parametrize("text", ["so $a_1+a_2+a_3+a_4+a_5+a_6+a_7+a_8$", r"so \[x\]"])
def test_a_long_formula_in_a_line_scrolls_by_itself(text: str) -> None:
    assert '<span class="formula" tabindex="0"><math' in markdown(text)


def test_lines_that_look_like_markdown_belong_to_the_formula() -> None:
    assert markdown("$$\na\n= b\n- c\n$$").count("<mi>") == 3


def test_an_empty_line_ends_a_formula_that_was_never_closed() -> None:
    assert "<p" in markdown("$$\nx\n\n# Title")
    assert "<h3" in markdown("$$\nx\n\n# Title")


def test_the_cells_of_aligned_equations_stand_at_their_sides_without_a_style() -> None:
    html = markdown("$$\n\\begin{align} a &= b \\\\ c &= d \\end{align}\n$$")
    assert '<mtd class="right"><mi>a</mi></mtd><mtd class="left"><mo>=</mo>' in html
    assert "style" not in html.replace("displaystyle", "")


@pytest.mark.parametrize(
    "source",
    ["{" * 1000 + "x" + "}" * 999, r"\sqrt{" * 300 + "x" + "}" * 300, "{" * 5000, "x+" * 2000],
    ids=["braces", "roots", "open", "long"],
)
def test_a_formula_that_could_exhaust_the_stack_is_not_tried(source: str) -> None:
    assert "<math" not in markdown(f"$${source}$$")


OPENING = [
    "(",
    "[",
    r"\{",
    r"\langle ",
    r"\lvert ",
    r"\lfloor ",
    r"\bigl(",
    r"\Bigl|",
    "f(",
    r"\sin(",
    "{(}",
    "(&",
    "⟨",
    "[0)",
]


@pytest.mark.parametrize("opening", OPENING)
def test_more_brackets_than_can_be_tried_are_not(opening: str) -> None:
    assert formulas._mathml(opening * 100 + "x", is_displayed=True) is None


@pytest.mark.parametrize(
    ("left", "right"), [("(", ")"), (r"\bigl[", r"\bigr]"), (r"\langle ", r"\rangle "), (r"\left(", r"\right)")]
)
def test_brackets_in_brackets_are_drawn(left: str, right: str) -> None:
    assert formulas._mathml(left * 10 + "x" + right * 10, is_displayed=True)


@given(
    st.lists(
        st.sampled_from(
            [
                *r"{}[]()^_&'~%#$|<> axπ1+=-,.!",
                r"\frac",
                r"\sqrt",
                r"\left(",
                r"\right)",
                r"\begin{matrix}",
                r"\end{matrix}",
                r"\\",
                r"\text{",
                r"\hat",
                r"\sum",
                r"\middle|",
                r"\color{red}",
                r"\operatorname{",
                r"\tag{1}",
                r"\not",
                r"\limits",
                r"\def\a{",
                r"\a",
                r"\mathbb",
                r"\overset",
                r"\ref{x}",
                r"\label{x}",
            ]
        ),
        max_size=80,
    ).map("".join)
)
@settings(max_examples=300)
def test_any_source_is_drawn_or_left_alone(source: str) -> None:
    drawn = formulas._mathml(source, is_displayed=True)
    assert drawn is None or drawn.startswith("<math")
