"""What S3 refuses with, in words: for whoever runs this server, and for whoever publishes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from app import db, doctor, storage
from app.doctor import examine
from app.health import readiness
from app.models import User
from app.settings import get_settings
from tests import trained
from tests.app.publications.conftest import gone_through, ordered, to_bucket
from tests.refusing import refusing

Ours = Callable[[str], None]
REFUSALS = [
    ("AccessDenied", 403, "S3 lets these keys not do this in shelf: they need s3:"),
    ("NoSuchBucket", 404, "There is no bucket shelf. Make it first"),
    ("InvalidAccessKeyId", 403, "S3 does not know this access key."),
    ("SignatureDoesNotMatch", 403, "The secret does not belong to this access key."),
    ("ExpiredToken", 400, "These keys have run out. Make new ones"),
    ("RequestTimeTooSkewed", 403, "Let it keep time by NTP."),
    ("AuthorizationHeaderMalformed", 400, "is in another region. Name that one."),
    ("", 405, "is no S3. See that the address"),
    ("", 404, "is no S3. See that the address"),
    ("", 200, "is no S3. See that the address"),
]


@pytest.fixture
def ours(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ours]:
    """Puts this place's own storage at an address of S3."""
    monkeypatch.setattr(doctor, "PING_S", 0.05)

    def at(address: str) -> None:
        told = {"STORAGE_URL": "s3://shelf/files", "S3_ENDPOINT": address, "AWS_REGION": "us-east-1"}
        for name, value in (told | {"AWS_ACCESS_KEY_ID": "ours", "AWS_SECRET_ACCESS_KEY": "ours-too"}).items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        storage.storage.cache_clear()
        readiness.looked_at = float("-inf")

    yield at
    monkeypatch.undo()
    get_settings.cache_clear()
    storage.storage.cache_clear()
    readiness.looked_at = float("-inf")


def said_by_the_doctor() -> str:
    return next(finding.words for finding in examine() if finding.what == "storage" and not finding.well)


@pytest.mark.parametrize(("code", "status", "words"), REFUSALS)
def test_the_doctor_and_readiness_say_how_to_mend_it(
    ours: Ours, caplog: pytest.LogCaptureFixture, code: str, status: int, words: str
):
    with refusing(code, status) as address:
        ours(address)
        said = said_by_the_doctor()
        assert words in said
        assert "STORAGE_URL" in said
        assert readiness.look()["storage"] == "not ready"
    assert words in caplog.text
    assert "ours-too" not in caplog.text


def test_an_address_where_nothing_answers_is_said(ours: Ours):
    ours("http://127.0.0.1:9")
    assert "Nothing answers at http://127.0.0.1:9." in said_by_the_doctor()


@pytest.mark.parametrize(("code", "status", "words"), REFUSALS)
def test_whoever_publishes_is_told_how_to_mend_it(
    ada: User, monkeypatch: pytest.MonkeyPatch, code: str, status: int, words: str
):
    with ExitStack() as stack:
        address = stack.enter_context(refusing(code, status))
        stack.callback(get_settings.cache_clear)
        stack.callback(monkeypatch.undo)
        monkeypatch.setenv("PUBLISH_S3", address)
        get_settings.cache_clear()
        with db.work_unit() as session:
            checkpoint = trained.make_checkpoint(session)
        refused = gone_through(ordered(ada, checkpoint, to_bucket(address)))
    assert (refused.state, refused.secret) == ("failed", None)
    assert words in (refused.error or "")
    assert "theirs-too" not in (refused.error or "")
