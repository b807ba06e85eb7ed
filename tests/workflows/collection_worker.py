"""A process that collects: `python -m tests.workflows.collection_worker SLUG MOMENT`, settings by environment.

Prints how many readings there are, if the test does not kill it before.
"""

import asyncio
import sys
from datetime import datetime

from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics


async def main(slug: str, moment: datetime) -> None:
    key = PartitionKey(slug, moment.date())
    async with open_stack(load_settings(), now=lambda: moment) as stack:
        report = await collect_metrics(stack, "the run that is killed", [key])
    sys.stdout.write(f"{report.done[key].rows}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
