"""A master database of a test's own with its organizations, whose databases it may lose, a folder of backups, and a
second server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import databases, drop
from draggonnb_pipelines.resources.migrations import TEMPLATE_PREFIX
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.workflows.operations.restores import FRESH, KEPT
from draggonnb_pipelines.workflows.server_list import put_server
from tests.conftest import MakeOrganization
from tests.sandbox_process import Sandbox
from tests.servers import hasty_server
from tests.workflows.backup_work import BY, rows, settings_of
from tests.workflows.move_work import SECOND


@pytest.fixture
async def backup_stack(master_dsn: str, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(settings_of(master_dsn, tmp_path, sandbox.port)) as stack:
        yield stack
    for row in rows(master_dsn, "select database_name from organizations where database_name > ''"):
        for suffix in (KEPT, FRESH):
            await drop(master_dsn, f"{row['database_name']}{suffix}")


@pytest.fixture(scope="session")
def second_server() -> Iterator[str]:
    with hasty_server("second") as dsn:
        yield dsn


@pytest.fixture
def second_dsn(second_server: str) -> Iterator[str]:
    """A server besides the master's; what a test has left on it is dropped."""
    yield second_server
    with psycopg.connect(second_server, autocommit=True) as conn:
        for (name,) in conn.execute(
            "select datname from pg_database where not datistemplate and datname <> 'postgres'"
        ):
            conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))
        conn.execute("drop role if exists other_login")


@pytest.fixture
async def move_stack(backup_stack: Stack, second_dsn: str) -> AsyncIterator[Stack]:
    """An installation with two servers, the second closed to new clients. What moves leave on the master's goes too."""
    before = await databases(backup_stack.master.dsn)
    await put_server(backup_stack.master, backup_stack.vault, SECOND, second_dsn, by=BY, is_open=False)
    yield backup_stack
    rows(backup_stack.master.dsn, "update organizations set server = 'master', dsn_sealed = null, database_name = null")
    for name in await databases(backup_stack.master.dsn) - before:
        if not name.startswith(TEMPLATE_PREFIX):
            await drop(backup_stack.master.dsn, name)


@pytest.fixture
async def client(make_organization: MakeOrganization) -> Organization:
    return await make_organization("kloof-coffee")


@pytest.fixture
async def bystander(make_organization: MakeOrganization) -> Organization:
    """A second client, to which nothing may happen."""
    return await make_organization("outsider")
