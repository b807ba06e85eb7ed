"""The API as it runs in production: uvicorn on loopback, a real master database, real tenants."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
import uvicorn
from psycopg.rows import dict_row

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.settings import Settings, load_settings
from tests.conftest import MASTER_KEYS

APP_SECRET = "whatsapp-app-secret"
VERIFY_TOKEN = "whatsapp-verify-token"


class Clock:
    """The one thing that tests replace. Starts at the real time, since the database has its own."""

    def __init__(self) -> None:
        self.moment: datetime | None = None

    def __call__(self) -> datetime:
        return self.moment or datetime.now(UTC)


class Api:
    """A running API and the database behind it."""

    def __init__(self, url: str, master_dsn: str, clock: Clock) -> None:
        self.url = url
        self.master_dsn = master_dsn
        self.clock = clock

    def rows(self, query: LiteralString, *values: Any) -> list[dict[str, Any]]:
        """What master holds; a connection of the test's own."""
        with psycopg.connect(self.master_dsn, autocommit=True) as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()

    def inbox(self) -> list[dict[str, Any]]:
        return self.rows("select * from inbox order by received_at, delivery_id")

    def execute(self, query: LiteralString, *values: Any) -> None:
        with psycopg.connect(self.master_dsn, autocommit=True) as conn:
            conn.execute(query, values)


ServeApi = Callable[..., AbstractContextManager[Api]]


@pytest.fixture
def api_settings(master_dsn: str) -> Settings:
    return load_settings(
        _env_file=None,
        master_dsn=master_dsn,
        master_keys=MASTER_KEYS,
        whatsapp_app_secret=APP_SECRET,
        whatsapp_verify_token=VERIFY_TOKEN,
        sandbox_port=9,  # nothing listens there: a probe that claims otherwise is wrong
    )


@pytest.fixture
def serve_api(api_settings: Settings) -> ServeApi:
    """`with serve_api(api_rate_per_minute=3) as api:` runs one on a port of its own, or on the one that is named."""

    @contextlib.contextmanager
    def serve(*, port: int = 0, **overrides: Any) -> Iterator[Api]:
        clock = Clock()
        app = create_app(api_settings.model_copy(update=overrides), now=clock)
        config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="on", proxy_headers=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Api(f"http://127.0.0.1:{port}", api_settings.dsn, clock)
        finally:
            server.should_exit = True
            thread.join(15)

    return serve


@pytest.fixture
def api(serve_api: ServeApi) -> Iterator[Api]:
    with serve_api() as running:
        yield running


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as client:
        yield client


def token_of(organization: Organization) -> dict[str, str]:
    """The header that lets a sender in."""
    return {"x-webhook-token": f"token-of-{organization.slug}"}
