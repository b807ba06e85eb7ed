"""The uvicorn protocol that lets a request's connection be closed without an answer.

ASGI has no message for "hang up". This subclass puts the connection's own `close` into the scope, so that a client
sees what it would see of a vendor that died: an end of stream where a status line should be.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vendor_sandbox.wire import Receive, Scope

_CLOSE = "vendor_sandbox.close"


class DroppableProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose scope carries `transport.close`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_CLOSE: {"close": self.transport.close}}  # pyright: ignore[reportGeneralTypeIssues]


async def drop(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until uvicorn has noticed, or it would answer 500 on its own."""
    scope["extensions"][_CLOSE]["close"]()
    await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
