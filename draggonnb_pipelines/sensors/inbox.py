"""What the sensors of the inbox share: handing waiting rows to runs, in batches."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

import dagster as dg

from draggonnb_pipelines.jobs import INCOMING, LONG, batch_of
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
# Runs of one shard at once, by lane. What comes in meanwhile waits for the next one: few runs, each with much to do.
# One of a crowd: what its thousands of rows cost leaves a core to everybody else.
OPEN_BATCHES = {"ordinary": 2, "crowd": 1, "suspects": 2}
# Of one client. So many leads are worked off in some seconds, and hold up the others of their batch no longer.
CROWD_ROWS = 25
START_SECONDS = 120  # how long a run may take to claim its batch, before the rows are handed out again


class Batch(NamedTuple):
    """Rows that a run is to be started for."""

    id: str
    rows: int
    lane: str

    @property
    def tags(self) -> dict[str, str]:
        """Which of the places of `dagster.yaml` its run takes, and whether its vendors are real. A crowd goes behind
        everything else that takes long."""
        place = {LONG: "crowd", "dagster/priority": "-1"} if self.lane == "crowd" else {INCOMING: self.lane}
        return {**place, "draggonnb/vendors": vendors_tag()}


def queued_batches(instance: dg.DagsterInstance, job_name: str) -> list[UUID]:
    """Batches whose runs wait for a place."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.QUEUED]))
    return [UUID(batch_id) for run in runs if (batch_id := batch_of(run.run_config))]


async def dispatch_batches(conn: Connection, *, topic: str, queued: Sequence[UUID] = ()) -> list[Batch]:
    """Hand the waiting rows to new batches, by shard and lane. If the tick dies after this, the lease ends.

    Args:
        queued: batches whose runs wait for a place: they keep their rows, and no second run is asked for.
    """
    settings = load_settings()
    if queued:
        await INBOX.keep_for_run(conn, batch_ids=list(queued), lease_seconds=START_SECONDS)
    await INBOX.bury_hopeless(conn, topic=topic, max_attempts=settings.max_attempts)
    batches: list[Batch] = []
    for shard in range(settings.shards):
        for lane, most in OPEN_BATCHES.items():
            place = {"topic": topic, "shards": settings.shards, "shard": shard, "lane": lane}
            if await INBOX.count_open_batches(conn, **place) >= most:
                continue
            batch_id = uuid4()
            rows = INBOX.dispatch_batch(
                conn,
                **place,
                batch_id=batch_id,
                row_limit=settings.batch_size,
                crowd_rows=CROWD_ROWS,
                lease_seconds=START_SECONDS,
            )
            if count := len([row async for row in rows]):
                batches.append(Batch(str(batch_id), count, lane))
    return batches


def vendors_tag() -> str:
    """Run tag that says whether vendors are real: nobody should mistake a sandbox's run for the real thing."""
    sandboxed = load_settings().sandboxed_vendors
    return f"SANDBOX {','.join(sandboxed)}" if sandboxed else "live"
