"""A process that moves a client: `python -m tests.workflows.move_worker SLUG SERVER`, settings by environment.

Prints each step before it, and goes on with it when it reads a line: a test may kill it in between, or let it go.
"""

import asyncio
import sys

from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.operations.moves import move_tenant


def tell(step: str) -> None:
    sys.stdout.write(f"{step}\n")
    sys.stdout.flush()
    sys.stdin.readline()


async def main(slug: str, server: str) -> None:
    async with open_stack(load_settings()) as stack:
        await move_tenant(stack, slug, server, by="operator:worker", on_step=tell)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
