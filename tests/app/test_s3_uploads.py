"""Uploads that nobody ended, in a real S3-speaking server (moto's)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import Engine

from app import jobs, s3_uploads, storage
from app.settings import get_settings
from app.storage import S3
from tests.end_to_end.servers import bucket

pytestmark = pytest.mark.usefixtures("silence")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, migrated: str) -> Iterator[str]:
    """Of a bucket, in which this place has its files."""
    with bucket("shelf") as where:
        for name, value in (where | {"STORAGE_URL": "s3://shelf/our files", "AWS_REGION": "eu-west-1"}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(s3_uploads, "rounds", s3_uploads.Rounds())
        get_settings.cache_clear()
        storage.storage.cache_clear()
        yield f"{where['S3_ENDPOINT']}/shelf"
    monkeypatch.undo()
    get_settings.cache_clear()
    storage.storage.cache_clear()


def begin(address: str, *keys: str) -> None:
    """As a process does that is killed then."""
    for key in keys:
        urlopen(Request(f"{address}/{quote(key)}?uploads", method="POST")).close()


def begun(address: str) -> list[str]:
    with urlopen(f"{address}?uploads") as told:
        return re.findall("<Key>(.*?)</Key>", told.read().decode())


def test_the_sweep_ends_old_ones_of_ours_and_touches_nothing_else(address: str, database: Engine, tmp_path: Path):
    """moto says of each that it was begun in 2010."""
    theirs = ["kept/theirs", "other/kept/theirs", "our files/notes/theirs"]
    begin(address, "our files/kept/run-7/3-20/state+1.safetensors", *theirs, "our files/checkpoints/é & ü/run-7-3/x")
    (tmp_path / "whole").write_bytes(b"whole")
    storage.storage().put("kept/run-7/3-10/whole", tmp_path / "whole")
    jobs.sweep()
    assert sorted(begun(address)) == sorted(theirs)
    assert b"".join(storage.storage().read("kept/run-7/3-10/whole")) == b"whole"
    begin(address, "our files/kept/one/more")
    jobs.sweep()
    assert "our files/kept/one/more" in begun(address), "it looks once an hour"


def test_one_that_may_still_be_under_way_is_left_alone(address: str):
    begin(address, "our files/kept/run-8/1-10/state.safetensors")
    store = storage.storage()
    assert isinstance(store, S3)
    assert s3_uploads.end_uploads(store, begun_before=datetime(2010, 1, 1, tzinfo=UTC)) == 0
    assert len(begun(address)) == 1
    assert s3_uploads.end_uploads(store, begun_before=datetime.now(UTC) - timedelta(days=1)) == 1
    assert begun(address) == []


def test_a_folder_has_none(database: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(s3_uploads, "rounds", s3_uploads.Rounds())
    assert jobs.do(s3_uploads.end_old_uploads) == 0
