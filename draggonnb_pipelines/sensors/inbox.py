"""What the sensors of the inbox share: handing waiting rows to runs, in batches."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import dagster as dg

from draggonnb_pipelines.assets import content_runs
from draggonnb_pipelines.assets.leads import CHAIN
from draggonnb_pipelines.jobs import INCOMING, LONG
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
# Runs of one shard at once, by lane. What comes in meanwhile waits for the next one: few runs, each with much to do.
# One of a crowd: `dagster.yaml` gives one of its two places for what takes long to crowds, of leads or of requests.
OPEN_BATCHES = {"ordinary": 2, "crowd": 1, "suspects": 2}
# Of one client. A batch passes each step as a whole, so with more of them the others would wait for this client's.
CROWD_ROWS = 25
START_SECONDS = 120  # how long a run may take to claim its batch, before the rows are handed out again


class Batch(NamedTuple):
    """Rows that a run is to be started for."""

    id: str
    rows: int
    lane: str

    @property
    def tags(self) -> dict[str, str]:
        """Which of the places of `dagster.yaml` its run takes, and whether its vendors are real. A crowd waits its turn
        among all that takes long: whoever asked first goes first."""
        place = {LONG: "crowd", "dagster/priority": "0"} if self.lane == "crowd" else {INCOMING: self.lane}
        return {**place, "draggonnb/vendors": vendors_tag()}


def batch_of(run_config: Mapping[str, Any]) -> UUID | None:
    """The batch of inbox rows that a run was given, from its run config. None too where a person who started it by hand
    typed what is no id: no sensor may fail on that."""
    chains = run_config.get("ops", {})
    found = (chains.get(chain, {}).get("config", {}).get("batch_id") for chain in (CHAIN, content_runs.CHAIN))
    try:
        return next((UUID(batch_id) for batch_id in found if batch_id), None)
    except ValueError:
        return None


def queued_batches(instance: dg.DagsterInstance, job_name: str) -> list[UUID]:
    """Batches whose runs wait for a place."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.QUEUED]))
    return [batch_id for run in runs if (batch_id := batch_of(run.run_config))]


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
