"""The uvicorn protocol that lets connections be closed without an answer: a request's own, or all that are open.

ASGI has no message for "hang up". This subclass puts the connection's own `close` into the scope, so that a client
sees what it would see of a vendor that died: an end of stream where a status line should be.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vendor_sandbox.wire import Receive, Scope

_CLOSE = "vendor_sandbox.close"
_open: dict[tuple[str, int], asyncio.Transport] = {}


class DroppableProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose scope carries `transport.close`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        if self.client:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _open.pop(self.client, None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_CLOSE: {"close": self.transport.close}}  # pyright: ignore[reportGeneralTypeIssues]


def abort_all(*, but: tuple[str, int] | None) -> int:
    """Reset every open connection except that of one client; how many there were."""
    doomed = [transport for client, transport in _open.items() if client != but]
    for transport in doomed:
        transport.abort()
    return len(doomed)


async def drop(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until uvicorn has noticed, or it would answer 500 on its own."""
    scope["extensions"][_CLOSE]["close"]()
    await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
