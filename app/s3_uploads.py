"""Uploads to our own S3 that were begun and never ended: their parts take room, and no listing of files shows them.

A file travels in parts. When the process that sends it is killed, S3 keeps what has arrived for whoever might go on, which nobody
does. So once an hour the sweep ends those below this place's own folders that were begun more than a day ago; files that are whole
are never touched. `obstore` knows no such requests, so these are signed here (AWS Signature Version 4), with the keys in
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Where a machine has its keys from elsewhere, the bucket's lifecycle rule must do.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import httpx
import obstore
from sqlalchemy.orm import Session

from app.storage import S3, storage

OLD = timedelta(days=1)
EVERY_S = 3600.0
FOLDERS = ("checkpoints/", "datasets/", "kept/", "references/")
_NAME = "x"
_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass
class Rounds:
    """When this process last looked; several that look at once do no harm."""

    next_at: float = field(default=float("-inf"))


rounds = Rounds()


def end_old_uploads(session: Session) -> int:
    """For the sweep: how many were ended. Raises httpx.HTTPError when S3 refuses, and tries again in an hour."""
    del session  # S3 alone knows of them
    store = storage()
    if not isinstance(store, S3) or not os.environ.get("AWS_ACCESS_KEY_ID") or time.monotonic() < rounds.next_at:
        return 0
    rounds.next_at = time.monotonic() + EVERY_S
    return end_uploads(store, begun_before=datetime.now(UTC) - OLD)


def end_uploads(store: S3, *, begun_before: datetime) -> int:
    bucket = Bucket.of(store)
    with httpx.Client(timeout=30) as client:
        old = [one for one in _uploads(client, bucket) if one.begun_at < begun_before]
        for one in old:
            told = client.send(bucket.request("DELETE", f"/{one.key}", {"uploadId": one.id}))
            if told.status_code != httpx.codes.NOT_FOUND:  # it has ended meanwhile
                told.raise_for_status()
    return len(old)


@dataclass(frozen=True, slots=True)
class Upload:
    key: str
    id: str
    begun_at: datetime


def _uploads(client: httpx.Client, bucket: "Bucket") -> Iterator[Upload]:
    """Those below our own folders: a bucket without a prefix may hold the files of others."""
    asked = {"uploads": "", "prefix": bucket.prefix}
    while True:
        told = ET.fromstring(client.send(bucket.request("GET", "", asked)).raise_for_status().content)  # noqa: S314 -- our own S3
        for one in told.iterfind("{*}Upload"):
            key, name, begun = (one.findtext(f"{{*}}{word}", "") for word in ("Key", "UploadId", "Initiated"))
            if key.removeprefix(bucket.prefix).startswith(FOLDERS):
                yield Upload(key, name, datetime.fromisoformat(begun))
        if told.findtext("{*}IsTruncated") != "true":
            return
        for word, marker in (("NextKeyMarker", "key-marker"), ("NextUploadIdMarker", "upload-id-marker")):
            asked[marker] = told.findtext(f"{{*}}{word}", "")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where `obstore` finds it, and the prefix of ours within it, with a slash at its end if there is one."""

    address: str
    region: str
    prefix: str

    @classmethod
    def of(cls, store: S3) -> "Bucket":
        """By a link that `obstore` signs, which knows of every variable that says where S3 is."""
        prefix = f"{store.store.prefix}/" if store.store.prefix else ""
        link = httpx.URL(obstore.sign(store.store, "GET", _NAME, expires_in=timedelta(minutes=1)))
        region = link.params["X-Amz-Credential"].split("/")[2]
        return cls(str(link.copy_with(query=None)).removesuffix(f"/{quote(prefix)}{_NAME}"), region, prefix)

    def request(self, method: str, path: str, asked: Mapping[str, str]) -> httpx.Request:
        """A request without a body, signed for the next minutes."""
        url, now = f"{self.address}{quote(path)}", datetime.now(UTC)
        query = "&".join(f"{quote(name, safe='')}={quote(asked[name], safe='')}" for name in sorted(asked))
        headers = {
            "host": urlsplit(url).netloc,
            "x-amz-content-sha256": _NOTHING,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        if token := os.environ.get("AWS_SESSION_TOKEN"):
            headers["x-amz-security-token"] = token
        lines = [method, urlsplit(url).path, query, *(f"{name}:{value}" for name, value in headers.items())]
        names = ";".join(headers)
        scope = f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        canonical = hashlib.sha256("\n".join([*lines, "", names, _NOTHING]).encode()).hexdigest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, canonical])
        key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
        credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return httpx.Request(method, f"{url}?{query}", headers=headers)
