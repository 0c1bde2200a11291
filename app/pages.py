"""Jinja, safe Markdown, and the one way to answer with a page or a fragment.

Each page gets one frozen dataclass derived from `Page`; its fields are the template's variables. `StrictUndefined` turns
a misspelt one into an error, mypy checks the route. Words for people go through gettext from the first template on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from gettext import NullTranslations
from typing import Any

import nh3
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from app.access import Person
from app.settings import ROOT

_translations = NullTranslations()
gettext = _translations.gettext
ngettext = _translations.ngettext

_markdown = (
    MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
)
_ALLOWED_TAGS = frozenset(
    [
        "a",
        "p",
        "br",
        "hr",
        "em",
        "strong",
        "s",
        "del",
        "code",
        "pre",
        "blockquote",
        "ul",
        "ol",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ]
)
_ALLOWED_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}, "th": {"align"}, "td": {"align"}}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What every page knows: who is looking."""

    person: Person | None


def markdown(text: str) -> Markup:
    """Markdown as HTML that can neither run nor load anything: raw HTML stays text, images become their words."""
    html = nh3.clean(
        _markdown.render(text),
        tags=set(_ALLOWED_TAGS),
        attributes=_ALLOWED_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(html)  # noqa: S704 -- cleaned by an allow-list in the line above


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    env.install_gettext_translations(_translations, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    env.filters["markdown"] = markdown
    return env


environment = _environment()


def _variables(page: Page) -> Iterator[tuple[str, Any]]:
    for field in fields(page):
        yield field.name, getattr(page, field.name)


def html(request: Request, template: str, page: Page) -> str:
    return environment.get_template(template).render(request=request, **dict(_variables(page)))


def render(request: Request, template: str, page: Page, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html(request, template, page), status_code=status)


def is_fragment_wanted(request: Request) -> bool:
    """Whether htmx asked: then a POST answers with the next fragment, and otherwise with a redirect."""
    return "hx-request" in request.headers


def go_to(request: Request, path: str) -> Response:
    """After a POST: see the next page. htmx follows `HX-Redirect`, a plain form the 303."""
    if is_fragment_wanted(request):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, status_code=303)
