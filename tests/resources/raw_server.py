"""A real HTTP/1.1 server on loopback whose every answer is written byte for byte by the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import hdrs

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

Behave = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader

    async def client_left(self) -> None:
        """Wait until the client has closed its side."""
        await self.reader.read()


@dataclass
class RawServer:
    behave: Behave
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    sent_bytes: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get(hdrs.CONTENT_LENGTH.lower(), 0)))
            self.seen.append(Seen(method, target, headers, body, reader))
            await self.behave(self.seen[-1], writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client hung up, which some tests ask for
        finally:
            writer.close()


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """A whole answer; underscores in header names become hyphens."""
    fields = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body


def by_status(response: Answer) -> VendorError | None:
    """An adapter's sorting, as plain as can be."""
    if response.status_code == 429:
        return VendorError("acme", ErrorClass.THROTTLED, "quota", status=429)
    if response.status_code >= 500:
        return VendorError("acme", ErrorClass.RETRY, "broken", status=response.status_code)
    if response.status_code >= 400:
        return VendorError("acme", ErrorClass.INPUT, "wrong", status=response.status_code)
    return None


def replies(*answers: bytes) -> Behave:
    """Answer with each in turn, then with the last one for ever."""
    waiting = list(answers)

    async def behave(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        await writer.drain()

    return behave


async def hang_up(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Take the request and close without a word."""
    writer.close()


async def stay_silent(seen: Seen, _: asyncio.StreamWriter) -> None:
    """Take the request and say nothing until the client leaves."""
    await seen.client_left()


@asynccontextmanager
async def raw_server(behave: Behave) -> AsyncIterator[RawServer]:
    state = RawServer(behave)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(state.handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=512)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
