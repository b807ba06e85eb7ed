"""Watches the agenda: what becomes due between the quarter-hourly runs goes out within seconds."""

from collections.abc import Iterator

import dagster as dg

from draggonnb_pipelines.jobs import content_config, publish_due_posts
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sensors.inbox import vendors_tag
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

AGENDA = load_queries("agenda")
START_SECONDS = 45  # how long a run may take to begin, before another one is asked for


@dg.sensor(
    job=publish_due_posts,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Clients with something due, by the agenda: one run at a time for each shard.",
)
def publishing_agenda(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    shards = master.ask(shards_to_run)
    if not shards:
        yield dg.SkipReason("nothing is due, or a run is at work")
    for shard in shards:
        yield dg.RunRequest(
            run_config=content_config(shard=shard),
            tags={"draggonnb/publishing": str(shard), "draggonnb/vendors": vendors_tag()},
        )


async def shards_to_run(conn: Connection) -> list[int]:
    """The shards with something due soon and without a run: asking for one is noted, so that no tick asks again."""
    settings = load_settings()
    wanted = []
    for shard in range(settings.shards):
        place = {"shards": settings.shards, "shard": shard, "ahead_seconds": settings.publish_ahead_seconds}
        if not await AGENDA.count_due(conn, **place):
            continue
        held = [row["run_id"] async for row in AGENDA.shard_runs(conn, shards=[shard])]
        live = [row["run_id"] async for row in AGENDA.live_runs(conn, run_ids=held)] if held else []
        asked = await AGENDA.ask_for_run(conn, shard=shard, live_runs=live, start_seconds=START_SECONDS)
        if asked is not None:
            wanted.append(shard)
    return wanted
