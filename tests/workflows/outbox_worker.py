"""A process that sends what waits: `python -m tests.workflows.outbox_worker SLUG`. Settings come by the environment."""

import asyncio
import sys

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.notices import send_waiting


async def main(slug: str) -> None:
    async with open_stack(load_settings()) as stack:
        async with stack.master.connection() as conn:
            row = await load_queries("organizations").get_organization(conn, slug=slug)
        await send_waiting(stack, Organization(**row))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
