"""The server by streamable HTTP, on this machine alone and for whoever has the token.

Lives here: the port, the token. Not here: the protocol and its check of Host and Origin (the SDK's).
"""

import hashlib
import hmac
import socket

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from draggonnb_pipelines.errors import OperatorError

HOST = "127.0.0.1"
PATH = "/mcp"


def free_port(port: int) -> socket.socket:
    """The port, held for `serve`.

    Raises:
        OperatorError: another program has it.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
    except OSError as error:
        held.close()
        raise OperatorError(
            f"port {port} of {HOST} cannot be had: {error.strerror}", remedy="choose another"
        ) from error
    return held


async def serve(server: MCPServer, held: socket.socket, *, token: str) -> None:
    """Answer until the process is told to end."""
    app = Bearer(server.streamable_http_app(host=HOST), token)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    await uvicorn.Server(config).serve(sockets=[held])


class Bearer:
    """Lets in who shows the token as `Authorization: Bearer` (RFC 6750); everybody else gets 401 and no reason."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token_sha256 = hashlib.sha256(token.encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_shown(scope):
            await self._app(scope, receive, send)
            return
        headers = {"www-authenticate": "Bearer", "cache-control": "no-store"}
        await JSONResponse({"error": "unauthorized"}, 401, headers)(scope, receive, send)

    def _is_shown(self, scope: Scope) -> bool:
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, given = shown[0].partition(b" ") if len(shown) == 1 else (b"", b"", b"")
        digest = hashlib.sha256(given.strip()).digest()
        return hmac.compare_digest(digest, self._token_sha256) and scheme.lower() == b"bearer"
