"""Forms, as browsers send them."""

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from app.forms import fields, quick_fields

URLENCODED = "application/x-www-form-urlencoded"
TWO_PARTS = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'


def sent(body: bytes, media_type: str) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "headers": [(b"content-type", media_type.encode())]}, receive)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"assignment=12&key=a-b_c&choice=tie&comment=", URLENCODED),
        (b"comment=gr%C3%BC%C3%9Fe+%26+mehr%0D%0A&comment=last", URLENCODED),
        (b"a&=b&&c=d=e;f", URLENCODED),
        (b"%FF=%zz&\xc3\xa4=\xff&n=%00", URLENCODED),
        (b"", URLENCODED),
        (b"a=1", f"{URLENCODED}; charset=UTF-8"),
        (TWO_PARTS, "multipart/form-data; boundary=x"),
        (b"a=1", "text/plain"),
    ],
)
def test_the_form_of_a_key_press_is_read_as_any_other(body: bytes, media_type: str) -> None:
    assert anyio.run(quick_fields, sent(body, media_type)) == anyio.run(fields, sent(body, media_type))
