"""Uploads to our own S3 that were begun and never ended: their parts take room, and no listing of files shows them.

A file travels in parts. When the process that sends it is killed, S3 keeps what has arrived for whoever might go on, which nobody
does. So once an hour the sweep ends those below this place's own folders that were begun more than a day ago; files that are whole
are never touched. `obstore` knows no such requests: these are made by `botocore`, which finds the same keys in the same places.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.settings import get_settings
from app.storage import S3, storage

OLD = timedelta(days=1)
EVERY_S = 3600.0
FOLDERS = ("checkpoints/", "datasets/", "kept/", "references/")


@dataclass
class Rounds:
    """When this process last looked; several that look at once do no harm."""

    next_at: float = field(default=float("-inf"))


rounds = Rounds()


def end_old_uploads(session: Session) -> int:
    """For the sweep: how many were ended. Raises botocore's errors when S3 refuses, and tries again in an hour."""
    del session  # S3 alone knows of them
    store = storage()
    if not isinstance(store, S3) or time.monotonic() < rounds.next_at:
        return 0
    rounds.next_at = time.monotonic() + EVERY_S
    return end_uploads(store, begun_before=datetime.now(UTC) - OLD)


def end_uploads(store: S3, *, begun_before: datetime) -> int:
    with closing(_client(store)) as client:
        old = [one for one in _uploads(client, store) if one["Initiated"] < begun_before]
        for one in old:
            try:
                client.abort_multipart_upload(Bucket=_bucket(store), Key=one["Key"], UploadId=one["UploadId"])
            except client.exceptions.NoSuchUpload:  # it has ended meanwhile
                continue
    return len(old)


def _uploads(client: Any, store: S3) -> Iterator[dict[str, Any]]:
    """Those below our own folders: a bucket without a prefix may hold the files of others."""
    prefix = f"{store.store.prefix}/" if store.store.prefix else ""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=_bucket(store), Prefix=prefix):
        for one in page.get("Uploads", ()):
            if one["Key"].removeprefix(prefix).startswith(FOLDERS):
                yield one


def _bucket(store: S3) -> str:
    return str(store.store.config["bucket"])


def _client(store: S3) -> Any:
    """Of the server that `obstore` asks, with the bucket's name in the path as there."""
    from botocore.config import Config  # noqa: PLC0415 -- its 20 MB are for the process that sweeps, and for places in S3
    from botocore.session import get_session  # noqa: PLC0415 -- as above

    once = Config(
        s3={"addressing_style": "path"}, connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 2}
    )
    endpoint, region = get_settings().s3_endpoint or None, store.store.config.get("region")
    return get_session().create_client("s3", endpoint_url=endpoint, region_name=region, config=once)
