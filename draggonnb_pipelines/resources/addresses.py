"""Which addresses a URL that a customer gave may reach.

Lives here: the check of such a URL, the list of refused networks, and the resolver and socket factory that make
the checked address the one that is connected to. Does not live here: the fetch itself (`http.py`).

The guard has three lines: the URL is checked before each hop (scheme, credentials, port, literal addresses); the
resolver answers only with global addresses; the socket factory looks once more at the very address that is dialled.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from draggonnb_pipelines.errors import DraggonnbError, OperatorError

PUBLIC_PORTS = frozenset({80, 443, 8080, 8443})
MAX_URL_LENGTH = 2048
# A look-up cannot be cancelled: a dead name server holds its thread for half a minute, whoever still waits for it.
RESOLVER_THREADS = 64

GetAddrInfo = Callable[..., list[tuple[Any, ...]]]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
FetchFault = Literal["bad_url", "refused_address", "unreachable", "timeout", "too_large", "too_many_redirects"]

# IANA special-purpose registry (RFC 6890 and later), kept by hand because `is_global` differs between the patch
# releases of Python 3.11 to 3.13. 168.63.129.16 is Azure's host service: a public number, reachable only from inside.
_REFUSED_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
        ),
    )
)
# Only 2000::/3 is allocated for global unicast: that alone refuses loopback, ULA, link-local, v4-mapped and NAT64.
# Refused inside it: IETF protocol space with Teredo, documentation, 6to4.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")


class PublicFetchError(DraggonnbError):
    """A public URL was not fetched. `detail` is one line for a person, without the URL's query."""

    def __init__(self, reason: FetchFault, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: FetchFault = reason
        self.detail = detail


class DialRefused(OSError):
    """The socket factory's refusal; an OSError, because that is what aiohttp reports as a failed connection."""


def is_public_address(address: IpAddress) -> bool:
    """True for an address of the public internet, False for everything private, local, special or translated."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _REFUSED_V6)


def check_public_url(url: str) -> httpx.URL:
    """Parse a URL that a customer or a redirect gave, and return it in canonical form without fragment.

    Raises:
        PublicFetchError: bad_url, or refused_address where the host is a literal private address.
    """
    if len(url) > MAX_URL_LENGTH:
        raise PublicFetchError("bad_url", f"longer than {MAX_URL_LENGTH} characters")
    if _FORBIDDEN.search(url):
        raise PublicFetchError("bad_url", "holds a space, a control character or a backslash")
    try:
        parsed = httpx.URL(url)
        host, port = parsed.raw_host.decode("ascii").lower(), parsed.port
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise PublicFetchError("bad_url", "not a valid URL") from None
    if parsed.scheme not in ("http", "https"):
        raise PublicFetchError("bad_url", "only http and https are fetched")
    if parsed.userinfo:
        raise PublicFetchError("bad_url", "holds credentials")
    if port is not None and port not in PUBLIC_PORTS:
        raise PublicFetchError("bad_url", f"port {port} is not a web port")
    return parsed.copy_with(host=_check_host(host), raw_path=parsed.raw_path, fragment=None)


def _check_host(host: str) -> str:
    if ":" in host:
        return _check_literal(host.strip("[]"))
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise PublicFetchError("bad_url", "not a valid host name")
    # As browsers do (WHATWG "ends in a number"): 127.1, 0x7f.1 and 2130706433 are addresses to getaddrinfo.
    return _check_literal(name) if _NUMERIC_LABEL.fullmatch(labels[-1]) else name


def _check_literal(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise PublicFetchError("bad_url", "not a canonical IP address") from None
    if not is_public_address(address):
        raise PublicFetchError("refused_address", f"{address} is not a public address")
    return str(address)


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """Host suffixes that are sent to one address each, like curl's --connect-to.

    Only hosts under a suffix get its address, and only these exact address and port pairs may be dialled
    although they are not public.
    """

    targets: Mapping[str, tuple[str, int]]

    @classmethod
    def parse(cls, setting: Mapping[str, str]) -> "ConnectTo":
        """Read `{"example": "127.0.0.1:8190"}`.

        Raises:
            OperatorError: a target is not ip:port.
        """
        targets: dict[str, tuple[str, int]] = {}
        for suffix, target in setting.items():
            host, _, port = target.rpartition(":")
            try:
                address = ipaddress.ip_address(host.strip("[]"))
                targets[suffix.strip(".").lower()] = (str(address), _port(port))
            except ValueError:
                message = f"DRAGGONNB_RESEARCH_CONNECT_TO: {suffix!r} goes to {target!r}, which is not ip:port"
                raise OperatorError(message, remedy='for example {"example": "127.0.0.1:8190"}') from None
        return cls(targets)

    def target(self, host: str) -> tuple[str, int] | None:
        """Where the host is sent, by its longest suffix; None where it is resolved as usual."""
        labels = host.lower().removesuffix(".").split(".")
        for start in range(len(labels)):
            if found := self.targets.get(".".join(labels[start:])):
                return found
        return None

    def exempts(self, address: str, port: int) -> bool:
        return (address, port) in self.targets.values()


class PublicResolver(AbstractResolver):
    """Answers with global addresses only, so that the address which was checked is the one that is dialled.

    A name with public and private addresses keeps the public ones. It has threads of its own, because a dead
    name server would otherwise hold the threads of the default executor. Whoever asks for a name that is being looked
    up waits for that look-up, so that one dead name takes one thread; an answer is not kept for those who ask later.
    """

    def __init__(self, connect_to: ConnectTo, getaddrinfo: GetAddrInfo) -> None:
        self._connect_to = connect_to
        self._getaddrinfo = getaddrinfo
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolve")
        self._under_way: dict[tuple[str, int], asyncio.Future[list[tuple[Any, ...]]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look the host up.

        Raises:
            PublicFetchError: refused_address, when no address of the host is public.
            OSError: the name does not resolve.
        """
        if target := self._connect_to.target(host):
            return [_result(host, *target)]
        infos = await self._look_up(host, port, family)
        addresses = dict.fromkeys(str(info[4][0]) for info in infos)
        public = [address for address in addresses if is_public_address(ipaddress.ip_address(address))]
        if not public:
            raise PublicFetchError("refused_address", f"{host} has no public address")
        return [_result(host, address, port) for address in public]

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[tuple[Any, ...]]:
        # The final dot makes the name absolute: no search domain of our own network is tried.
        name = f"{host.removesuffix('.')}."
        key = (name, family)
        look_up = self._under_way.get(key)
        if look_up is None:
            look_up = asyncio.get_running_loop().run_in_executor(
                self._threads, self._getaddrinfo, name, port, family, socket.SOCK_STREAM
            )
            self._under_way[key] = look_up
            look_up.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(look_up)  # others may wait for it longer than this caller

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def guarded_socket_factory(connect_to: ConnectTo) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Make sockets for public addresses and for the exempt ones, and for nothing else."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (address, port, *_) = info
        allowed = port in PUBLIC_PORTS and is_public_address(ipaddress.ip_address(address))
        if not allowed and not connect_to.exempts(address, port):
            raise DialRefused(f"{address} port {port} is not a public address")
        return socket.socket(family, kind, protocol)

    return make


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise ValueError(text)
    return port
