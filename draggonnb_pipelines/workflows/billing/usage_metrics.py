"""How far each client's plan is used: counted, stored and told for the dashboard, the owners and the operator.

Lives here: what follows the plan and the API's own count in the tenant's counters, and the values per day for charts.
Not here: reading (`usage_reading.py`), reservations (`usage.py`), the words (`usage_alerts.py`), counting calls
(`api/api_calls.py`).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import KeyReport, Markdown, PartitionKey, StepReport
from draggonnb_pipelines.domain.usage import LASTING, METRICS, MetricUse, month_of, zone_of
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.usage_alerts import tell_reached, usage_table
from draggonnb_pipelines.workflows.billing.usage_reading import USAGE, Usage, read_usage, under_plan
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of

CLIENTS_AT_ONCE = 8
BY_RESERVATION = ("posts_monthly", "ai_generations")
DAY = timedelta(days=1)
log = logging.getLogger(__name__)


async def report_usage(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """Count, store and tell for each client, in any number of runs at once; each key's report shows how it stands now.

    1. the tenant's counters follow the plan and the API's count  2. the values of the key's days, for charts
    3. owners are told of 80 and 100 percent, once each for a limit and a period
    """
    by_slug: dict[str, list[PartitionKey]] = {}
    for key in keys:
        by_slug.setdefault(key.slug, []).append(key)
    organizations = await organizations_by_slug(stack, list(by_slug))
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def of_client(slug: str) -> StepReport:
        own, organization = by_slug[slug], organizations.get(slug)
        if organization is None:
            return StepReport(failed=dict.fromkeys(own, "there is no such organization"))
        if organization.status == "provisioning":
            return StepReport(waiting=dict.fromkeys(own, "its system is still being set up"))
        if organization.status in ("offboarding", "closed"):  # its database is put away, or gone
            return StepReport(done=dict.fromkeys(own, KeyReport(rows=0)))
        async with permits:
            try:
                return StepReport(done=await _report_client(stack, organization, own))
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                log.warning("run %s: usage of %s was not reported: %s", run_id, slug, reason_of(error))
                return StepReport(failed=dict.fromkeys(own, reason_of(error)))

    return StepReport.joined(await asyncio.gather(*map(of_client, by_slug)))


async def _report_client(
    stack: Stack, organization: Organization, keys: Sequence[PartitionKey]
) -> dict[PartitionKey, KeyReport]:
    now = stack.now()
    today = now.astimezone(zone_of(organization.timezone)).date()
    days = {key: _days_of(key, now, today) for key in keys}
    async with stack.tenants.open(organization) as tenant:
        usage = await read_usage(stack.master, tenant, now)
        await _follow(tenant, usage)
        later = await _later_periods(stack, tenant, today)
        stored = await _put_days(stack, tenant, sorted(set().union(*days.values())), usage, today)
    reached = await tell_reached(stack, organization, [*usage.metrics, *later])
    metadata: dict[str, Any] = {
        "usage": Markdown(usage_table([*usage.metrics, *later], zone_of(organization.timezone))),
        "plan": usage.plan_key or "none",
        "as of": now.isoformat(timespec="seconds"),
        **{f"{use.metric} (taken)": use.taken for use in usage.metrics},
    }
    if reached:
        metadata["newly reached"] = reached
    return {key: KeyReport(rows=sum(stored[day] for day in days[key]), metadata=metadata) for key in keys}


def _days_of(key: PartitionKey, now: datetime, today: date) -> set[date]:
    """The days of the organization's zone that a UTC day touches and that have begun, wherever it is."""
    around = {key.day - DAY, key.day} | ({today} if key.day == now.astimezone(UTC).date() else set())
    return {day for day in around if day <= today}


async def _follow(tenant: TenantDb, usage: Usage) -> None:
    """The counters that others read and that the triggers on users enforce: limits of the plan, and what is counted
    elsewhere."""
    await _follow_plan(tenant, usage.metrics)
    async with tenant.conn.transaction():
        await USAGE.lock_users(tenant.conn)
        await USAGE.count_users(tenant.conn)
    calls = next(use for use in usage.metrics if use.metric == "api_calls")
    period = {"metric": calls.metric, "period_start": calls.period_start}
    await USAGE.set_used(tenant.conn, **period, used=calls.used)


async def _follow_plan(tenant: TenantDb, uses: Sequence[MetricUse]) -> None:
    await USAGE.follow_plan(
        tenant.conn,
        metrics=[use.metric for use in uses],
        starts=[use.period_start for use in uses],
        ends=[use.period_end for use in uses],
        limits=[use.limit for use in uses],
    )


async def _later_periods(stack: Stack, tenant: TenantDb, today: date) -> list[MetricUse]:
    """What is planned for coming months, under the limits that the plan will have then."""
    rows = [row async for row in USAGE.later_periods(tenant.conn, metrics=list(METRICS), day=today)]
    plans: dict[date, Mapping[str, Any]] = {}
    async with stack.master.connection() as conn:
        for start in {row["period_start"] for row in rows}:
            plans[start] = await USAGE.plan_of(conn, organization_id=tenant.organization.id, day=start)
    uses = [under_plan(row, plans[row["period_start"]]) for row in rows]
    for use in uses:  # one at a time: whoever moves a post between months holds two of these rows
        await _follow_plan(tenant, [use])
    return uses


async def _put_days(stack: Stack, tenant: TenantDb, days: Sequence[date], usage: Usage, today: date) -> dict[date, int]:
    """Store the values of these days; how many there are of each. What exists now is known for today alone."""
    if not days:
        return {}
    organization = tenant.organization
    await USAGE.put_work_days(
        tenant.conn,
        metrics=list(BY_RESERVATION),
        days=list(days),
        months=sorted({month_of(day)[0] for day in days}),
        zone=str(zone_of(organization.timezone)),
    )
    async with stack.master.connection() as conn:
        rows = USAGE.calls_by_day(conn, organization_id=organization.id, since=days[0], until=days[-1] + DAY)
        calls = {row["day"]: row["calls"] async for row in rows}
    values = [("api_calls", day, calls.get(day, 0)) for day in days]
    values += [(use.metric, today, use.used) for use in usage.metrics if use.metric in LASTING and today in days]
    metrics, dates, numbers = zip(*values, strict=True)
    await USAGE.put_days(tenant.conn, metrics=list(metrics), days=list(dates), values=list(numbers))
    counts = dict.fromkeys(days, len(BY_RESERVATION))
    for _, day, _ in values:
        counts[day] += 1
    return counts
