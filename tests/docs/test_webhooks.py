"""What the page of webhooks shows works, and what it says is so."""

import re
import time
from typing import Any

from app.models.webhook import EVENTS, TEST
from app.settings import ROOT, Settings
from app.webhooks import signature
from app.webhooks.backoff import MOST_TRIES, wait_s

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
SNIPPET = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SECRET = b"k" * 32


def is_ours(headers: dict[str, str], body: bytes, secret: bytes = SECRET) -> bool:
    [code] = SNIPPET
    names: dict[str, Any] = {}
    exec(code, names)
    found: bool = names["is_ours"](signature.shown(secret), headers, body)
    return found


def test_its_snippet_knows_our_messages():
    now = int(time.time())
    assert is_ours(signature.headers([SECRET], "msg_1", now, b"{}"), b"{}")
    assert is_ours(signature.headers([b"n" * 32, SECRET], "msg_1", now, b"{}"), b"{}")


def test_its_snippet_refuses_what_is_not_ours():
    now = int(time.time())
    signed = signature.headers([SECRET], "msg_1", now, b"{}")
    assert not is_ours(signed, b"{ }")
    assert not is_ours(signed, b"{}", secret=b"o" * 32)
    assert not is_ours(signed | {"webhook-id": "msg_2"}, b"{}")
    assert not is_ours(signature.headers([SECRET], "msg_1", now - 600, b"{}"), b"{}")


def test_it_names_every_event_and_setting():
    assert {event for event in (*EVENTS, TEST) if f"`{event}`" not in PAGE} == set()
    settings = {str(field.alias) for field in Settings.model_fields.values()}
    assert set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", PAGE)) - {"SSL_CERT_FILE"} <= settings


def test_its_waits_are_those_of_the_schedule():
    waits = [wait_s(tries, 0.5) or 0 for tries in range(1, MOST_TRIES)]
    assert "5 s, 20 s, 80 s, 5 min, 21 min, 85 min and 5 h 41 min, then every 6 hours" in PAGE
    assert [round(wait) for wait in waits[:3]] == [5, 20, 80]
    assert [round(wait / 60) for wait in waits[3:7]] == [5, 21, 85, 341]
    assert {wait / 3600 for wait in waits[7:]} == {6}
    assert round(sum(waits) / 3600) == 32
