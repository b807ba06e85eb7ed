"""Asset checks of the whole installation, what stands still and which versions end, and the job that calls people.

Lives here: the checks, and reading failed runs and checks out of Dagster for the operators. Not here: what is stuck
(`workflows/operations/stuck_states.py`), when a version ends (`domain/vendor_versions.py`), how often people are told
(`workflows/operations/operator_alerts.py`).
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from draggonnb_pipelines.domain.vendor_versions import verdict_on, versions_in_use
from draggonnb_pipelines.resources.bindings import MasterQueries, RunStack
from draggonnb_pipelines.resources.github_wire import API_VERSION
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.operations.budget_alerts import tell_budgets
from draggonnb_pipelines.workflows.operations.operator_alerts import repeat_matters
from draggonnb_pipelines.workflows.operations.run_troubles import (
    FailedCheck,
    FailedRun,
    jobs_in_trouble,
    settle_runs,
    tell_failed_checks,
    tell_failed_run,
)
from draggonnb_pipelines.workflows.operations.stuck_states import stuck_outcome

# Checks over all clients, by their asset, whose failing calls the operators. Whoever the others are about is called by
# alerts of their own, or decides in their own time.
CALLING: Mapping[str, tuple[str, ...]] = {
    "leads": ("inbox_is_fresh", "no_dead_deliveries"),
    "published_posts": ("canary_is_public", "no_network_is_stopped", "publishing_is_punctual", "vendor_versions_last"),
    "supabase_project": ("no_orphans",),
    "tenant_schema": ("nothing_outlives_its_retention",),
    "weekly_reports": ("messages_go_out", "templates_are_usable"),
    "restore_drill": ("restore_drill_is_good",),
}
TOLD_OTHERWISE = frozenset(
    {"alerts_are_seen_to", "nobody_is_stuck", "nothing_is_stuck", "payments_are_clear", "prompts_are_current"}
)


@dg.asset_check(asset="leads", description="No row of any table stands still for longer than it may.")
def nothing_is_stuck(stack: RunStack) -> dg.AssetCheckResult:
    outcome = stack.run(stuck_outcome)
    return dg.AssetCheckResult(
        passed=outcome.passed, description=outcome.description, metadata=to_dagster_metadata(outcome.metadata)
    )


@dg.asset_check(asset="published_posts", description="Every vendor's version that we use lives for 60 days at least.")
def vendor_versions_last(master: MasterQueries) -> dg.AssetCheckResult:
    return versions_verdict_of(master, datetime.now(UTC))


def versions_verdict_of(master: MasterQueries, now: datetime) -> dg.AssetCheckResult:
    """The verdict of `vendor_versions_last` at `now`."""

    async def server(conn: Connection) -> int:
        return conn.info.server_version // 10_000

    settings = load_settings()
    key = settings.storage_key.get_secret_value() if settings.storage_key else None
    verdict = verdict_on(
        versions_in_use(
            linkedin=settings.linkedin_version,
            graph=settings.graph_version,
            claude_model=settings.claude_model,
            supabase_key=key,
            github=API_VERSION,
            postgres=master.ask(server),
        ),
        now.date(),
    )
    return dg.AssetCheckResult(
        passed=not verdict.faults,
        description="; ".join(verdict.faults) or "all of them live for 60 days and more",
        metadata=dict(verdict.ends),
    )


class RunTrouble(dg.Config):
    """A run that failed, as `failed_runs` found it; without one the job looks at checks and budgets and repeats
    what stands.

    Args:
        failed_job: empty: no run failed.
        run_id, cause, reason: see `FailedRun`.
        failed_at: ISO 8601 with its offset.
    """

    failed_job: str = ""
    run_id: str = ""
    cause: str = ""
    reason: str = ""
    failed_at: str = ""


@dg.op(
    description="One alert for each job and cause, for each check that fails and for each AI budget near its end; "
    "what stands is told again daily."
)
def call_operators(context: dg.OpExecutionContext, config: RunTrouble, stack: RunStack) -> None:
    if config.failed_job:
        at = datetime.fromisoformat(config.failed_at)
        failed = FailedRun(config.failed_job, config.run_id, config.cause, config.reason, at)
        context.log.info(str(stack.run(tell_failed_run, failed) or "there is no agency to tell"))
        return
    checks = failed_checks(context.instance)
    stack.run(tell_failed_checks, checks)
    stack.run(settle_runs, recovered_jobs(context.instance, stack.run(jobs_in_trouble)))
    budgets = stack.run(tell_budgets)
    standing = stack.run(repeat_matters)
    context.add_output_metadata(
        {"failing checks": [one.check for one in checks], "AI budgets": budgets, "alerts of yesterday": standing}
    )


@dg.job(
    executor_def=dg.in_process_executor,
    tags={"dagster/max_retries": "0"},
    description="Tells the agency's owners of runs and checks that fail, and of AI budgets. Launched by `failed_runs`, "
    "and hourly.",
)
def tell_operators() -> None:
    call_operators()


def failed_checks(instance: dg.DagsterInstance) -> list[FailedCheck]:
    """Those of the calling checks whose last verdict is that something is wrong."""
    keys = [dg.AssetCheckKey(dg.AssetKey(asset), name) for asset, names in CALLING.items() for name in names]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    failed = []
    for key, record in sorted(found.items(), key=lambda one: one[0].name):
        event = record.event.dagster_event if record.event else None
        if record.status is not AssetCheckExecutionRecordStatus.FAILED or event is None:
            continue
        said = event.asset_check_evaluation_data.description or "it says no more"
        at = datetime.fromtimestamp(record.create_timestamp, UTC)
        failed.append(FailedCheck(key.asset_key.to_user_string(), key.name, said, at))
    return failed


def recovered_jobs(instance: dg.DagsterInstance, jobs: Collection[str]) -> set[str]:
    """Those of these jobs whose last finished run succeeded."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    recovered = set()
    for job in jobs:
        last = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=ended), limit=1)
        if last and last[0].dagster_run.status is dg.DagsterRunStatus.SUCCESS:
            recovered.add(job)
    return recovered


operations_checks = [nothing_is_stuck, vendor_versions_last]
