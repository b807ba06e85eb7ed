"""Pages of the public internet that a customer named: one GET, redirects followed by hand.

Lives here: the walk along redirects, its caps, and the reasons why there is no page. Does not live here: which
addresses may be reached (`addresses.py`), the wire (`exchange.py`), what a page says (`websites.py`).
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import httpx

from draggonnb_pipelines.resources.addresses import (
    ConnectTo,
    DialRefused,
    GetAddrInfo,
    PublicFetchError,
    PublicResolver,
    check_public_url,
    guarded_socket_factory,
)
from draggonnb_pipelines.resources.exchange import (
    ACCEPT_ENCODING,
    CONNECT_TIMEOUT_SECONDS,
    KEEP_ALIVE_SECONDS,
    Answer,
    ExchangeFault,
    exchange,
    open_session,
)
from draggonnb_pipelines.resources.outgoing import Outgoing

CONNECTIONS = 128
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Labels of the WHATWG encoding standard that Python knows too. Python decodes with more than charsets: punycode takes
# minutes for a megabyte, unicode_escape and utf-7 make other characters than those that the page's guards looked at.
WEB_CHARSETS = frozenset(
    {"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "latin1", "latin5", "latin9", "macintosh"}
    | {f"iso-8859-{part}" for part in (*range(1, 12), *range(13, 17))}
    | {f"{maker}125{page}" for maker in ("windows-", "cp") for page in range(9)}
    | {"iso_8859-1", "iso8859-1", "koi8-r", "koi8-u", "ibm866", "cp866", "tis-620"}
    | {"gbk", "gb2312", "gb18030", "big5", "big5-hkscs", "euc-jp", "iso-2022-jp", "shift_jis", "shift-jis", "sjis"}
    | {"ms932", "euc-kr", "ks_c_5601-1987"}
)
# Not by `email`: that decodes RFC 2231's `charset*=` with whichever codec the server names.
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([a-z0-9_:.-]{2,40})", re.IGNORECASE)
ACCEPT = "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.8,*/*;q=0.5"


@dataclass(frozen=True, slots=True)
class PublicPage:
    """A page of the public internet, whatever its status; the body is decompressed, not decoded.

    `charset` is what the server says, if it is one of `WEB_CHARSETS`.
    """

    requested_url: str
    url: str
    status: int
    content_type: str
    body: bytes
    charset: str | None
    fetched_at: datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


def web_charset(label: str) -> str | None:
    """The charset in lower case, None if a page of the web may not be decoded with it."""
    name = label.lower()
    return name if name in WEB_CHARSETS else None


class PublicPages:
    """The guarded session; `HttpDoor` owns one and is the way to it. Create it inside a running loop."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        user_agent: str,
        connect_to: ConnectTo,
        getaddrinfo: GetAddrInfo,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._user_agent = user_agent
        self._now = now
        self._resolver = PublicResolver(connect_to, getaddrinfo)
        # No DNS cache: each connection is made to an address that was resolved and checked for it.
        connector = aiohttp.TCPConnector(
            ssl=tls,
            limit=CONNECTIONS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            use_dns_cache=False,
            resolver=self._resolver,
            socket_factory=guarded_socket_factory(connect_to),
        )
        self._session = open_session(connector)

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()

    async def fetch(self, url: str, *, max_bytes: int, timeout_seconds: float, max_redirects: int) -> PublicPage:
        """See `HttpDoor.fetch_public`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._follow(url, max_bytes, timeout_seconds, max_redirects)
        except TimeoutError as error:
            raise PublicFetchError("timeout", f"no whole page within {timeout_seconds:g} s") from error

    async def _follow(self, url: str, max_bytes: int, timeout_seconds: float, max_redirects: int) -> PublicPage:
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=timeout_seconds)
        headers = {"user-agent": self._user_agent, "accept": ACCEPT, "accept-encoding": ACCEPT_ENCODING}
        target = check_public_url(url)
        seen: set[str] = set()
        while len(seen) <= max_redirects and str(target) not in seen:
            seen.add(str(target))
            request = Outgoing("GET", str(target), headers)
            try:
                answer = await exchange(
                    self._session, request, timeout=timeout, deadline_seconds=None, max_bytes=max_bytes
                )
            except ExchangeFault as fault:
                raise _public_fault(target.host, fault) from fault
            location = answer.headers.get("location")
            if answer.status_code not in REDIRECTS or not location:
                return self._page(url, target, answer)
            target = _redirect(target, location)
        raise PublicFetchError("too_many_redirects", f"{len(seen)} redirects, the last one to {target.host}")

    def _page(self, requested_url: str, url: httpx.URL, answer: Answer) -> PublicPage:
        content_type = answer.headers.get("content-type", "")
        charset = _CHARSET.search(content_type)
        return PublicPage(
            requested_url=requested_url,
            url=str(url),
            status=answer.status_code,
            content_type=content_type.partition(";")[0].strip().lower(),
            body=answer.content,
            charset=web_charset(charset.group(1)) if charset else None,
            fetched_at=self._now(),
        )


def _public_fault(host: str, fault: ExchangeFault) -> PublicFetchError:
    cause = fault.__cause__
    if isinstance(cause, aiohttp.ClientConnectorError) and isinstance(cause.os_error, DialRefused):
        return PublicFetchError("refused_address", f"{host} leads to an address that is not public")
    if fault.kind == "too_large":
        return PublicFetchError("too_large", fault.detail)
    if fault.kind in ("timeout", "connect_timeout"):
        return PublicFetchError("timeout", f"{host}: {fault.detail}")
    if fault.kind == "unusable":
        return PublicFetchError("bad_url", f"{host}: {fault.detail}")
    return PublicFetchError("unreachable", f"{host}: {fault.detail}")


def _redirect(source: httpx.URL, location: str) -> httpx.URL:
    try:
        return check_public_url(str(source.join(location)))
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise PublicFetchError("bad_url", f"{source.host} redirects to something that is not a URL") from None
