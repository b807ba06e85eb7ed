"""Watches for posts that are due to be measured, for clients who ask for fresh numbers, and for weeks to report on."""

import time
from collections.abc import Iterator

import dagster as dg

from draggonnb_pipelines.domain.fresh_numbers import PAUSE
from draggonnb_pipelines.jobs import collect_analytics, report_weeks
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sensors.inbox import vendors_tag
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

AGENDA = load_queries("analytics_agenda")
# Numbers are no news of the minute; a run costs seconds of CPU, so what becomes due is gathered.
MEASURE_EVERY_SECONDS = 1800
# A run that ends before it has taken the wishes up must not be followed by the next one at once.
ASK_EVERY_SECONDS = 60
# Whose report failed waits by itself (`analytics_agenda.figures_at`); this is for runs that end before they note it.
REPORT_AGAIN_SECONDS = 900


@dg.sensor(
    job=collect_analytics,
    minimum_interval_seconds=max(10, load_settings().sensor_interval_seconds),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts of an hour, six hours and so on: gathered for half an hour; who asks is served at once.",
)
def numbers_due(context: dg.SensorEvaluationContext, master: MasterQueries) -> Iterator[dg.RunRequest | dg.SkipReason]:
    due, asked = master.ask(_due_and_asked)
    last_at, is_open = _last_run(context.instance, collect_analytics.name)
    if is_open:
        yield dg.SkipReason(f"{due} due and {asked} asked for wait for the run that is at work")
    elif time.time() - last_at >= (ASK_EVERY_SECONDS if asked else MEASURE_EVERY_SECONDS) and (due or asked):
        yield dg.RunRequest(tags={"draggonnb/vendors": vendors_tag()})
    else:
        yield dg.SkipReason(f"{due} are due and gathered" if due or asked else "nothing is due")


@dg.sensor(
    job=report_weeks,
    minimum_interval_seconds=max(10, load_settings().sensor_interval_seconds),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Organizations whose Sunday has its snapshot and whose week has no report yet.",
)
def weeks_to_report(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    count = master.ask(_weeks)
    last_at, is_open = _last_run(context.instance, report_weeks.name)
    if not count:
        yield dg.SkipReason("every week that is over has its report")
    elif _last_run(context.instance, collect_analytics.name)[1]:
        # The agency's report counts everybody: begun after the first clients' snapshots, it would lack the others.
        yield dg.SkipReason(f"{count} weeks wait until the numbers that are being read are in")
    elif is_open or time.time() - last_at < REPORT_AGAIN_SECONDS:
        yield dg.SkipReason(f"{count} weeks wait for the run that is at work, or for its next turn")
    else:
        yield dg.RunRequest(tags={"draggonnb/vendors": vendors_tag()})


async def _due_and_asked(conn: Connection) -> tuple[int, int]:
    row = await AGENDA.due_and_asked(conn, pause_seconds=PAUSE.total_seconds())
    return row["due"], row["asked"]


async def _weeks(conn: Connection) -> int:
    return await AGENDA.count_weeks(conn)


def _last_run(instance: dg.DagsterInstance, job: str) -> tuple[float, bool]:
    """When the job's last run was asked for (seconds since 1970; 0 for never), and whether one is open."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    if not records:
        return 0.0, False
    return records[0].create_timestamp.timestamp(), not records[0].dagster_run.is_finished
