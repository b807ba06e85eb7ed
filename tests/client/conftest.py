"""The sandbox with a real PostgREST behind it, and clients' tenants in it that last for a whole test file."""

import contextlib
from collections.abc import Iterator

import pytest

from scripts.postgrest import ensure_postgrest
from tests.client.tenant import Tenant, new_tenant
from tests.sandbox_process import Sandbox, sandbox_process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They need a program that the other tests do without: `make test-client`."""
    for item in items:
        if "client" in item.path.parts:
            item.add_marker(pytest.mark.client)


@pytest.fixture(scope="session")
def sandbox_server(postgres_dsn: str) -> Iterator[Sandbox]:
    with sandbox_process(postgrest=ensure_postgrest()) as running:
        running.settings(postgres_dsn=postgres_dsn, supabase_project_seconds=0.1, supabase_rate_per_minute=10_000)
        yield running
        running.reset()


@pytest.fixture(scope="module")
def tenant(sandbox_server: Sandbox, postgres_dsn: str) -> Iterator[Tenant]:
    with contextlib.closing(new_tenant(sandbox_server, postgres_dsn, "kloof-coffee")) as made:
        yield made


@pytest.fixture(scope="module")
def other_tenant(sandbox_server: Sandbox, postgres_dsn: str) -> Iterator[Tenant]:
    """Another client of the agency, in the same sandbox and on the same server."""
    with contextlib.closing(new_tenant(sandbox_server, postgres_dsn, "berg-bikes")) as made:
        yield made
