"""A process that takes notices: `python -m tests.workflows.payments_worker`, settings by environment.

Waits at a gate, an advisory lock that the test holds, so that several begin at once; prints the slugs that it touched.
"""

import asyncio
import json
import sys

from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.billing.payments import take_notices

GATE = 20261124


async def main() -> None:
    async with open_stack(load_settings()) as stack:
        async with stack.master.connection() as conn:
            await conn.execute("select pg_advisory_lock_shared(%s), pg_advisory_unlock_shared(%s)", (GATE, GATE))
        sys.stdout.write(json.dumps(await take_notices(stack, "worker")) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
