"""Fixtures for every room: a real Postgres, a migrated master database, tenants cloned from the template, the sandbox.

`DRAGGONNB_TEST_DSN` points the whole suite at another server; without it the embedded one is used.
"""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.migrations import ensure_database, ensure_tenant_template, migrate
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.sql import MASTER_MIGRATIONS
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from tests.sandbox_process import Sandbox, sandbox_process
from tests.servers import hasty_server

if TYPE_CHECKING:
    import dagster as dg

MASTER_KEYS = "test:" + "q83vEjRWeJC83xI0VniQq83vEjRWeJC83xI0VniQq80="


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: else one worker is left alone with them in the end."""
    items.sort(key=lambda item: "stories" not in item.path.parts)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A server, without a database name that any test may write to."""
    if dsn := os.environ.get("DRAGGONNB_TEST_DSN"):
        yield dsn
        return
    with hasty_server("tests") as dsn:
        yield dsn


@pytest.fixture(scope="session")
def master_template(postgres_dsn: str) -> Iterator[str]:
    """A migrated master database that each test clones."""
    name = f"test_master_template_{uuid.uuid4().hex[:8]}"
    ensure_database(postgres_dsn, name)
    migrate(dsn_for(postgres_dsn, name), MASTER_MIGRATIONS)
    yield name
    _drop(postgres_dsn, name)


@pytest.fixture(scope="session")
def tenant_template(postgres_dsn: str) -> str:
    """The tenant template of this version of the schema; kept between sessions, since its name holds the hash."""
    return ensure_tenant_template(postgres_dsn)


@pytest.fixture
def master_dsn(postgres_dsn: str, master_template: str) -> Iterator[str]:
    """A fresh master database, and afterwards the removal of it and of the tenants that it created."""
    name = f"test_master_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("create database {} template {}").format(Identifier(name), Identifier(master_template)))
    yield dsn_for(postgres_dsn, name)
    with psycopg.connect(dsn_for(postgres_dsn, name), autocommit=True) as conn:
        tenants = [row[0] for row in conn.execute("select database_name from organizations where database_name > ''")]
    _drop(postgres_dsn, *tenants, name)


@pytest.fixture
def dagster_pg_url(postgres_dsn: str) -> Iterator[str]:
    """A database of its own for Dagster, empty."""
    from tests.dagster_storage import empty_database  # Dagster is heavy, and most tests need none

    with empty_database(postgres_dsn) as url:
        yield url


@pytest.fixture
def instance(dagster_pg_url: str, tmp_path: Path) -> "Iterator[dg.DagsterInstance]":
    """Exactly the instance that `dagster.yaml` describes."""
    from tests.dagster_storage import instance_on

    with instance_on(dagster_pg_url, tmp_path / "logs") as opened:
        yield opened


@pytest.fixture
def vault() -> Vault:
    return Vault(MASTER_KEYS)


@pytest.fixture
async def master(master_dsn: str) -> AsyncIterator[MasterDb]:
    async with MasterDb(master_dsn, max_connections=4) as db:
        yield db


@pytest.fixture
async def tenants(master_dsn: str, vault: Vault) -> AsyncIterator[Tenants]:
    async with Tenants(master_dsn, vault, max_connections=10) as opened:
        yield opened


MakeOrganization = Callable[..., Awaitable[Organization]]


@pytest.fixture
def make_organization(master: MasterDb, vault: Vault, master_dsn: str, tenant_template: str) -> MakeOrganization:
    """Create an organization with its tenant database: `await make_organization("kloof-coffee")`."""

    async def make(slug: str, **details: str) -> Organization:
        new = NewOrganization(
            slug=slug,
            name=details.get("name", slug.replace("-", " ").title()),
            owner_email=details.get("owner_email", f"sales@{slug}.example"),
            owner_phone=details.get("owner_phone", "+27821234567"),
            webhook_token=details.get("webhook_token", f"token-of-{slug}"),
        )
        prefix = f"test_{uuid.uuid4().hex[:8]}_"
        created = await create_organization(new, master=master, vault=vault, server_dsn=master_dsn, prefix=prefix)
        return created.organization

    return make


@pytest.fixture
async def agency(make_organization: MakeOrganization) -> Organization:
    return await make_organization("draggonnb", name="DraggonnB")


@pytest.fixture
async def outsider(make_organization: MakeOrganization) -> Organization:
    """A second tenant that must stay empty whatever a test does to the first."""
    return await make_organization("outsider")


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    with sandbox_process() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Sandbox:
    """The vendor sandbox, with an empty journal and no faults."""
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture
def supabase_sandbox(sandbox: Sandbox, postgres_dsn: str) -> Iterator[Sandbox]:
    """The vendor sandbox with a server for Supabase projects, whose databases and roles are dropped at the end."""
    sandbox.settings(postgres_dsn=postgres_dsn, supabase_project_seconds=0.1)
    yield sandbox
    sandbox.reset()


def _drop(server_dsn: str, *names: str) -> None:
    with contextlib.closing(psycopg.connect(server_dsn, autocommit=True)) as conn:
        for name in names:
            conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
