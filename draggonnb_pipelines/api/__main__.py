"""`python -m draggonnb_pipelines.api`: the API on uvicorn, for supervisors that start it by itself."""

import logging
import sys

import uvicorn
from fastapi import FastAPI

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.redaction import RedactingFilter
from draggonnb_pipelines.settings import load_settings


def main() -> int:
    """Serve until a signal. Exit code 2 says that an operator has something to put right."""
    try:
        settings = load_settings()
        # Asked for now, so that a missing setting is one line and not a traceback out of the server.
        _ = settings.dsn, settings.keys
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    # Our own log has each request, without query strings and tokens; forwarded headers are trusted by our setting.
    uvicorn.run(
        "draggonnb_pipelines.api.__main__:worker_app",
        factory=True,
        workers=settings.api_workers,
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=10,
    )
    return 0


def worker_app() -> FastAPI:
    """The application of one worker process; with one worker it is this process."""
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler]
    )
    return create_app(load_settings())


if __name__ == "__main__":
    sys.exit(main())
