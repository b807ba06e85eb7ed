"""What the tests of moves share: a second server of the installation, where a client is, and writing for it.

Not here: assertions.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from tests.workflows.lead_work import master_rows

ORGANIZATIONS = load_queries("organizations")
SECOND = "pg-2"


async def place(stack: Stack, slug: str) -> Organization:
    """The client as the master knows it now."""
    async with stack.master.connection() as conn:
        return Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))


def on_second(organization: Organization) -> bool:
    return organization.dsn_sealed is not None and organization.database_name is not None


@asynccontextmanager
async def held(stack: Stack, organization: Organization) -> AsyncIterator[None]:
    """As long as this lasts the client is about to be moved."""
    hold = "update organizations set held_since = case when %s then now() end where id = %s returning id"
    assert len(await master_rows(stack, hold, True, organization.id)) == 1
    try:
        yield
    finally:
        await master_rows(stack, hold, False, organization.id)


async def write_contact(stack: Stack, slug: str, name: str) -> None:
    """As a request or a run writes: by the way that the organization's row says now."""
    async with stack.tenants.open(await place(stack, slug)) as tenant:
        await tenant.conn.execute("insert into contacts (name) values (%s)", [name])
