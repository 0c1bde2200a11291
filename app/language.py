"""The language that a request is answered in, and the words of that language.

Words are written in English where they are shown and marked by `gettext`; `locale/` holds their translations, one
folder a language, and a new folder is a new language. The catalogues are the `.po` files that translators edit: Babel
reads one when its language is first asked for, so nothing has to be compiled, shipped or kept in step with its source.

A page speaks the account's language, else the cookie's (chosen on a page while signed out), else the first that the
browser asks for and we have, else English. The middleware puts the choice into a context variable before any route is
looked for, so a message raised deep in a room (`BadInput(_("…"))`) is in the person's language already. Routes run in
threads that get a copy of the context; the variable holds an object that they share, so that whoever finds the account
can still change the language of its request, and of no other.

What programs read stays English: the API, the commands, the logs, and what jobs write down for later.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import ROOT

DOMAIN = "tiebreak"
FOLDER = ROOT / "locale"
SOURCE = "en"
COOKIE = "tiebreak_language"
# Code → the language's name for itself, in the order of the menu.
LANGUAGES = {
    code: (Locale.parse(code).display_name or code).capitalize()
    for code in sorted({SOURCE, *(path.parts[-3] for path in FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))})
}
_LONGEST_WISH = 20


@dataclass(slots=True)
class _Spoken:
    code: str


_spoken: ContextVar[_Spoken | None] = ContextVar("spoken", default=None)


def language() -> str:
    """The code of the language that is spoken here: a request's, or English outside of one."""
    spoken = _spoken.get()
    return spoken.code if spoken else SOURCE


def locale() -> Locale:
    """How numbers and dates are written here."""
    return _locale(language())


@lru_cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)


def direction() -> str:
    """`ltr` or `rtl`, for the page's `dir`."""
    return locale().text_direction


def speak(code: str | None) -> None:
    """From now on this request is answered in `code`, if we have it. Outside of a request nothing changes."""
    spoken = _spoken.get()
    if spoken and code in LANGUAGES:
        spoken.code = code


def gettext(message: str, /, **values: object) -> str:
    """The message in the language spoken here, with `%(name)s` filled in when values are given."""
    words = _catalogue(language()).gettext(message) if message else ""  # "" is the key of a catalogue's head
    return words % values if values else words


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """The form that fits the number `n`, which is itself filled in as `%(num)d`."""
    return form(one, many, n) % {"num": n, **values}


def form(one: str, many: str, n: int) -> str:
    """The form that fits `n`, with nothing filled in: templates do that themselves."""
    return _catalogue(language()).ngettext(one, many, n)


def marked(message: str) -> str:
    """Nothing but a mark for the catalogues: a constant that `gettext` translates later, where it is shown."""
    return message


@lru_cache
def _catalogue(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    compiled = BytesIO()
    with (FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)


def asked_for(accept_language: str) -> str:
    """The best of our languages for an `Accept-Language` header (RFC 9110, 12.5.4); English if there is none."""
    wishes = []
    for part in accept_language.split(",")[:_LONGEST_WISH]:
        tag, _, quality = part.replace(" ", "").partition(";q=")
        try:
            wishes.append((float(quality or 1), tag))
        except ValueError:
            continue
    wishes.sort(key=lambda wish: -wish[0])
    return negotiate_locale([tag for quality, tag in wishes if quality > 0], list(LANGUAGES), sep="-") or SOURCE


class Languages:
    """Middleware: the language of a request, before anything else looks at it. The account may change it later."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":  # each request is a task with a context of its own: nothing to set back
            _spoken.set(None if scope["path"].startswith("/api/") else _Spoken(_chosen(HTTPConnection(scope))))
        await self.app(scope, receive, send)


def _chosen(request: HTTPConnection) -> str:
    cookie = request.cookies.get(COOKIE, "")
    return cookie if cookie in LANGUAGES else asked_for(request.headers.get("accept-language", ""))
