"""A process that refreshes: `python -m tests.workflows.refresh_worker SLUG`, settings by environment.

Prints how many accounts it refreshed, if the test does not kill it before.
"""

import asyncio
import sys

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.publishing.token_refresh import refresh_due


async def main(slug: str) -> None:
    async with open_stack(load_settings()) as stack:
        async with stack.master.connection() as conn:
            row = await load_queries("organizations").get_organization(conn, slug=slug)
        report = await refresh_due(stack, Organization(**row))
        sys.stdout.write(f"{len(report.refreshed)}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
