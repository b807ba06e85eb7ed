"""`python -m draggonnb_pipelines.api`: the API on uvicorn, for supervisors that start it by itself."""

import logging
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.api.held_connections import PatientProtocol, held_socket
from draggonnb_pipelines.api.metrics import share_counts
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.logs import handler
from draggonnb_pipelines.resources.redaction import RedactingFilter
from draggonnb_pipelines.settings import load_settings

WORKER_APP = "draggonnb_pipelines.api.__main__:worker_app"


def main() -> int:
    """Serve until a signal. Exit code 2 says that an operator has something to put right."""
    try:
        settings = load_settings()
        # Asked for now, so that a missing setting is one line and not a traceback out of the server.
        _ = settings.dsn, settings.keys
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if settings.api_workers > 1:
        share_counts(settings.state_dir / "metrics")
    # Our own log has each request, without query strings and tokens; forwarded headers are trusted by our setting.
    options: dict[str, Any] = {
        "factory": True,
        "workers": settings.api_workers,
        "host": settings.api_host,
        "port": settings.api_port,
        "loop": "uvloop",
        "http": PatientProtocol,
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "log_config": None,
        "timeout_graceful_shutdown": 10,
        "backlog": 4096,  # as the held socket's: uvicorn listens on it once more, which would halve it
    }
    held = held_socket()
    if held is None:
        uvicorn.run(WORKER_APP, **options)
        return 0
    return _serve_on(held, uvicorn.Config(WORKER_APP, **options))


def _serve_on(held: socket.socket, config: uvicorn.Config) -> int:
    """As `uvicorn.run` does it, but on a socket that a supervisor holds."""
    if config.workers > 1:
        Multiprocess(config, sockets=[held]).run()
        return 0
    server = uvicorn.Server(config)
    server.run(sockets=[held])
    return 0 if server.started else STARTUP_FAILURE


def worker_app() -> FastAPI:
    """The application of one worker process; with one worker it is this process."""
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, handlers=[handler(settings.log_format, RedactingFilter())])
    return create_app(settings)


if __name__ == "__main__":
    sys.exit(main())
