"""`python -m benchmarks.analytics_ours collect|snapshots|run --at MOMENT`: our numbers in a process of their own.

`collect` and `snapshots` are the two steps of the daily run without Dagster around them; `run` is the whole job
`collect_analytics`. Each acts as if it were the moment (ISO 8601), and returns how many clients it was done with.
"""

import argparse
import asyncio
from datetime import datetime
from uuid import uuid4

from benchmarks.publish_costs import tell
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.stack import Stack, open_stack, utc_now
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.analytics.analytics_agenda import clients_to_measure
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics
from draggonnb_pipelines.workflows.analytics.snapshots import take_snapshots


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("collect", "snapshots", "run"))
    parser.add_argument("--at", type=datetime.fromisoformat, required=True)
    arguments = parser.parse_args()
    at: datetime = arguments.at
    tell(lambda: as_dagster_run(at) if arguments.step == "run" else as_step(arguments.step, at))


async def as_step(step: str, at: datetime) -> int:
    """One step for every active client, as the asset of the daily run has it done.

    Raises:
        RuntimeError: a client failed or waits.
    """
    ahead, run_id = at - utc_now(), str(uuid4())
    async with open_stack(load_settings(), now=lambda: utc_now() + ahead) as stack:
        keys = await _keys(stack)
        work = collect_metrics if step == "collect" else take_snapshots
        return done_of(await work(stack, run_id, keys))


async def _keys(stack: Stack) -> list[PartitionKey]:
    clients = await clients_to_measure(stack, everyone=True)
    return [PartitionKey(client.slug, stack.now().date()) for client in clients]


def done_of(report: StepReport) -> int:
    if report.failed or report.waiting:
        raise RuntimeError(f"{dict(report.failed)} {dict(report.waiting)}"[:2000])
    return len(report.done)


async def as_dagster_run(at: datetime) -> int:
    """Imports and all: the daily run, with its events in Dagster's own database."""
    return await asyncio.to_thread(_execute, at)


def _execute(at: datetime) -> int:
    import dagster as dg

    from draggonnb_pipelines.definitions import build_defs
    from draggonnb_pipelines.jobs import analytics_config

    with dg.DagsterInstance.get() as instance:
        job = build_defs().resolve_job_def("collect_analytics")
        config = analytics_config(everyone=True, at=at.isoformat())
        done = job.execute_in_process(run_config=config, instance=instance)
    if not done.success:
        raise RuntimeError("the run failed")
    return len(done.asset_materializations_for_node("measure_posts")) // 2


if __name__ == "__main__":
    main()
