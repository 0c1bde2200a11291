"""To a bucket: every file under the prefix, its card and its manifest last, since here nothing makes them appear at once.

Files go up in parts, several at a time and each with a SHA-256 that S3 checks before it takes the part; the bytes are checked
against the row on their way, and one that is wrong never becomes a file (`storage.verified`). A file carries its sum as
metadata, by which one that is there already is known and not sent again; one that was cut in the middle begins anew.

The key is the person's own and nothing else: what this process knows of Amazon for its own storage stays out of it.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from app.publications.content import Content
from app.publications.outcome import Arrived, Failure, Passing
from app.publications.places import S3Secret, address_of_s3
from app.publications.progress import Progress, Stopped
from app.publications.reading import chunks_of
from app.s3_words import words_of_s3
from app.storage import Corrupt, Storage, Stored, verified

if TYPE_CHECKING:
    from obstore.store import S3Credential

PART_BYTES = 8 << 20
MOST_PARTS = 9_000  # S3 takes 10,000
SUM = "sha256"
RIGHTS = "s3:GetObject, s3:PutObject and s3:AbortMultipartUpload"
_PASSING = re.compile(r"status code: (408|429|5\d\d)|<Code>(SlowDown|InternalError|RequestTimeout)|HTTP error")


class ToBucket:
    """One prefix of a bucket."""

    def __init__(self, server: str, place: str, secret: S3Secret, *, region: str) -> None:
        self._place = place
        self._bucket, _, prefix = place.partition("/")
        address = address_of_s3(server, region)
        self._store = S3Store(
            self._bucket,
            prefix=prefix,
            endpoint=address,
            region=region,
            virtual_hosted_style_request=False,
            checksum_algorithm="SHA256",
            credential_provider=_these(secret),
            client_options={"allow_http": address.startswith("http://"), "timeout": "300s", "connect_timeout": "10s"},
            retry_config={"max_retries": 4},
        )

    def send(self, content: Content, store: Storage, progress: Progress) -> Arrived:
        """Raises Failure, Passing, Stopped."""
        with in_words(self._bucket):
            for file in content.stored:
                self._sent(content.prefix, file, store, progress)
            for path, data in content.made.items():
                made = Stored(path, len(data), hashlib.sha256(data).hexdigest())
                self._put(made, iter([data]), progress)
        return Arrived(f"s3://{self._place}")

    def _sent(self, prefix: str, file: Stored, store: Storage, progress: Progress) -> None:
        name = f"{prefix}/{file.path}"
        self._put(file, verified(chunks_of(store, name), name, file.sha256), progress)

    def _put(self, file: Stored, chunks: Iterator[bytes], progress: Progress) -> None:
        progress.take_up(file.path)
        if not self._has(file):
            obstore.put(
                self._store,
                file.path,
                _counted(chunks, progress),
                attributes={SUM: file.sha256},
                chunk_size=max(PART_BYTES, ceil(file.size / MOST_PARTS)),
                max_concurrency=4,
            )
            if self._has(file) is False:
                raise Passing(f"{file.path} is not in the bucket as it was sent")
        progress.done(file.size)

    def _has(self, file: Stored) -> bool | None:
        """None where these keys may not look: Amazon also says so of what is not there to those who may not list."""
        try:
            found = obstore.get(self._store, file.path, options={"head": True})
        except FileNotFoundError:
            return False
        except (PermissionDeniedError, UnauthenticatedError):
            return None
        except GenericError as refusal:
            if "status code: 400" in str(refusal):  # the answer to a write says why
                return None
            raise
        return found.meta["size"] == file.size and found.attributes.get(SUM) == file.sha256


def _these(secret: S3Secret) -> Any:
    session = secret.session_token.get_secret_value() if secret.session_token else None

    def credentials() -> "S3Credential":
        return {
            "access_key_id": secret.access_key_id,
            "secret_access_key": secret.secret_access_key.get_secret_value(),
            "token": session,
            "expires_at": None,
        }

    return credentials


def _counted(chunks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    sent = 0
    for chunk in chunks:
        progress.move(sent)
        yield chunk
        sent += len(chunk)
    progress.move(sent)


@contextmanager
def in_words(bucket: str) -> Iterator[None]:
    """What `obstore` raises, as an outcome."""
    try:
        yield
    except (Failure, Stopped, Corrupt):
        raise
    except (BaseError, OSError) as problem:
        raise _outcome(str(problem), bucket) from problem


def _outcome(said: str, bucket: str) -> Failure:
    first = said.partition("\n\nDebug source")[0]
    words = words_of_s3(said, bucket=bucket, rights=RIGHTS)
    if _PASSING.search(first):
        return Passing(f"S3 is busy or cannot be reached: {words or first}")
    return Failure(words or f"S3 refused: {first}")
