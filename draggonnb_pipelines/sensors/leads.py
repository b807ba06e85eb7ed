"""Watches the inbox for new leads and for requests to reprocess old ones."""

from collections.abc import Iterator
from uuid import uuid4

import dagster as dg

from draggonnb_pipelines.jobs import lead_config, qualify_leads, reprocess_leads
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.reprocessing import RUN_LEASE_SECONDS

INBOX = load_queries("inbox")
BATCHES = load_queries("message_batches")
TOPIC = "leads"
# Runs of one shard at once. What comes in meanwhile waits for the next one: few runs, each with much to do.
OPEN_BATCHES = 2
START_SECONDS = 120  # how long a run may take to claim its batch, before the rows are handed out again


@dg.sensor(
    job=qualify_leads,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New deliveries in the inbox, and those whose run died: given to runs in batches, clients in turn.",
)
def lead_inbox(context: dg.SensorEvaluationContext, master: MasterQueries) -> Iterator[dg.RunRequest | dg.SkipReason]:
    batches = master.ask(dispatch_batches)
    if not batches:
        yield dg.SkipReason("nothing waits, or enough runs are at work")
    for batch_id, rows in batches.items():
        yield dg.RunRequest(
            run_key=batch_id,
            run_config=lead_config(batch_id=batch_id),
            tags={"draggonnb/leads": str(rows), "draggonnb/vendors": vendors_tag()},
        )


async def dispatch_batches(conn: Connection) -> dict[str, int]:
    """Hand the waiting rows to a new batch per shard: batch id -> rows. If the tick dies after this, the lease ends."""
    settings = load_settings()
    await INBOX.bury_hopeless(conn, topic=TOPIC, max_attempts=settings.max_attempts)
    batches: dict[str, int] = {}
    for shard in range(settings.shards):
        for suspects in (False, True):
            place = {"topic": TOPIC, "shards": settings.shards, "shard": shard, "suspects": suspects}
            if await INBOX.count_open_batches(conn, **place) >= OPEN_BATCHES:
                continue
            batch_id = uuid4()
            rows = INBOX.dispatch_batch(
                conn, **place, batch_id=batch_id, row_limit=settings.batch_size, lease_seconds=START_SECONDS
            )
            if count := len([row async for row in rows]):
                batches[str(batch_id)] = count
    return batches


@dg.sensor(
    job=reprocess_leads,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests to reprocess leads that are due: new ones, and those whose message batch had not ended yet.",
)
def reprocessing_requests(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    async def due(conn: Connection) -> list[tuple[str, int]]:
        rows = BATCHES.due_reprocessings(conn, lease_seconds=RUN_LEASE_SECONDS, row_limit=1)
        return [(str(row["id"]), row["attempts"]) async for row in rows]

    requests = master.ask(due)
    if not requests:
        yield dg.SkipReason("no request is due")
    for request_id, attempt in requests:
        yield dg.RunRequest(run_key=f"{request_id}/{attempt}", run_config=lead_config(reprocessing_id=request_id))


def vendors_tag() -> str:
    """Run tag that says whether vendors are real: nobody should mistake a sandbox's run for the real thing."""
    sandboxed = load_settings().sandboxed_vendors
    return f"SANDBOX {','.join(sandboxed)}" if sandboxed else "live"
