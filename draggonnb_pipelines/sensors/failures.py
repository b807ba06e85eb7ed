"""Watches for runs that failed: what they held is free at once, and the operators are asked for once an hour."""

import json
import re
from datetime import UTC, datetime

import dagster as dg
from dagster._core.events import JobFailureData
from dagster._core.execution.plan.objects import StepFailureData

from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.operations_checks import tell_operators
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sensors.inbox import batch_of
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.tenant_events import STOPPED_AT

INBOX = load_queries("inbox")
BATCHES = load_queries("message_batches")
ORGANIZATIONS = load_queries("organizations")
# A server that is away is one fault, wherever a run noticed it.
ANYWHERE = frozenset(
    {"AdminShutdown", "CannotConnectNow", "OperationalError", "PoolTimeout", "TenantUnavailable", "TooManyConnections"}
)
_NOT_PLAIN = re.compile(r"[^\w., -]")
_OUR_FRAME = re.compile(r'draggonnb_pipelines/(?:\w+/)*(\w+)\.py", line \d+, in (\w+)')


@dg.run_failure_sensor(
    request_job=tell_operators,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs of any job: their inbox rows are released, the failure goes to the audit log, and the "
    "operators' job is asked for once an hour for each job and cause.",
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
    """One an hour for each job and cause, however many runs fail: whether that is news is decided by `raise_matter`,
    and what it keeps to itself now may be news hours later.

    A used key would be passed over by Dagster too, but a request of any kind ends the tick: a flood of failures would
    then free its rows one run a tick.
    """
    run, cause = context.dagster_run, _cause(context)
    record = context.instance.get_run_record_by_id(run.run_id)
    at = datetime.fromtimestamp(record.end_time, UTC) if record and record.end_time else datetime.now(UTC)
    key = f"failed:{run.job_name}:{cause}:{at:%Y-%m-%dT%H}"
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
    """The first step that failed and what failed in it, without its text: that differs with each run, and may quote a
    client. Of a run without such a step, Dagster's word for it."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        stopped_at = data.user_failure_data.metadata.get(STOPPED_AT) if data.user_failure_data else None
        parts = [event.step_key or "a step", _fault(data), str(stopped_at.value) if stopped_at else ""]
        return "/".join(_NOT_PLAIN.sub("_", part) for part in parts if part)
    data = context.failure_event.event_specific_data
    if not isinstance(data, JobFailureData):  # its process is gone, and Dagster noticed
        return "the run itself"
    why = [data.failure_reason.value.lower() if data.failure_reason else "", _fault(data) if data.error else ""]
    return "/".join(["the run itself", *(_NOT_PLAIN.sub("_", part) for part in why if part)])


def _fault(data: StepFailureData | JobFailureData) -> str:
    """What tells two faults of a step apart: the error's class with that of its cause, and our function in which it
    rose; of a vendor's error the vendor and its class, wherever it rose."""
    found = [data.error]
    while found[-1] is not None:
        found.append(found[-1].cause)
    chain = [error for error in found if error is not None]
    if len(chain) > 1 and (chain[0].cls_name or "").startswith("Dagster"):
        chain = chain[1:]  # the wrapping, which every error of a step has
    if not chain:
        return "unknown"
    raised, root = chain[0].cls_name or "unknown", chain[-1].cls_name or "unknown"
    if raised == VendorError.__name__:
        return " ".join([raised, *chain[0].message.split(": ")[1:3]])
    names = raised if len(chain) == 1 else f"{raised} of {root}"
    frames = [frame for one in chain for frame in map(_OUR_FRAME.search, one.stack) if frame]
    return names if root in ANYWHERE or not frames else f"{names} in {frames[-1][1]}.{frames[-1][2]}"


def _reason(context: dg.RunFailureSensorContext) -> str:
    """The first line of the failure; stack traces stay in the run."""
    return (context.failure_event.message or "no reason was recorded").splitlines()[0][:300]
