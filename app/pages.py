"""Jinja, and the one way to answer with a page or a fragment.

Each page gets one frozen dataclass derived from `Page`; its fields are the template's variables, and `page` is the whole.
`StrictUndefined` turns a misspelt one into an error, mypy checks the route. Words, numbers and times are in the language
of the request.
A word said once after a redirect ("Ben is in") travels in a short-lived cookie, so it needs neither row nor session.
"""

import hashlib
import math
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from os import PathLike, stat_result
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote, unquote

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal, format_percent, get_decimal_symbol
from babel.units import format_unit
from cachetools import LRUCache
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined
from jinja2.runtime import Macro
from markupsafe import Markup, escape
from starlette.types import Scope

from app import language
from app.access import Person
from app.reading.conversation import conversation
from app.reading.difference import are_alike
from app.reading.markdown import markdown
from app.settings import ROOT, get_settings

NOTICE_COOKIE = "tiebreak_notice"
YEAR_S = 365 * 86400
gettext = language.gettext
ngettext = language.ngettext
_STATIC = ROOT / "static"
_OF_ADDRESSES = ":/%#?=@[]!$&'()*+,;"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What every page knows: who is looking."""

    person: Person | None


def ago(moment: datetime) -> str:
    """How long ago, or in how long, in the largest unit that fits."""
    since = moment - datetime.now(UTC)
    if abs(since.total_seconds()) < 45:
        return gettext("just now")
    return format_timedelta(since, add_direction=True, threshold=0.75, locale=language.locale())


def exactly(moment: datetime) -> str:
    """A point in time to the minute: Nov 25, 2026, 16:09 UTC."""
    return f"{format_date(moment, locale=language.locale())}, {moment:%H:%M} UTC"


def span(seconds: float) -> str:
    """A length of time: 4.2 s, 3 min 20 s, 3 min, 2 h 5 min."""
    if seconds < 10:
        return f"{decimal(f'{seconds:.1f}')} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")
    return f"{whole // 3600} h {whole % 3600 // 60} min".removesuffix(" 0 min")


def number(value: float) -> str:
    """A count with its thousands apart, or a measure with three significant digits."""
    if isinstance(value, int) and 0 <= value < 1000:
        return str(value)  # as every language here writes it, and most numbers on a page are of these
    if isinstance(value, int) or float(value).is_integer():
        return _in_thousands(int(value), language.language())
    return decimal(f"{value:.3g}") if abs(value) < 100 else number(round(value))


@lru_cache(1000)
def _in_thousands(whole: int, code: str) -> str:
    """Round numbers come again and again: “at least 1,000 left” stands on most turns of a large project."""
    return format_decimal(whole, "#,##0", locale=code)


def decimal(digits: str) -> str:
    """Digits of a program with the decimal sign that people write here."""
    return digits.replace(".", get_decimal_symbol(language.locale()))


def percent(share: float) -> str:
    locale = language.locale()
    return format_percent(share, locale.percent_formats[None].pattern.replace("##0", "##0.0"), locale=locale)


def size(n_bytes: float) -> str:
    """A file's size in the units that people read: kB and MB of a thousand."""
    if n_bytes < 1000:
        return gettext("%(n)d B", n=n_bytes)
    power = min(int(math.log10(n_bytes)) // 3, 4)
    unit = ("kilobyte", "megabyte", "gigabyte", "terabyte")[power - 1]
    words = format_unit(n_bytes / 1000**power, f"digital-{unit}", "short", "#,##0.0", locale=language.locale())
    return words.replace(" ", "\u00a0")


def coded(words: str) -> Markup:
    """What stands in backticks is something to type, and looks so."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(words))))  # noqa: S704 -- escaped before


def flags(attributes: dict[str, object]) -> Markup:
    """Attributes of a tag: none for None, False and undefined, a bare name for True; `hx_post` means `hx-post`."""
    said = []
    for name, value in attributes.items():
        if value is None or value is False or isinstance(value, Undefined):
            continue
        spelt = escape(name.replace("_", "-"))
        said.append(f" {spelt}" if value is True else f' {spelt}="{escape(value)}"')
    return Markup("".join(said))  # noqa: S704 -- every part is escaped above


def asset(name: str) -> str:
    """The address of a file in static/, with its content in the address: browsers may keep it, and never keep it too long."""
    path = _STATIC / name
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return f"/static/{name}?v={_digest(name, changed)}"


class Assets(StaticFiles):
    """The files of static/. One asked for by its content never changes, so no browser asks again."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)
        name = Path(full_path).relative_to(_STATIC).as_posix()
        if asset(name).partition("?")[2].encode() == scope["query_string"]:
            answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


@lru_cache
def _digest(name: str, changed: int) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:10] if changed else "missing"


_kept: LRUCache[tuple[Macro, str, str], Markup] = LRUCache(1000)
_one_at_a_time = Lock()


def kept(macro: Macro, *values: object, **named: object) -> Markup:
    """What a macro says, remembered by language and values: for parts that are the same on everybody's page.

    The values must be such that `repr` shows all there is to them: words, numbers, and lists and mappings of these.
    """
    key = (macro, repr((values, named)), language.language())
    with _one_at_a_time:
        said = _kept.get(key)
    if said is None:
        said = Markup(macro(*values, **named))  # noqa: S704 -- a template's own words, escaped there
        with _one_at_a_time:
            _kept[key] = said
    return said


def words(message: str, /, **values: object) -> Markup:
    """What a template marked, in the language spoken here. Translations are trusted as templates are; values are escaped."""
    code = language.language()
    return _trusted(code, message) % values if values else _plain(code, message)


def words_for_number(one: str, many: str, n: int, /, **values: object) -> Markup:
    return Markup(language.form(one, many, n)) % {"num": n, **values}  # noqa: S704 -- as above


@lru_cache(4096)
def _trusted(code: str, message: str) -> Markup:
    del code  # it is part of what is remembered
    return Markup(gettext(message))  # noqa: S704 -- as above


@lru_cache(4096)
def _plain(code: str, message: str) -> Markup:
    """With nothing to fill in, most words of a page; a per cent sign is spelt twice as everywhere."""
    return _trusted(code, message) % {}


class _Templates(Environment):
    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The same for all templates, which nobody adds to: Jinja's own chain of mappings is walked at each import."""
        return super().make_globals(d) if d else self.globals


def _environment() -> Environment:
    env = _Templates(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # a template is code like any other: whoever changes one starts the server again
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    env.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension: what is filled in is named
    shown = (markdown, conversation, are_alike, ago, exactly, span, number, percent, size, coded, flags)
    env.filters |= {one.__name__: one for one in shown}
    # For words that are no constants: what others wrote is neither markup nor a format.
    env.filters["translated"] = gettext
    env.globals |= {
        "_": words,
        "gettext": words,
        "ngettext": words_for_number,
        "asset": asset,
        "kept": kept,
        "language": language.language,
        "direction": language.direction,
        "languages": language.LANGUAGES,
    }
    return env


environment = _environment()


def _variables(page: Page) -> dict[str, Any]:
    return {field.name: getattr(page, field.name) for field in fields(page)}


def html(request: Request, template: str, page: Page, *, notice: str = "") -> str:
    return environment.get_template(template).render(request=request, notice=notice, page=page, **_variables(page))


def render(request: Request, template: str, page: Page, *, status: int = 200) -> HTMLResponse:
    """A page, or a fragment when the template's name begins with an underscore. Nobody else may keep a copy."""
    notice = "" if is_fragment_wanted(request) else unquote(request.cookies.get(NOTICE_COOKIE, ""))
    answer = HTMLResponse(html(request, template, page, notice=notice), status_code=status)
    answer.headers["cache-control"] = "private, no-cache"
    answer.headers["vary"] = "HX-Request, Cookie, Accept-Language"
    if notice:
        answer.delete_cookie(NOTICE_COOKIE)
    return answer


def is_fragment_wanted(request: Request) -> bool:
    """Whether htmx asked: then a POST answers with the next fragment, and otherwise with a redirect."""
    return "hx-request" in request.headers


def address_of_site(request: Request) -> str:
    """Where people open this site: the public address if one is set, else the one that this request came to."""
    return get_settings().public_url.rstrip("/") or str(request.base_url).rstrip("/")


def keep_cookie(answer: Response, name: str, value: str, seconds: int, *, is_for_scripts: bool = False) -> None:
    """Have the browser keep a value. Scripts do not see it unless it is for them, and forms of other sites do not send it."""
    secure = get_settings().secure_cookies
    answer.set_cookie(name, value, max_age=seconds, httponly=not is_for_scripts, samesite="lax", secure=secure)


def shown_once(answer: Response) -> Response:
    """A page with a secret on it: no copy of it stays anywhere, not even for the back button."""
    answer.headers["cache-control"] = "no-store"
    return answer


def go_to(request: Request, path: str, *, notice: str = "") -> Response:
    """After a POST: see the next page, which shows the notice once. htmx follows `HX-Redirect`, a plain form the 303."""
    if is_fragment_wanted(request):
        answer = Response(status_code=204, headers={"HX-Redirect": quote(path, safe=_OF_ADDRESSES)})
    else:
        answer = RedirectResponse(path, status_code=303)
    if notice:
        keep_cookie(answer, NOTICE_COOKIE, quote(notice), 60)
    return answer
