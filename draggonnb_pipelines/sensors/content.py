"""Watches the inbox for requests of content."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from draggonnb_pipelines.jobs import content_config, generate_content
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.sensors.inbox import dispatch_batches, vendors_tag
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
    batches = master.ask(partial(dispatch_batches, topic="content"))
    if not batches:
        yield dg.SkipReason("nothing waits, or enough runs are at work")
    for batch_id, rows in batches.items():
        yield dg.RunRequest(
            run_key=batch_id,
            run_config=content_config(batch_id=batch_id),
            tags={"draggonnb/requests": str(rows), "draggonnb/vendors": vendors_tag()},
        )
