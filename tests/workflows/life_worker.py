"""A run that lives until it is killed: `python -m tests.workflows.life_worker RUN_ID`, the master's DSN by stdin."""

import asyncio
import sys

from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.workflows.publishing.agenda import showing_life


async def main(run_id: str, dsn: str) -> None:
    async with MasterDb(dsn, max_connections=1) as master, showing_life(master, run_id):
        sys.stdout.write("alive\n")
        sys.stdout.flush()
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.stdin.readline().strip()))
