"""`python -m benchmarks.publish_ours [--dagster] [--at SECONDS]`: the publisher in a process of its own, measured.

What a run does for the clients on the agenda, without Dagster around it. With `--dagster` the whole job
`publish_due_posts`. `--at`: wait for this moment (seconds since 1970) first.
"""

import argparse
import asyncio
import time
from uuid import uuid4

from benchmarks.publish_costs import tell
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA
from draggonnb_pipelines.workflows.publishing.publishing import CLIENTS_A_RUN, publish_due


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dagster", action="store_true")
    parser.add_argument("--at", type=float, default=0.0)
    arguments = parser.parse_args()
    time.sleep(max(0.0, arguments.at - time.time()))
    tell(as_dagster_run if arguments.dagster else publish)


async def publish() -> int:
    run_id = str(uuid4())
    async with open_stack(load_settings()) as stack:
        async with stack.master.connection() as conn:
            rows = AGENDA.due_organizations(conn, ahead_seconds=10, shards=1, shard=0, row_limit=CLIENTS_A_RUN)
            slugs = [row["slug"] async for row in rows]
        clients = await publish_due(stack, run_id, slugs)
    problems = {client.organization.slug: client.problem for client in clients if client.problem}
    if problems:
        raise RuntimeError(str(problems))
    return sum(client.tally.published for client in clients)


async def as_dagster_run() -> int:
    """Imports and all: the price of a run that finds nothing to do."""
    await asyncio.to_thread(_execute)
    return 0


def _execute() -> None:
    import dagster as dg

    from draggonnb_pipelines.definitions import build_defs
    from draggonnb_pipelines.jobs import content_config

    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_job_def("publish_due_posts")
        done = job.execute_in_process(run_config=content_config(shard=0), instance=instance)
    if not done.success:
        raise RuntimeError("the run failed")


if __name__ == "__main__":
    main()
