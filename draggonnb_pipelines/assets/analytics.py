"""Numbers as assets: what the platforms counted, what follows from it, and the reports of each week.

Two chains: `measure_posts` per organization and UTC day, `report_on_weeks` per organization and week.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC

import dagster as dg
from pydantic import Field

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.partitions import organization_week
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset, tenant_chain
from draggonnb_pipelines.workflows.analytics.agency_report import report_on_agency
from draggonnb_pipelines.workflows.analytics.analytics_agenda import (
    clients_to_measure,
    days_to_make_again,
    weeks_to_report,
)
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics
from draggonnb_pipelines.workflows.analytics.fresh_numbers import asked_in, close_requests, take_requests
from draggonnb_pipelines.workflows.analytics.snapshot_reports import WITHOUT_READINGS
from draggonnb_pipelines.workflows.analytics.snapshots import parts_of, take_snapshots
from draggonnb_pipelines.workflows.analytics.weekly_reports import write_week_reports

GROUP = "analytics"
OWNERS = ["team:analytics"]
CHAIN = "measure_posts"
WEEK_CHAIN = "report_on_weeks"


class AnalyticsRun(dg.Config):
    """What is to be measured, or made again. A range chosen in the UI needs nothing.

    Args:
        everyone: every active organization, as at 06:00 UTC; else those with something due, and those who asked.
        organizations, from_day, to_day: snapshots to be made again from stored rows: slugs (empty: all) and days as
            2026-11-20. Nothing is measured then.
        at: act as if it were this moment (ISO 8601 with offset): for demonstrations and drills.
    """

    everyone: bool = False
    organizations: list[str] = Field(default_factory=list)
    from_day: str | None = None
    to_day: str | None = None
    at: str | None = None


class WeekRun(dg.Config):
    """Config of the weekly chain.

    Args:
        at: act as if it were this moment (ISO 8601 with offset): for demonstrations and drills.
    """

    at: str | None = None


def clients_of_the_day(run: TenantRun[AnalyticsRun], stack: RunStack) -> Mapping[PartitionKey, frozenset[str]]:
    """Today's partitions of who is due, and snapshots of days that nobody could take in time; or, by the config, any
    snapshots again and nothing else. The snapshot of a day is taken once, and again after a trouble has passed."""
    config = run.config
    stack.move_clock(config.at)
    if config.organizations or config.from_day or config.to_day:
        again = stack.run(days_to_make_again, config.organizations, config.from_day, config.to_day)
        return dict.fromkeys(again, frozenset({"analytics_snapshots"}))
    asked = stack.run(take_requests, run.run_id)
    today = stack.stack.now().astimezone(UTC).date()
    due = stack.run(clients_to_measure, everyone=config.everyone, asked=asked)
    keys = {PartitionKey(one.slug, today): {"platform_metrics"} for one in due}
    for one in due:
        for day in one.days:
            keys.setdefault(PartitionKey(one.slug, day), set()).add("analytics_snapshots")
    return {key: frozenset(assets) for key, assets in keys.items()}


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"facebook", "linkedin", "postgres"},
    # Of `published_posts`; but Dagster starts no run without partitions below an asset that it does not select.
    description="What the platforms counted of each public post, added to and never changed. A number that was not "
    "given is missing, not zero; a past day cannot be asked for again.",
    column_schema={
        "id": "uuid",
        "platform_id": "text",
        "account_id": "uuid",
        "post_id": "uuid",
        "queue_id": "uuid",
        "collected_at": "timestamptz",
        "engagement_data": "jsonb",
        "missing": "jsonb",
        "is_gone": "boolean",
    },
)
def platform_metrics(run: TenantRun[AnalyticsRun], stack: RunStack) -> Iterator[StepReport]:
    stack.move_clock(run.config.at)
    asked = set(stack.run(asked_in, run.run_id))
    if others := [key for key in run.keys if key.slug not in asked]:
        yield stack.run(collect_metrics, run.run_id, others)
    if wishes := [key for key in run.keys if key.slug in asked]:
        yield stack.run(collect_metrics, run.run_id, wishes, fresh=True)
        # Also of whom nothing could be read: the agenda brings these again, and a wish would do it every minute.
        stack.run(close_requests, run.run_id, asked)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"pandas", "postgres"},
    deps=["platform_metrics"],
    description="The figures of the day before, each with the readings that it rests on. Made from stored rows alone, "
    "so that any range can be made again; what differs then is a new version that names the old one.",
    column_schema={
        "id": "uuid",
        "period": "text",
        "period_start": "date",
        "version": "int",
        "metrics": "jsonb",
        "restates": "uuid",
        "changes": "jsonb",
    },
)
def analytics_snapshots(run: TenantRun[AnalyticsRun], stack: RunStack) -> Iterator[StepReport]:
    stack.move_clock(run.config.at)
    lost = 0
    for part in parts_of(run.keys):
        report = stack.run(take_snapshots, run.run_id, part)
        lost += sum(WITHOUT_READINGS in done.metadata for done in report.done.values())
        yield report
    if lost:
        run.log.warning(f"{lost} of {len(run.keys)} days have no readings, which cannot be had again; each says so")


# What failed stays due in the agenda, and the hourly run or a re-execution takes it up again.
daily_analytics: dg.AssetsDefinition = tenant_chain(
    CHAIN, [platform_metrics, analytics_snapshots], keys=clients_of_the_day, config=AnalyticsRun
)


def weeks_that_are_due(run: TenantRun[WeekRun], stack: RunStack) -> Mapping[PartitionKey, frozenset[str]]:
    """The last week of everybody who has not got its report yet, and the agency's over all of these."""
    stack.move_clock(run.config.at)
    due = stack.run(weeks_to_report)
    keys = {PartitionKey(one.slug, one.week_start): {"weekly_reports"} for one in due}
    for week_start in {one.week_start for one in due}:
        keys.setdefault(PartitionKey(AGENCY_SLUG, week_start), set()).add("agency_reports")
    return {key: frozenset(assets) for key, assets in keys.items()}


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"email", "whatsapp", "postgres"},
    # Of `analytics_snapshots`, which is not said here for the same reason.
    partitions_def=organization_week,
    description="The week as its client reads it: mail, PDF, page, WhatsApp and in the app, each once. A week that is "
    "made again is stored and shown, and not sent a second time.",
    column_schema={
        "id": "uuid",
        "week_start": "date",
        "version": "int",
        "snapshot_id": "uuid",
        "content": "jsonb",
        "html": "text",
    },
)
def weekly_reports(run: TenantRun[WeekRun], stack: RunStack) -> StepReport:
    stack.move_clock(run.config.at)
    return stack.run(write_week_reports, run.run_id, run.keys)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"email", "postgres"},
    deps=["weekly_reports"],
    partitions_def=organization_week,
    description="One report over all clients: what they did, what they cost, what is left. Of the agency alone.",
    column_schema={"week_start": "date", "version": "int", "content": "jsonb", "html": "text"},
)
def agency_reports(run: TenantRun[WeekRun], stack: RunStack) -> StepReport:
    stack.move_clock(run.config.at)
    return stack.run(report_on_agency, run.run_id, run.keys)


weekly_analytics: dg.AssetsDefinition = tenant_chain(
    WEEK_CHAIN, [weekly_reports, agency_reports], keys=weeks_that_are_due, config=WeekRun
)
