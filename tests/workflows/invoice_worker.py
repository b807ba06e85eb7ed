"""A process that invoices: `python -m tests.workflows.invoice_worker SLUG...`.

Settings come by the environment. It waits at a gate, an advisory lock that the test holds, so that all begin at once.
"""

import asyncio
import sys

from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments

GATE = 20261124


async def main(slugs: list[str]) -> None:
    async with open_stack(load_settings()) as stack:
        async with stack.master.connection() as conn:
            await conn.execute("select pg_advisory_lock_shared(%s), pg_advisory_unlock_shared(%s)", (GATE, GATE))
        day = stack.now().date()
        report = await invoice_payments(stack, "run", [PartitionKey(slug, day) for slug in slugs])
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
