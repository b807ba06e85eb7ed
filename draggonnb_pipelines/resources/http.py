"""The one HTTP door: every fetch of a public page and every call to a vendor without an SDK of its own goes through it.

Lives here: calls to vendors with time-outs, retries with backoff, the class of transport faults, one log line a call.
Does not live here: the class of a vendor's answer (its adapter sorts it), pages that customers name
(`public_pages.py`, behind the guard of `addresses.py`), the wire (`exchange.py`).
"""

import asyncio
import logging
import random
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import httpx

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.addresses import ConnectTo, GetAddrInfo, PublicFetchError
from draggonnb_pipelines.resources.exchange import (
    ACCEPT_ENCODING,
    CONNECT_TIMEOUT_SECONDS,
    KEEP_ALIVE_SECONDS,
    Answer,
    ExchangeFault,
    exchange,
    open_session,
)
from draggonnb_pipelines.resources.outgoing import HeaderBreak, Outgoing
from draggonnb_pipelines.resources.public_pages import PublicPage, PublicPages, utc_now
from draggonnb_pipelines.resources.redaction import redact
from draggonnb_pipelines.resources.vendor_limits import VendorLimits

__all__ = ["HttpDoor", "PublicFetchError", "PublicPage"]

POOL_TIMEOUT_SECONDS = 30.0
BACKOFF_BASE_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 20.0
VENDOR_CONNECTIONS = 512
CONNECTIONS_PER_VENDOR = 256
_NOT_OPEN = "the HTTP door is not open: use `async with HttpDoor(...) as door`"
log = logging.getLogger(__name__)
Sort = Callable[[Answer], VendorError | None]


class HttpDoor:
    """Async context manager; one for each event loop, shared by all adapters. Proxies and .netrc are not read.

    Args:
        user_agent: sent with every request.
        connect_to: host suffix -> ip:port for public pages, like curl's --connect-to.
        limits: shared with all other processes; None: calls wait for nobody.
        getaddrinfo, sleep, randomness, now: the world, replaceable in tests.

    Raises:
        OperatorError: connect_to is malformed.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        connect_to: Mapping[str, str] | None = None,
        limits: VendorLimits | None = None,
        getaddrinfo: GetAddrInfo = socket.getaddrinfo,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        randomness: Callable[[], float] = random.random,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._user_agent, self._limits = user_agent, limits
        self._connect_to = ConnectTo.parse(connect_to or {})
        self._getaddrinfo = getaddrinfo
        self._sleep = sleep
        self._randomness = randomness
        self._now = now
        self._vendors: aiohttp.ClientSession | None = None
        self._public: PublicPages | None = None

    async def __aenter__(self) -> Self:
        tls = trusted_authorities()
        connector = aiohttp.TCPConnector(
            ssl=tls,
            limit=VENDOR_CONNECTIONS,
            limit_per_host=CONNECTIONS_PER_VENDOR,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ttl_dns_cache=60,
        )
        self._vendors = open_session(connector)
        self._public = PublicPages(
            tls, user_agent=self._user_agent, connect_to=self._connect_to, getaddrinfo=self._getaddrinfo, now=self._now
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        vendors, public, self._vendors, self._public = self._vendors, self._public, None, None
        if vendors and public:
            await vendors.close()
            await public.close()

    async def call(
        self,
        vendor: str,
        method: str,
        url: str,
        *,
        idempotent: bool,
        sort: Sort,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        content: str | bytes | None = None,
        read_timeout_seconds: float = 30.0,
        max_bytes: int = 10_000_000,
        attempts: int = 4,
        max_wait_seconds: float = 30.0,
    ) -> Answer:
        """Call a vendor, and call again where the error's class allows it.

        Transport faults: no connection is RETRY. A time-out, a reset or a cut body is RETRY for an idempotent call,
        else AMBIGUOUS, since the vendor may have acted. Only RETRY and THROTTLED are repeated, with exponential
        backoff and full jitter, or as long as Retry-After says; never more than `attempts` in all.

        Args:
            idempotent: the vendor may see the request twice without harm.
            sort: the adapter's verdict on an answer; None is success.
            read_timeout_seconds: longest silence; one attempt as a whole takes at most 30 s + 3 times this.
            max_bytes: cap on the answer's body.
            max_wait_seconds: cap on the sum of the waits after answers. A longer Retry-After is not waited for: the
                error, which carries it, is raised at once for the caller to reschedule. What `limits` lets a call wait
                comes on top: for its place, and for a silence no longer than what is left of this.

        Raises:
            VendorError: the last error, sorted.
        """
        request = self._request(vendor, method, url, headers, params=params, json=json, data=data, content=content)
        waited = 0.0
        for attempt in range(1, attempts + 1):
            if self._limits:
                await self._limits.admit(vendor, max_wait_seconds=max_wait_seconds - waited)
            started = time.monotonic()
            response, error = await self._attempt(vendor, request, sort, idempotent, read_timeout_seconds, max_bytes)
            _log_call(vendor, request, response, error, attempt, time.monotonic() - started)
            if error is None and response is not None:
                return response
            assert error is not None
            if self._limits:
                await self._limits.note(error)
            wait = self._wait_seconds(error, attempt, max_wait_seconds - waited)
            if wait is None or attempt == attempts:
                raise error
            waited += wait
            await self._sleep(wait)
        raise ValueError("attempts must be at least 1")

    async def fetch_public(
        self, url: str, *, max_bytes: int, timeout_seconds: float, max_redirects: int = 5
    ) -> PublicPage:
        """GET a page that a customer named, following redirects by hand; every hop is checked anew.

        A redirect from https to http is followed: nothing secret is sent, and small companies' sites do it.

        Args:
            max_bytes: cap on the body, as sent and decompressed.
            timeout_seconds: cap on everything: names, connections, redirects, body.

        Raises:
            PublicFetchError: there is no page; its reason says why.
        """
        if self._public is None:
            raise RuntimeError(_NOT_OPEN)
        return await self._public.fetch(
            url, max_bytes=max_bytes, timeout_seconds=timeout_seconds, max_redirects=max_redirects
        )

    async def _attempt(
        self,
        vendor: str,
        request: Outgoing,
        sort: Sort,
        idempotent: bool,
        read_timeout_seconds: float,
        max_bytes: int,
    ) -> tuple[Answer | None, VendorError | None]:
        """Send once and sort what came of it; the error is completed from the answer's headers."""
        if self._vendors is None:
            raise RuntimeError(_NOT_OPEN)
        timeout = aiohttp.ClientTimeout(
            connect=POOL_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=read_timeout_seconds
        )
        deadline = POOL_TIMEOUT_SECONDS + 3 * read_timeout_seconds
        try:
            response = await exchange(
                self._vendors, request, timeout=timeout, deadline_seconds=deadline, max_bytes=max_bytes
            )
        except ExchangeFault as fault:
            return None, _sort_fault(vendor, fault, idempotent)
        error = sort(response)
        if error is not None:
            error.request_id = error.request_id or response.request_id
            if error.is_transient and error.retry_after_seconds is None:
                error.retry_after_seconds = retry_after_seconds(response.headers.get("retry-after"), self._now())
        return response, error

    def _request(self, vendor: str, method: str, url: str, headers: Mapping[str, str] | None, **body: Any) -> Outgoing:
        own = {"user-agent": self._user_agent, "accept": "application/json, */*;q=0.5"}
        given = {name.lower(): value for name, value in (headers or {}).items()}
        try:
            return Outgoing.encode(method, url, {**own, **given, "accept-encoding": ACCEPT_ENCODING}, **body)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise VendorError(vendor, ErrorClass.CONFIG, "the URL or a header is not valid") from error
        except HeaderBreak as error:
            raise VendorError(vendor, ErrorClass.CONFIG, str(error)) from error

    def _wait_seconds(self, error: VendorError, attempt: int, left_seconds: float) -> float | None:
        """How long to wait before the next attempt; None where there is none.

        Full jitter over an exponential ceiling. After a Retry-After at least what it asks, and up to a second more,
        so that callers which were refused together do not come back together.
        """
        if not error.is_transient:
            return None
        ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** (attempt - 1), left_seconds)
        if error.retry_after_seconds is None:
            return self._randomness() * ceiling
        if error.retry_after_seconds > left_seconds:
            return None
        return error.retry_after_seconds + self._randomness() * min(1.0, left_seconds - error.retry_after_seconds)


@cache
def trusted_authorities() -> ssl.SSLContext:
    """Whom every door of this process believes: reading the authorities takes 25 ms."""
    return httpx.create_ssl_context()


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110 §10.2.3): seconds or an HTTP date; None where it says nothing usable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _sort_fault(vendor: str, fault: ExchangeFault, idempotent: bool) -> VendorError:
    if fault.kind == "unusable":
        error_class = ErrorClass.CONFIG
    elif fault.was_sent and not idempotent:
        error_class = ErrorClass.AMBIGUOUS
    elif fault.kind == "too_large":
        error_class = ErrorClass.INPUT
    else:
        error_class = ErrorClass.RETRY
    return VendorError(vendor, error_class, fault.detail, status=fault.status)


def _log_call(
    vendor: str,
    request: Outgoing,
    response: Answer | None,
    error: VendorError | None,
    attempt: int,
    seconds: float,
) -> None:
    level = logging.DEBUG if error is None else logging.INFO
    if not log.isEnabledFor(level):
        return
    url = urlsplit(request.url)
    log.log(
        level,
        "vendor_call vendor=%s method=%s url=%s status=%s class=%s ms=%d request_id=%s attempt=%d",
        vendor,
        request.method,
        redact(f"{url.hostname}{url.path}"),
        response.status_code if response else (error.status if error else None),
        error.error_class.value if error else "ok",
        round(seconds * 1000),
        response.request_id if response else None,
        attempt,
    )
