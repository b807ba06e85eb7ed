"""A process that restores: `python -m tests.workflows.restore_worker SLUG`, settings by environment.

Prints one line when it begins and one when it has ended, if the test does not kill it before.
"""

import asyncio
import sys

from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.operations.restores import restore_tenant


async def main(slug: str) -> None:
    async with open_stack(load_settings()) as stack:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        await restore_tenant(stack, slug, by="operator:worker")
        sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
