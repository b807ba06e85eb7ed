"""One request, one whole answer: what the HTTP door builds its retries and redirects on.

Lives here: sending an `Outgoing` through an aiohttp session, the caps on size and time, decompression in
bounded steps, and the sorting of every transport fault by the one question that matters: can the other side have
acted on the request? Does not live here: retries, redirects, which addresses may be dialled.
"""

import asyncio
import io
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import yarl

from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.outgoing import Outgoing

ACCEPT_ENCODING = "gzip, deflate"
CONNECT_TIMEOUT_SECONDS = 5.0
# Node and uvicorn drop idle connections after 5 s; a POST on a connection that just died is AMBIGUOUS for nothing.
KEEP_ALIVE_SECONDS = 4.0
RAW_CHUNK_BYTES = 65_536
DECODED_STEP_BYTES = 65_536
X509_V_ERR_CERT_HAS_EXPIRED = 10  # of OpenSSL; Python has no name for it
# A body of more bytes goes out in pieces, or it would hold up the event loop.
LARGE_BODY_BYTES = 1_000_000

FaultKind = Literal["unusable", "not_sent", "connect_timeout", "timeout", "lost", "too_large"]
_ENCODING_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_DROPPED_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_REQUEST_ID_HEADERS = (
    *("request-id", "x-request-id", "x-github-request-id", "x-vercel-id", "x-fb-request-id", "x-fb-trace-id"),
    *("x-li-uuid", "x-transaction-id", "sb-request-id"),
)


class ExchangeFault(DraggonnbError):
    """No whole answer came. The detail names no URL, header or body.

    Kinds: `unusable` (cannot be sent at all), `not_sent` and `connect_timeout` (no connection: the other side saw
    nothing), `timeout` and `lost` (it may have acted), `too_large` (it answered, with more than the cap).
    """

    def __init__(self, kind: FaultKind, detail: str, *, status: int | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: FaultKind = kind
        self.detail = detail
        self.status = status

    @property
    def was_sent(self) -> bool:
        """True where the other side may have acted on the request."""
        return self.kind in ("timeout", "lost", "too_large")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its names of `headers` in lower case, its body decoded."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes = b""

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.content)

    @property
    def request_id(self) -> str | None:
        """The vendor's id of the call, for their support."""
        found = next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None)
        return found[:100] if found else None


async def send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Client middleware that sorts the faults of sending.

    It also stops aiohttp from repeating a request by itself: aiohttp sends GET, PUT and DELETE a second time when the
    server hangs up, on a fresh connection too, but only if it sees these errors.
    """
    try:
        return await handler(request)
    except aiohttp.ConnectionTimeoutError as error:
        raise ExchangeFault("connect_timeout", "no connection in time") from error
    except aiohttp.ClientConnectorError as error:
        raise ExchangeFault("not_sent", _reason(error)) from error
    except aiohttp.SocketTimeoutError as error:
        raise ExchangeFault("timeout", "no answer in time") from error
    except aiohttp.InvalidURL as error:
        raise ExchangeFault("unusable", "the request cannot be sent as it is") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ExchangeFault("lost", f"connection lost before the answer ({type(error).__name__})") from error


def open_session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """A session that does nothing by itself: no cookies, proxies, .netrc, decompression or second sending."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        middlewares=(send_once,),
        timeout=aiohttp.ClientTimeout(),
    )


async def exchange(
    session: aiohttp.ClientSession,
    request: Outgoing,
    *,
    timeout: aiohttp.ClientTimeout,
    deadline_seconds: float | None,
    max_bytes: int,
) -> Answer:
    """Send once and read the whole answer, decoded. Redirects are answers here; cookies are not kept.

    Args:
        deadline_seconds: cap on the whole exchange, against answers that drip; None where the caller has its own.
        max_bytes: cap on the body, both as sent and decoded.

    Raises:
        ExchangeFault: there is no whole answer.
    """
    try:
        async with asyncio.timeout(deadline_seconds):
            return await _exchange(session, request, timeout, max_bytes)
    except TimeoutError as error:
        raise ExchangeFault("timeout", f"no whole answer within {deadline_seconds:g} s") from error


async def _exchange(
    session: aiohttp.ClientSession, request: Outgoing, timeout: aiohttp.ClientTimeout, max_bytes: int
) -> Answer:
    # encoded=True: yarl would otherwise rewrite what the caller encoded on purpose (%3A in a LinkedIn URN to a colon).
    try:
        answer = await session.request(
            request.method,
            yarl.URL(request.url, encoded=True),
            headers=request.headers,
            data=io.BytesIO(request.content) if len(request.content) > LARGE_BODY_BYTES else request.content or None,
            allow_redirects=False,
            timeout=timeout,
            skip_auto_headers=("Content-Type",),
        )
    except (aiohttp.ClientError, ValueError) as error:  # faults of sending were sorted by send_once already
        raise ExchangeFault("unusable", "the request cannot be sent as it is") from error
    try:
        body = await _read(answer, max_bytes)
    except aiohttp.SocketTimeoutError as error:
        answer.close()
        raise ExchangeFault("timeout", "the answer stopped half-way", status=answer.status) from error
    except (aiohttp.ClientError, OSError) as error:
        answer.close()
        raise ExchangeFault("lost", "the answer was cut short", status=answer.status) from error
    except BaseException:
        answer.close()
        raise
    answer.release()
    return Answer(answer.status, _headers(answer.raw_headers), body)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {name: value for name, value in headers.items() if name not in _DROPPED_HEADERS}


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if answer.method != "HEAD" and (answer.content_length or 0) > max_bytes:
        raise ExchangeFault("too_large", f"announces {answer.content_length} bytes", status=answer.status)
    decoder = _Decoder(answer.headers.getall("Content-Encoding", []), max_bytes, answer.status)
    received = 0
    async for chunk in answer.content.iter_chunked(RAW_CHUNK_BYTES):
        received += len(chunk)
        if received > max_bytes:
            raise ExchangeFault("too_large", f"more than {max_bytes} bytes", status=answer.status)
        decoder.feed(chunk)
    # Servers name an encoding for empty bodies too; a body that is missing by mistake was reported by aiohttp.
    return decoder.finish() if received else b""


class _Decoder:
    """Collects a body, decompressing at most 64 KiB a step, so that a bomb stops at the cap and not in memory."""

    def __init__(self, encodings: list[str], max_bytes: int, status: int) -> None:
        names = [name for line in encodings for part in line.split(",") if (name := part.strip().lower())]
        names = [name for name in names if name != "identity"]
        self._status = status
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        if len(names) > 1 or (names and names[0] not in _ENCODING_WINDOWS):
            raise self._broken("is encoded in a way that was not asked for")
        self._window = _ENCODING_WINDOWS[names[0]] if names else None
        self._inflater = zlib.decompressobj(self._window) if self._window else None

    def feed(self, chunk: bytes) -> None:
        if self._inflater is None:
            self._append(chunk)
            return
        while chunk:
            if self._inflater.eof:
                if self._window == zlib.MAX_WBITS or chunk[:2] != b"\x1f\x8b":
                    return  # bytes after the end of the stream are ignored, as browsers do
                self._inflater = zlib.decompressobj(self._window or 0)
            chunk = self._inflate(chunk)

    def finish(self) -> bytes:
        if self._inflater is not None and not self._inflater.eof:
            raise self._broken("is cut short")
        return b"".join(self._parts)

    def _inflate(self, chunk: bytes) -> bytes:
        """Decompress one step and return what is left to do."""
        inflater = self._inflater
        assert inflater is not None
        try:
            self._append(inflater.decompress(chunk, DECODED_STEP_BYTES))
        except zlib.error:
            if self._window != zlib.MAX_WBITS or self._size:
                raise self._broken("does not decompress") from None
            # Some servers send "deflate" without the zlib wrapper that RFC 9110 asks for.
            self._window = -zlib.MAX_WBITS
            self._inflater = zlib.decompressobj(self._window)
            return chunk
        return inflater.unused_data if inflater.eof else inflater.unconsumed_tail

    def _append(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            raise ExchangeFault("too_large", f"more than {self._max_bytes} bytes", status=self._status)
        if part:
            self._parts.append(part)

    def _broken(self, fault: str) -> ExchangeFault:
        return ExchangeFault("lost", f"the answer {fault}", status=self._status)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """One line without host or URL: the caller names the host."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        is_over = getattr(error.certificate_error, "verify_code", None) == X509_V_ERR_CERT_HAS_EXPIRED
        return "the certificate has expired" if is_over else "the certificate is not valid for this host"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed"
    return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
