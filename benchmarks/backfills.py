"""One backfill by the daemon of a running stack, as "Materialize" over chosen partitions in the UI starts it."""

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.backfill import PartitionBackfill

from draggonnb_pipelines.partitions import parse, register_organizations
from tests.stories.system import System, dagster_environment

PATIENCE_SECONDS = 1200


@dataclass(frozen=True)
class Backfilled:
    """What became of it: partitions that are done and that failed, its runs, and how long those took, added up."""

    done: int
    failed: list[str]
    runs: int
    seconds: float
    run_seconds: float


def backfill(system: System, asset: str, keys: Sequence[str]) -> Backfilled:
    """From its being asked for until it has ended.

    Args:
        keys: partitions of the asset, as the UI shows them.
    """
    from draggonnb_pipelines.definitions import defs

    os.environ |= dagster_environment(system.settings)
    with dg.DagsterInstance.get() as instance:
        register_organizations(instance, [parse(key).slug for key in keys])
        graph = defs.resolve_asset_graph()
        one = PartitionBackfill.from_asset_partitions(
            backfill_id=uuid.uuid4().hex[:8],
            asset_graph=graph,
            partition_names=list(keys),
            asset_selection=[dg.AssetKey(asset)],
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=f"{asset}, {len(keys)} partitions",
            description=None,
            run_config=None,
        )
        started = time.monotonic()
        instance.add_backfill(one)

        def ended() -> bool:
            found = instance.get_backfill(one.backfill_id)
            return found is not None and found.status.value.startswith(("COMPLETED", "FAILED"))

        system.wait_until("the backfill ends", ended, seconds=PATIENCE_SECONDS)
        seconds = time.monotonic() - started
        runs = instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": one.backfill_id}))
        partitions = graph.get(dg.AssetKey(asset)).partitions_def
        assert partitions is not None
        statuses = instance.get_status_by_partition(dg.AssetKey(asset), list(keys), partitions) or {}
    failed = sorted(key for key, status in statuses.items() if status and status.value == "FAILED")
    done = sum(1 for status in statuses.values() if status and status.value == "MATERIALIZED")
    run_seconds = sum((run.end_time or 0.0) - (run.start_time or 0.0) for run in runs)
    return Backfilled(done, failed, len(runs), seconds, run_seconds)
