"""Watches for messages that are asked for, WhatsApp statuses that nobody picked up, and an inbox that stands still."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from draggonnb_pipelines.checks import INBOX_FRESHNESS, inbox_freshness_of
from draggonnb_pipelines.domain.message_requests import TOPIC
from draggonnb_pipelines.jobs import apply_message_statuses, deliver_messages
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.message_statuses import TOPIC as STATUSES

INBOX = load_queries("inbox")
PATIENCE = timedelta(minutes=10)
# Those of an organization whose database is away are asked for again, and not at once.
REQUESTS_AGAIN = timedelta(seconds=20)


@dg.sensor(
    job=apply_message_statuses,
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="WhatsApp statuses that have waited for ten minutes: delivered and failed messages show as such. One "
    "run at a time.",
)
def waiting_message_statuses(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    now = datetime.now(UTC)

    async def waiting(conn: Connection) -> int:
        # Whoever is suspended is still owed what was told.
        rows = INBOX.organizations_waiting(conn, topic=STATUSES, before=now - PATIENCE, active_only=False)
        return len([row async for row in rows])

    count = master.ask(waiting)
    last = _last_run(context.instance, apply_message_statuses.name)
    if not count:
        yield dg.SkipReason("no status has waited for long")
    elif last and not last.dagster_run.is_finished:
        yield dg.SkipReason(f"the statuses of {count} organizations wait for the run that is at work")
    else:
        yield dg.RunRequest(tags={"draggonnb/organizations": str(count)})


@dg.sensor(
    job=deliver_messages,
    minimum_interval_seconds=load_settings().sensor_interval_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Messages that clients' automations asked for: one run at a time.",
)
def message_requests(
    context: dg.SensorEvaluationContext, master: MasterQueries
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    async def waiting(conn: Connection) -> int:
        rows = INBOX.organizations_waiting(conn, topic=TOPIC, before=datetime.now(UTC), active_only=True)
        return len([row async for row in rows])

    count = master.ask(waiting)
    last = _last_run(context.instance, deliver_messages.name)
    if not count:
        yield dg.SkipReason("nobody has asked for a message")
    elif last and (not last.dagster_run.is_finished or datetime.now(UTC) - last.create_timestamp < REQUESTS_AGAIN):
        yield dg.SkipReason(f"the requests of {count} organizations wait for the run that is at work, or its next turn")
    else:
        yield dg.RunRequest(tags={"draggonnb/organizations": str(count)})


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    asset_selection=dg.AssetSelection.assets("leads"),
    description="How long the oldest delivery has waited; writes the check `inbox_is_fresh` when its verdict changes.",
)
def inbox_freshness(context: dg.SensorEvaluationContext, master: MasterQueries) -> dg.SensorResult:
    verdict = inbox_freshness_of(master, datetime.now(UTC))
    is_news = context.cursor != str(verdict.passed)
    if is_news:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("leads"),
            check_name=INBOX_FRESHNESS,
            passed=bool(verdict.passed),
            severity=dg.AssetCheckSeverity.ERROR,
            description=verdict.description,
            metadata=verdict.metadata or {},
        )
        context.instance.report_runless_asset_event(evaluation)
    return dg.SensorResult(skip_reason=str(verdict.description), cursor=str(verdict.passed))


def _last_run(instance: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    return next(iter(instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)), None)
