"""Watches the inbox for requests of content."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from draggonnb_pipelines.jobs import content_config, generate_content
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.sensors.inbox import dispatch_batches, queued_batches
from draggonnb_pipelines.settings import load_settings


@dg.sensor(
    job=generate_content,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New requests of content, and those whose run died: given to runs in batches, clients in turn.",
)
def content_inbox(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    queued = queued_batches(context.instance, generate_content.name)
    batches = master.ask(partial(dispatch_batches, topic="content", queued=queued))
    if not batches:
        yield dg.SkipReason("nothing waits, or enough runs are at work")
    for batch in batches:
        yield dg.RunRequest(
            run_key=batch.id,
            run_config=content_config(batch_id=batch.id),
            tags={"draggonnb/requests": str(batch.rows), **batch.tags},
        )
