"""Watches for runs that failed: what they still held in the inbox is free at once, not when its lease ends."""

import json

import dagster as dg

from draggonnb_pipelines.jobs import (
    batch_of,
    collect_analytics,
    generate_content,
    publish_due_posts,
    qualify_leads,
    reprocess_leads,
)
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
BATCHES = load_queries("message_batches")
ORGANIZATIONS = load_queries("organizations")


@dg.run_failure_sensor(
    monitored_jobs=[qualify_leads, reprocess_leads, generate_content, publish_due_posts, collect_analytics],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs: their inbox rows are released, and the failure goes to the audit log.",
)
def failed_runs(context: dg.RunFailureSensorContext, master: MasterQueries) -> None:
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


def _reason(context: dg.RunFailureSensorContext) -> str:
    """The first line of the failure; stack traces stay in the run."""
    return (context.failure_event.message or "no reason was recorded").splitlines()[0][:300]
