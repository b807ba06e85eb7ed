"""Watches for runs that failed: what they held is free at once, and the operators hear of each cause once a day."""

import json
import re
from datetime import UTC, datetime

import dagster as dg

from draggonnb_pipelines.jobs import batch_of
from draggonnb_pipelines.operations_checks import tell_operators
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
BATCHES = load_queries("message_batches")
ORGANIZATIONS = load_queries("organizations")
_STEP_KEY = re.compile(r"[^\w.-]")


@dg.run_failure_sensor(
    request_job=tell_operators,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs of any job: their inbox rows are released, the failure goes to the audit log, and the "
    "operators are told once a day for each job and cause.",
)
def failed_runs(context: dg.RunFailureSensorContext, master: MasterQueries) -> dg.RunRequest | None:
    run, settings = context.dagster_run, load_settings()

    async def release(conn: Connection) -> int:
        rows = await INBOX.release_run(
            conn,
            run_id=run.run_id,
            batch_id=batch_of(run.run_config),
            base_seconds=settings.retry_base_seconds,
        )
        await BATCHES.postpone_run(conn, run_id=run.run_id, delay_seconds=settings.reprocess_poll_seconds)
        await ORGANIZATIONS.audit(
            conn,
            actor="dagster",
            action="run.failed",
            resource=f"run:{run.run_id}",
            metadata=json.dumps({"job": run.job_name, "released": rows, "reason": _reason(context)}),
        )
        return rows

    rows = master.ask(release)
    context.log.info(f"run {run.run_id} of {run.job_name} failed; {rows} deliveries were released")
    # Whoever tells of failures cannot tell of its own; the check `alerts_are_seen_to` and the watch see to that.
    return None if run.job_name == tell_operators.name else _request(context)


def _request(context: dg.RunFailureSensorContext) -> dg.RunRequest | None:
    """One a day for each job and cause, however many runs fail.

    A used key would be passed over by Dagster too, but a request of any kind ends the tick: a flood of failures would
    then free its rows one run a tick.
    """
    run, cause = context.dagster_run, _cause(context)
    record = context.instance.get_run_record_by_id(run.run_id)
    at = datetime.fromtimestamp(record.end_time, UTC) if record and record.end_time else datetime.now(UTC)
    key = f"failed:{run.job_name}:{cause}:{at:%Y-%m-%d}"
    if context.instance.get_runs_count(dg.RunsFilter(tags={"dagster/run_key": key})):
        return None
    trouble = {
        "failed_job": run.job_name,
        "run_id": run.run_id,
        "cause": cause,
        "reason": _reason(context),
        "failed_at": at.isoformat(),
    }
    return dg.RunRequest(run_key=key, run_config={"ops": {"call_operators": {"config": trouble}}})


def _cause(context: dg.RunFailureSensorContext) -> str:
    """The first step that failed and its error's class, without its text: that differs with each run."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        return f"{_STEP_KEY.sub('_', event.step_key or 'a step')}/{error.cls_name if error else 'unknown'}"
    return "the run itself"


def _reason(context: dg.RunFailureSensorContext) -> str:
    """The first line of the failure; stack traces stay in the run."""
    return (context.failure_event.message or "no reason was recorded").splitlines()[0][:300]
