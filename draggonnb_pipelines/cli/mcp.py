"""`draggonnb mcp`: the MCP server over this installation, until its client hangs up or Ctrl-C.

Does not live here: the tools (`mcp_server/`). By stdin and stdout, stdout carries nothing but the protocol.
"""

import asyncio
import contextlib
import os
import signal
from typing import Any

from rich.console import Console

from draggonnb_pipelines.cli.faults import explained
from draggonnb_pipelines.cli.leads import api_url
from draggonnb_pipelines.cli.session import installation
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.mcp_server import http
from draggonnb_pipelines.mcp_server.server import create_server
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import Settings


def serve(*, port: int | None, allow_writes: bool) -> None:
    """By HTTP where there is a port, else by stdin and stdout.

    Raises:
        OperatorError: HTTP without a token, or the port is taken.
    """
    _on_signals(_interrupt)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as held:
        settings = held.enter_context(installation())
        if port is None:
            _on_signals(lambda *_: _leave(held))
        try:
            asyncio.run(_serve(settings, port, allow_writes=allow_writes))
        finally:
            # Clients that have hung up send SIGTERM when it takes long: the database must not be left half stopped.
            _on_signals(signal.SIG_IGN)


def _on_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _leave(held: contextlib.ExitStack) -> None:
    """End at once: nothing wakes the thread that waits for stdin, so nobody may wait for that."""
    _on_signals(signal.SIG_IGN)
    held.close()
    os._exit(0)


async def _serve(settings: Settings, port: int | None, *, allow_writes: bool) -> None:
    async with open_stack(settings) as stack:
        server = create_server(stack, api_url=api_url(settings), explain=explained, allow_writes=allow_writes)
        if port is None:
            await server.run_stdio_async()
            return
        if settings.mcp_token is None:
            raise OperatorError(
                "DRAGGONNB_MCP_TOKEN is not set",
                remedy="whoever reaches the port must show it: set it to $(openssl rand -hex 32)",
            )
        held = http.free_port(port)
        Console(stderr=True, highlight=False).print(f"MCP at http://{http.HOST}:{port}{http.PATH}, with the token")
        await http.serve(server, held, token=settings.mcp_token.get_secret_value())
