"""Clients that have paid and wait to be set up, as rows of the master database."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from draggonnb_pipelines.resources.stack import Stack
from tests.workflows.lead_work import master_rows

OPEN = """
with made as (
    insert into organizations (id, slug, name, status, plan_key, data_key_wrapped, webhook_token_sha256)
    values (%s, %s, %s, 'provisioning', 'growth', %s, sha256(%s))
    returning id
)
insert into provisionings (organization_id, owner_name, owner_email, requested_by)
select id, 'Front desk', %s, 'test' from made
"""


async def open_client(stack: Stack, slug: str) -> UUID:
    """One client, paid and waiting; its id."""
    organization_id = uuid4()
    wrapped = stack.vault.new_data_key(organization_id)
    name = slug.replace("-", " ").title()
    owner = f"owner@{slug}.example"
    await master_rows(stack, OPEN, organization_id, slug, name, wrapped, slug.encode(), owner)
    return organization_id


async def open_clients(stack: Stack, slugs: Sequence[str]) -> None:
    for slug in slugs:
        await open_client(stack, slug)


async def states(stack: Stack) -> dict[str, str]:
    rows: list[dict[str, Any]] = await master_rows(
        stack, "select o.slug, p.state from provisionings p join organizations o on o.id = p.organization_id"
    )
    return {row["slug"]: row["state"] for row in rows}
