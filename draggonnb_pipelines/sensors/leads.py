"""Watches the inbox for new leads and for requests to reprocess old ones."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from draggonnb_pipelines.jobs import lead_config, qualify_leads, reprocess_leads
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sensors.inbox import dispatch_batches, queued_batches
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.leads.reprocessing import RUN_LEASE_SECONDS

BATCHES = load_queries("message_batches")


@dg.sensor(
    job=qualify_leads,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New deliveries in the inbox, and those whose run died: given to runs in batches, clients in turn.",
)
def lead_inbox(context: dg.SensorEvaluationContext, master: MasterQueries) -> Iterator[dg.RunRequest | dg.SkipReason]:
    queued = queued_batches(context.instance, qualify_leads.name)
    batches = master.ask(partial(dispatch_batches, topic="leads", queued=queued))
    if not batches:
        yield dg.SkipReason("nothing waits, or enough runs are at work")
    for batch in batches:
        yield dg.RunRequest(
            run_key=batch.id,
            run_config=lead_config(batch_id=batch.id),
            tags={"draggonnb/leads": str(batch.rows), **batch.tags},
        )


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
