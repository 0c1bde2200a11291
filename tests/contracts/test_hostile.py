"""Every route that reads a body, a query, a path or a header, sent what nobody should send: it says what is wrong, and never breaks.

Some of it is sent in every run. All of it goes over real HTTP with the heavy tests, since what reads the bytes of a request is part of
what might break.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from app import db
from app.examples import OF_MODELS
from app.main import app
from app.middleware import LARGEST_BODY
from app.models.api_token import SCOPES
from app.people import service as people
from app.settings import ROOT
from tests.conftest import signed_in, token_client
from tests.contracts import test_every_route
from tests.contracts.test_every_route import BROWSERS, LIBRARIES, OPEN_PAGES, PROGRAMS, Place
from tests.serving import served
from tests.trained import make_trainer

place = test_every_route.place
JSON = "application/json"
DEEP = 10_000
# Percent-encoded, as they stand in an address: the third is half of a surrogate pair, the fourth no UTF-8 at all.
ODD = (
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF%FE",
    "%F4%8F%BF%BF%E2%80%AE",
    "%25s%25n%7B0%7D",
    "-1",
    "9" * 400,
    "1e400",
    "NaN",
    "x" * 5000,
)
NOTHING_JUDGED = "Nobody has judged anything"
"""What a dataset is refused for whose order is right: filters may be an object without any."""
# In place of a value, whatever its type.
WRONG: dict[str, Any] = {
    "nothing": None,
    "true": True,
    "a negative number": -1,
    "a huge number": 10**400,
    "a large float": 1.7e308,
    "long text": "x" * 20_000,
    "a list": [],
    "an object": {},
    "lists in lists": [[None]],
    "objects in objects": {"a": {"b": []}},
    "nul": "a\0b",
    "half a pair": "\ud800",
    "odd characters": "\U0010ffff\u202e\u2028",
    "a path": "../../etc/passwd",
}
# Whole bodies, with what they say they are.
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", JSON),
    "half of it": (b'{"name": "a', JSON),
    "no JSON": (b"name=a", JSON),
    "deep lists": (b"[" * DEEP + b"]" * DEEP, JSON),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, JSON),
    "not a number": (b'{"a": NaN}', JSON),
    "infinity": (b'{"a": -Infinity}', JSON),
    "many digits": (b'{"a": ' + b"9" * 10_000 + b"}", JSON),
    "a large exponent": (b'{"a": 1e999999}', JSON),
    "half a pair": (rb'{"\ud800": "\udfff"}', JSON),
    "nul": (rb'{"a\u0000": "\u0000"}', JSON),
    "broken UTF-8": (b'{"a": "\xff\xfe"}', JSON),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), JSON),
    "a mark of byte order": (b'\xef\xbb\xbf{"a": 1}', JSON),
    "a list": (b"[1, 2]", JSON),
    "a word": (b'"word"', JSON),
    "null": (b"null", JSON),
    "many keys": (json.dumps({f"k{n}": n for n in range(20_000)}).encode(), JSON),
    "the same key": (b'{"name": "a", "name": [], "name": {}}', JSON),
    "too large": (b'{"a": "' + b"x" * (LARGEST_BODY * 2) + b'"}', JSON),
    "broken gzip": (b"\x1f\x8b\x08\x00broken", "application/gzip"),
    "a form": (b"a=1&b=%00%ff", "application/x-www-form-urlencoded"),
    "a form of parts": (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
        "multipart/form-data; boundary=x",
    ),
    "no boundary": (b"--x", "multipart/form-data"),
    "XML": (b"<a/>", "application/xml"),
    "a type that is none": (b"{}", "\xff;;=/"),
    "another character set": (b'{"a": "\xe9"}', "application/json; charset=no-such-thing"),
}
IN_EVERY_RUN = ("half of it", "deep lists", "not a number", "half a pair", "broken UTF-8", "a form of parts")
HEADERS = (
    "Idempotency-Key",
    "Range",
    "If-None-Match",
    "If-Range",
    "Accept-Language",
    "Accept",
    "X-Request-ID",
    "Cookie",
    "HX-Current-URL",
)
HOSTILE_HEADERS = (
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"x" * 5000,
    b"bytes=-",
    b'"' * 99,
    b"%00",
    b"tiebreak_session=\xff; =;;",
    b",;=",
)


@pytest.fixture(autouse=True)
def _trainer(place: Place) -> None:
    """One that lives for as long as any test takes, so that orders come as far as their values."""
    with db.work_unit() as session:
        make_trainer(session, seen_s_ago=-3600)


def writing(place: Place) -> Iterator[tuple[str, str, str]]:
    """Routes that read a body: name, method and address."""
    of_the_hub = {name: line for name, line in LIBRARIES.items() if name.startswith("POST")}
    for name, line in (PROGRAMS | of_the_hub).items():
        method, path = name.split(maxsplit=1)
        if method in {"POST", "PUT", "PATCH"}:
            yield name, method, ("" if path.startswith("/api") else "/api/v1") + line.path.format(**place.numbers)


def is_said(answer: httpx.Response, what: object) -> None:
    """A problem document, which names the field where a value is wrong; never an error of ours."""
    assert answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    if answer.status_code < 400 or not answer.request.url.path.startswith("/api/v1/"):
        return
    assert answer.headers["content-type"] == "application/problem+json", (what, answer.text[:300])
    told = answer.json()
    assert (told["status"], bool(told["detail"])) == (answer.status_code, True), what
    if answer.status_code == 422 and not answer.request.url.path.endswith("/items"):  # whose body is a file
        is_of_no_value = "one of the" in told["detail"] or NOTHING_JUDGED in told["detail"]
        assert told.get("field") or is_of_no_value, (what, told)


def send_body(caller: httpx.Client, place: Place, kind: str) -> None:
    body, media = BODIES[kind]
    reading = examples()
    for name, method, path in writing(place):
        headers = {"Idempotency-Key": "one", "Content-Type": media.encode("latin-1")}
        answer = caller.request(method, path, content=body, headers=headers)
        is_said(answer, (name, kind))
        if kind == "too large" and name in reading:
            assert answer.status_code == 413, name


@pytest.mark.parametrize("kind", IN_EVERY_RUN)
def test_a_body_that_is_none_is_refused_in_words(place: Place, kind: str):
    send_body(token_client(place.people["admin"], *SCOPES), place, kind)


@pytest.fixture(scope="module")
def address(migrated: str) -> Iterator[str]:
    with served(RATE_LIMIT="0") as address:
        yield address


@pytest.fixture
def admin(address: str, place: Place) -> Iterator[httpx.Client]:
    with db.work_unit() as session:
        secret = people.make_token(session, place.people["admin"], SCOPES)
    transport = httpx.HTTPTransport(retries=2)
    headers = {"Authorization": f"Bearer {secret}", "Connection": "close"}
    with httpx.Client(base_url=address, headers=headers, timeout=300, transport=transport) as program:
        yield program


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(BODIES))
def test_whatever_is_sent_as_a_body_breaks_nothing(admin: httpx.Client, place: Place, kind: str):
    send_body(admin, place, kind)


def examples() -> dict[str, dict[str, Any]]:
    """A good body of each route that reads JSON, by method and path."""
    found = {}
    for path, verbs in app.openapi()["paths"].items():
        for verb, operation in verbs.items():
            schema = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
            named = [schema, *schema.get("anyOf", ())]
            refs = [one["$ref"].rpartition("/")[2] for one in named if "$ref" in one]
            if refs and refs[0] in OF_MODELS:
                found[f"{verb.upper()} {path.removeprefix('/api/v1')}"] = OF_MODELS[refs[0]]
    return found


def spoilt(body: Mapping[str, Any], wrong: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The body with one of its values, or one within them, replaced; and with one that it should not have."""
    for key, value in body.items():
        yield key, {**body, key: wrong}
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", {**body, key: inner}) for name, inner in spoilt(value, wrong))
    yield "else", {**body, "else": wrong}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(WRONG))
def test_a_value_that_is_wrong_is_named(admin: httpx.Client, place: Place, kind: str):
    good = examples()
    n = 0
    for name, method, path in writing(place):
        for field, body in spoilt(good.get(name, {}), WRONG[kind]) if name in good else ():
            sent = json.dumps(body).encode()
            headers = {"Idempotency-Key": f"{kind} {field}", "Content-Type": JSON}
            is_said(admin.request(method, path, content=sent, headers=headers), (name, field, kind))
            n += 1
    assert n > 50


def parameters() -> Iterator[tuple[str, str]]:
    """Path and name of everything that a route reads from its query."""
    for path, verbs in app.openapi()["paths"].items():
        for one in verbs.get("get", {}).get("parameters", ()):
            if one["in"] == "query":
                yield path, one["name"]


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_queries_and_paths_of_odd_characters_break_nothing(admin: httpx.Client, place: Place, odd: str):
    numbers = {f"{name}_id": number for name, number in place.numbers.items()} | {"slug": "words", "name": "pairs-dpo"}
    for path, name in parameters():
        filled = re.sub(r"\{(\w+)\}", lambda found: str(numbers.get(found[1], 1)), path)
        is_said(admin.get(f"{filled}?{name}={odd}&{odd}={odd}"), (path, name, odd))
    lines = {f"/api/v1{name.partition(' ')[2]}" for name in PROGRAMS} | {name.partition(" ")[2] for name in LIBRARIES}
    pages = {name.partition(" ")[2] for name in BROWSERS if name.startswith("GET")}
    browser = signed_in(place.people["admin"])
    for path in sorted(lines | pages):
        caller = browser if path in pages else admin
        for part in re.findall(r"\{[^}]+\}", path):
            filled = path.replace(part, odd).replace("{kind:kinds}", "models")
            filled = re.sub(r"\{(\w+)[^}]*\}", lambda found: str(numbers.get(found[1], 1)), filled)
            is_said(caller.get(filled), (path, part, odd))


@pytest.mark.slow
@pytest.mark.parametrize("value", HOSTILE_HEADERS, ids=range(len(HOSTILE_HEADERS)))
def test_headers_of_odd_bytes_break_nothing(admin: httpx.Client, place: Place, value: bytes):
    for header in HEADERS:
        for method, path in (
            ("GET", "/api/v1/projects"),
            ("GET", f"/api/v1/datasets/{place.numbers['dataset']}/files/train.jsonl"),
            ("GET", "/tiebreak/pairs-dpo/resolve/main/config.json"),
            ("GET", "/static/app.css"),
            ("GET", "/projects"),
            ("POST", "/api/v1/invitations"),
            ("POST", "/sign-in"),
        ):
            answer = admin.request(method, path, content=b"{}", headers={header: value, "Content-Type": JSON})
            is_said(answer, (header, method, path))
    for credential in (b"Bearer " + value, b"Bearer tbk_" + value, value):
        answer = admin.get("/api/v1/projects", headers={"Authorization": credential})
        assert answer.status_code == 401, credential
        is_said(answer, credential)


def form_fields() -> set[str]:
    """The names of all fields of all forms."""
    found: set[str] = set()
    for template in (ROOT / "templates").rglob("*.html"):
        words = template.read_text()
        found |= set(re.findall(r'name="([\w.]+)"', words))
        found |= set(re.findall(r'ui\.(?:field|check|choice|select|textarea|area)\("([\w.]+)"', words))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_forms_of_odd_characters_break_nothing(place: Place, odd: str):
    browser: TestClient = signed_in(place.people["admin"])
    names = sorted(form_fields())
    assert len(names) > 40
    everything = "&".join(f"{quote(name)}={odd}" for name in names).encode()
    forms = [name.partition(" ")[2] for name in {*BROWSERS, *OPEN_PAGES} if name.startswith("POST")]
    lines = {name.partition(" ")[2]: line.path for name, line in BROWSERS.items()}
    for path in sorted(set(forms) - {"/sign-out"}):
        filled = lines.get(path, path).format(**place.numbers, secret="tbi_none")
        for body, media in (
            (everything, "application/x-www-form-urlencoded"),
            (b"\xff\xfe=\xff&%", "application/x-www-form-urlencoded"),
            (b"--x\r\n\xff", "multipart/form-data; boundary=x"),
            (b"{}", JSON),
        ):
            for more in ({}, {"HX-Request": "true"}):
                answer = browser.post(filled, content=body, headers={"Content-Type": media, **more})
                assert answer.status_code < 500, (path, media, answer.text[:300])
