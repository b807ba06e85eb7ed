"""Watches for notices of payments and orders to PayFast that wait, and for clients that are paid for."""

import time
from collections.abc import Iterator, Sequence

import dagster as dg

from draggonnb_pipelines.domain.provisioning import MAX_ATTEMPTS
from draggonnb_pipelines.jobs import DAILY, INCOMING, keep_books, set_up_clients
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sensors.inbox import vendors_tag
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

PROVISIONING = load_queries("provisioning")
AGENDA = load_queries("agenda")
# A run may wait for vendors for minutes; who comes meanwhile need not wait for it. More than the places of
# `dagster.yaml` for what takes long would only stand in the queue.
OPEN_RUNS = 2
START_SECONDS = 15.0


@dg.sensor(
    job=keep_books,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notices of PayFast that are stored and not judged yet, and orders to it: one run at a time.",
)
def payment_notices(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    async def waiting(conn: Connection) -> int:
        return await PROVISIONING.count_open_accounts(conn)

    if not (count := master.ask(waiting)):
        yield dg.SkipReason("no notice and no order waits")
    elif any(DAILY not in run.dagster_run.tags for run in _open_runs(context.instance, keep_books.name)):
        yield dg.SkipReason(f"{count} wait for the run that is at work")
    else:
        yield dg.RunRequest(tags={INCOMING: "payments", "draggonnb/vendors": vendors_tag()})


@dg.sensor(
    job=set_up_clients,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Clients that are paid for and approved, once for each subscription: their stacks are set up.",
)
def paid_clients(context: dg.SensorEvaluationContext, master: MasterQueries) -> Iterator[dg.RunRequest | dg.SkipReason]:
    waiting = master.ask(clients_waiting)
    if not waiting:
        yield dg.SkipReason("nobody waits to be set up")
        return
    runs = _open_runs(context.instance, set_up_clients.name)
    if any(_is_starting(run) for run in runs):
        yield dg.SkipReason(f"{waiting} wait for the run that is about to take them")
    elif len(runs) >= OPEN_RUNS:
        yield dg.SkipReason(f"{waiting} wait for one of {OPEN_RUNS} runs to end")
    else:
        yield dg.RunRequest(tags={"draggonnb/vendors": vendors_tag()})


async def clients_waiting(conn: Connection) -> int:
    """How many a run could take up now, those of dead runs included."""
    held = [row["run_id"] async for row in PROVISIONING.holding_runs(conn)]
    live = {row["run_id"] async for row in AGENDA.live_runs(conn, run_ids=held)} if held else set[str]()
    if dead := sorted(set(held) - live):
        await PROVISIONING.free_clients(conn, run_ids=dead, max_attempts=MAX_ATTEMPTS)
    return await PROVISIONING.count_waiting(conn)


def _open_runs(instance: dg.DagsterInstance, job: str) -> Sequence[dg.RunRecord]:
    return instance.get_run_records(dg.RunsFilter(job_name=job, statuses=list(_OPEN)))


def _is_starting(run: dg.RunRecord) -> bool:
    """It has not had the time to take who waits."""
    return run.start_time is None or time.time() - run.start_time < START_SECONDS


_OPEN: Sequence[dg.DagsterRunStatus] = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)
