"""Where a webhook may point: which addresses on the network are open to it, and which are for this machine's own side.

Whoever makes a webhook has this server send a request to a place that they choose and perhaps could not reach themselves: a
neighbour behind the same firewall, a cloud's metadata. So only public addresses will do unless `WEBHOOK_TARGETS` names more. A name
is resolved once for each delivery and each address it has is looked at; the connection is then made to those very addresses
(`sending.py`), so that a name that answers differently the next time changes nothing.

What counts as public is said positively, since lists of what is not grow: for IPv6 the block that is handed out (2000::/3), for
IPv4 what the registries call global; less the few in `NOT_PUBLIC`. An IPv4 address inside an IPv6 one counts as what it is.
"""

import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from app.errors import BadInput
from app.language import gettext as _

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2000
RESOLVE_S = 5.0
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's metadata, at an address that is otherwise public
        "100.64.0.0/10",  # behind a provider's own translation; Alibaba's metadata is here
        "192.0.0.0/24",  # protocols; Oracle's metadata is here
        "192.88.99.0/24",  # relays from IPv4 to 6to4, which are no more
        "198.18.0.0/15",  # benchmarks of networks
        "2001::/23",  # protocols, Teredo among them: an IPv4 address wrapped up
        "2001:db8::/32",  # examples
        "2002::/16",  # 6to4: as above
        "3fff::/20",  # more examples
    )
)
_GIVEN_OUT = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
_resolver = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolver")


class Unresolved(Exception):  # noqa: N818 -- says where we stand
    """The name has no address that anybody knows of now."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart once, by the same code for the check and for the request. `netloc` is for the Host header."""

    scheme: str
    host: str
    port: int
    path: bytes
    netloc: bytes


def read_url(url: str) -> Target:
    """Raises BadInput with the field `url`."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise BadInput(_("A web address has no spaces, and %(n)s characters at most.", n=LONGEST_URL), field="url")
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as problem:
        raise BadInput(
            _("This is not a web address: write it out, as https://example.org/hook."), field="url"
        ) from problem
    port = (443 if parsed.scheme == "https" else 80) if parsed.port is None else parsed.port
    if parsed.scheme not in {"http", "https"} or not host or not 0 < port < 65536:
        raise BadInput(_("A webhook’s address begins with https:// or http:// and names a server."), field="url")
    if parsed.userinfo or parsed.fragment:
        raise BadInput(
            _("Leave out the name and password before the server’s name, and what follows a #: neither is sent."),
            field="url",
        )
    return Target(parsed.scheme, host, port, parsed.raw_path, parsed.netloc)


def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a name, each once, in the order in which the system would try them. Raises Unresolved."""
    asked: Future[list[Address]] = _resolver.submit(_ask, host, port)
    try:
        found = asked.result(RESOLVE_S)
    except (TookTooLong, OSError, UnicodeError) as problem:  # the system's resolver cannot be told to hurry
        raise Unresolved(host) from problem
    if not found:
        raise Unresolved(host)
    return found


def _ask(host: str, port: int) -> list[Address]:
    told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(ip_address(str(where[0])) for *_kind, where in told))


def first_refused(addresses: Sequence[Address], also: Sequence[Network]) -> Address | None:
    """The first of a name's addresses that a webhook may not go to; None when it may go to all. `also` are allowed besides."""
    return next((address for address in addresses if not _is_open(address, also)), None)


def _is_open(address: Address, also: Sequence[Network]) -> bool:
    inner = _inner(address)
    return is_public(inner) or any(inner in network or address in network for network in also)


def _inner(address: Address) -> Address:
    """The IPv4 address that a connection to this one leads to, where it is such a one in other clothes."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could connect there as well as this server."""
    if address.is_multicast or not address.is_global or any(address in network for network in NOT_PUBLIC):
        return False
    return address in _GIVEN_OUT if isinstance(address, IPv6Address) else not address.is_reserved


def check(url: str, also: Sequence[Network]) -> Target:
    """Whether a webhook may point here as things are now. Raises BadInput with the field `url`."""
    target = read_url(url)
    try:
        refused = first_refused(resolve(target.host, target.port), also)
    except Unresolved as problem:
        raise BadInput(
            _("The name %(host)s cannot be found now; check its spelling.", host=target.host), field="url"
        ) from problem
    if refused is not None:
        raise BadInput(
            _(
                "%(host)s is at %(address)s, which is not a public address. Whoever runs this server may allow its network with WEBHOOK_TARGETS.",
                host=target.host,
                address=refused,
            ),
            field="url",
        )
    return target
