"""A request, an answer and a route, as every vendor file uses them.

A thin layer over ASGI and no framework: faults, the journal and connection drops need the route before the handler
runs and the answer before it is sent.
"""

import asyncio
import functools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Call:
    """One request, its body read to the end. `target` is the path, with the host in front for company sites; `client`
    is the other end of its connection; `raw_query` is the query as it came, still encoded; `is_part`
    marks one of several in a batch."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    fault: dict[str, Any] | None = None
    client: tuple[str, int] | None = None
    raw_query: str = ""
    is_part: bool = False

    @functools.cached_property
    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is not."""
        return json.loads(self.body)

    @property
    def target(self) -> str:
        return f"{self.host}{self.path}" if self.host.endswith(".example") else self.path

    @property
    def fault_kind(self) -> str:
        """The scripted fault that a vendor plays itself, such as Claude's `refusal`."""
        return self.fault["kind"] if self.fault else ""


@dataclass
class Answer:
    """What goes back: `body`, or `stream` instead.

    `is_accepted` says whether the vendor did the work (default: by the status). `is_dropped`: the connection closes
    without an answer. `is_unanswered`: it stays open without one. `cut_after`: it closes after so many bytes.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    is_dropped: bool = False
    is_accepted: bool | None = None
    is_unanswered: bool = False
    cut_after: int | None = None

    @property
    def accepted(self) -> bool:
        return self.status < 400 if self.is_accepted is None else self.is_accepted


def json_answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, {"content-type": "application/json", **(headers or {})})


Handler = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """`path` is a template such as `/graph/{version}/{phone}/messages`; the handler gets the parts by name."""

    method: str
    path: str
    handler: Handler

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        return path_pattern(self.path)

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"


def path_pattern(template: str) -> re.Pattern[str]:
    """`{name}` stands for one segment, `*` for anything."""
    parts = re.split(r"(\{\w+\}|\*)", template)
    regex = "".join(
        f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else ".*" if part == "*" else re.escape(part)
        for part in parts
    )
    return re.compile(rf"^{regex}$")


async def read_call(scope: Scope, receive: Receive) -> Call | None:
    """Read the whole request; None when the client left in the middle of it."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "").rsplit(":", 1)[0].lower().rstrip(".")
    raw_query = scope["query_string"].decode("latin-1")
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    client = scope.get("client")
    return Call(
        scope["method"],
        host,
        scope["path"],
        query,
        headers,
        b"".join(chunks),
        client=tuple(client) if client else None,
        raw_query=raw_query,
    )


async def send_answer(answer: Answer, receive: Receive, send: Send) -> None:
    """Send head and body. A stream stops when the client has gone: uvicorn itself would swallow it for ever."""
    headers = {"content-type": "text/plain; charset=utf-8", **{k.lower(): v for k, v in answer.headers.items()}}
    if answer.stream is None:
        headers.setdefault("content-length", str(len(answer.body)))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if answer.stream is not None:
        await _send_stream(answer.stream, receive, send)
    elif answer.cut_after is not None:
        await send({"type": "http.response.body", "body": answer.body[: answer.cut_after], "more_body": True})
    else:
        await send({"type": "http.response.body", "body": answer.body})


async def _send_stream(stream: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    gone = asyncio.ensure_future(receive())
    try:
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if gone.done():
                return
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
