"""One message sent to one address: the whole of what happens on the network.

The connection goes to the addresses that were looked at (`targets.py`), while Host header, SNI and certificate are about the name:
httpcore lets a backend decide where a connection is made to. All of it (connect, handshake, request, answer) has one deadline,
whatever the other side does with single bytes. No redirect is followed and no proxy is asked, since either could lead elsewhere.
Of the answer, its status is all that is kept; what it says is read up to `MOST_READ` bytes, to part in peace, and thrown
away: shown to people, it would let them read what only this server can reach.
"""

import re
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from app.errors import BadInput
from app.webhooks.targets import Address, Network, Target, Unresolved, first_refused, read_url, resolve

WITHIN_S = 10.0
MOST_READ = 16_384
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt. `error` is one of those that `words.error_words` knows, empty when the message arrived."""

    error: str = ""
    detail: str = ""
    status_code: int | None = None
    duration_ms: int = 0
    retry_after_s: float = 0

    @property
    def arrived(self) -> bool:
        return not self.error


def send(
    url: str, headers: Mapping[str, str], body: bytes, also: Sequence[Network], *, within_s: float = WITHIN_S
) -> Outcome:
    """POST the body; never raises for what the network or the other side does. `also`: networks allowed besides public ones."""
    begun = time.monotonic()
    try:
        target = read_url(url)
        addresses = resolve(target.host, target.port)
    except (BadInput, Unresolved):
        return Outcome("no_name", url_host(url), duration_ms=_since(begun))
    if (refused := first_refused(addresses, also)) is not None:
        return Outcome("refused", str(refused), duration_ms=_since(begun))
    try:
        status, retry_after = _post(target, addresses, headers, body, begun + within_s)
    except httpcore.TimeoutException:
        return Outcome("too_slow", f"{within_s:g}", duration_ms=_since(begun))
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as problem:
        return Outcome(_kind(problem), _ERRNO.sub("", str(problem))[:200], duration_ms=_since(begun))
    return Outcome(_verdict(status), "", status, _since(begun), seconds_of(retry_after, datetime.now(UTC)))


def url_host(url: str) -> str:
    """The server's name alone: the rest of an address may be as good as a password."""
    with suppress(httpx.InvalidURL, UnicodeError):
        return httpx.URL(url).host
    return ""


def _post(
    target: Target, addresses: Sequence[Address], headers: Mapping[str, str], body: bytes, deadline: float
) -> tuple[int, str]:
    """The status, and what the answer says of when to come again."""
    told = [(b"Host", target.netloc), (b"Connection", b"close"), (b"User-Agent", b"Tiebreak")]
    told += [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
    told += [(name.encode(), value.encode()) for name, value in headers.items()]
    url = httpcore.URL(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path)
    backend = _Pinned(addresses, deadline)
    with (
        httpcore.ConnectionPool(ssl_context=_certificates(), network_backend=backend, retries=0) as pool,
        pool.stream("POST", url, headers=told, content=body, extensions={"timeout": _left(deadline)}) as answer,
    ):
        said = {name.lower(): value for name, value in answer.headers}
        read = 0
        with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
            for piece in answer.iter_stream():
                read += len(piece)
                if read >= MOST_READ:
                    break
        return answer.status, said.get(b"retry-after", b"").decode("ascii", "replace")


def _left(deadline: float) -> dict[str, float]:
    return dict.fromkeys(("connect", "read", "write", "pool"), max(deadline - time.monotonic(), 0.001))


@lru_cache
def _certificates() -> ssl.SSLContext:
    """Those of the system or of SSL_CERT_FILE, as for every other client of this project."""
    return httpx.create_ssl_context()


def _verdict(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if status == 410:
        return "gone"
    return "redirected" if 300 <= status < 400 else "status"


def _kind(problem: BaseException) -> str:
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "certificate"
        cause = cause.__cause__ or cause.__context__
    return "unreachable" if isinstance(problem, httpcore.ConnectError) else "broken_off"


def seconds_of(retry_after: str, now: datetime) -> float:
    """Seconds to wait, of the header's number or date; 0 when it says nothing that can be read."""
    words = retry_after.strip()
    if words.isascii() and words.isdigit():
        return float(words[:9])
    try:
        moment = parsedate_to_datetime(words)
    except ValueError:
        return 0
    return max((moment.astimezone(UTC) - now).total_seconds(), 0)


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses it was given, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[Address], deadline: float) -> None:
        self.addresses = addresses
        self.deadline = deadline
        self.network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        del host, timeout
        problem: Exception = httpcore.ConnectError("no address")
        for number, address in enumerate(self.addresses):
            share = _in_time(self.deadline, httpcore.ConnectTimeout) / (len(self.addresses) - number)
            try:
                found = self.network.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                problem = failure
            else:
                return _Timed(found, self.deadline)
        raise problem


class _Timed(httpcore.NetworkStream):
    """A connection of which every part ends by the deadline, however slowly the other side goes on."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self.stream = stream
        self.deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self.stream.read(max_bytes, _in_time(self.deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self.stream.write(buffer, _in_time(self.deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        left = _in_time(self.deadline, httpcore.ConnectTimeout)
        return _Timed(self.stream.start_tls(ssl_context, server_hostname, left), self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _in_time(deadline: float, otherwise: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise otherwise("the time for this delivery is over")
    return left
