"""A run that makes a client's project until it is killed: `python -m tests.workflows.project_worker SLUG PORT DSN`."""

import asyncio
import sys

from tests.sandbox_process import Sandbox
from tests.workflows.project_work import existing_site, open_site, with_project


async def main(slug: str, port: int, dsn: str) -> None:
    async with open_site(Sandbox(port), dsn) as stack:
        await with_project(await existing_site(stack, slug))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
