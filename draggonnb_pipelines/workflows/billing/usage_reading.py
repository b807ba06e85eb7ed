"""How far a plan is used, as it stands now: the five metrics of one client, read together.

Lives here: reading, for the API and the daily report alike, and without what only the workflows need, since the API
loads it. Not here: what is stored and told (`usage_metrics.py`), reservations (`usage.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from draggonnb_pipelines.domain.usage import METRICS, MetricUse, month_of, period_of, zone_of
from draggonnb_pipelines.resources.postgres import MasterDb, TenantDb
from draggonnb_pipelines.sql import load_queries

USAGE = load_queries("usage_metrics")


@dataclass(frozen=True, slots=True)
class Usage:
    """A client's plan and how far it is used; the metrics in the order of `METRICS`."""

    plan_key: str | None
    metrics: tuple[MetricUse, ...]


async def read_usage(master: MasterDb, tenant: TenantDb, now: datetime) -> Usage:
    """The five metrics in the periods that `now` lies in, in the organization's zone. Changes nothing.

    Limits are the plan's of today, also where the tenant's counters have not heard of them yet.
    """
    organization = tenant.organization
    day = now.astimezone(zone_of(organization.timezone)).date()
    first, until = month_of(day)
    async with master.connection() as conn:
        plan = await USAGE.plan_of(conn, organization_id=organization.id, day=day)
        calls = [
            row async for row in USAGE.calls_by_day(conn, organization_id=organization.id, since=first, until=until)
        ]
    starts = [period_of(metric, day)[0] for metric in METRICS]
    rows = USAGE.counters(tenant.conn, metrics=list(METRICS), starts=sorted(set(starts)))
    found = {row["metric"]: row async for row in rows}
    people = await USAGE.active_users(tenant.conn)
    counted = {"users": people, "api_calls": sum(row["calls"] for row in calls)}

    def use_of(metric: str) -> MetricUse:
        start, end = period_of(metric, day)
        row = found.get(metric) or _nothing(metric, start, end)
        return replace(under_plan(row, plan), used=counted.get(metric, row["used"]))

    return Usage(plan["plan_key"], tuple(map(use_of, METRICS)))


def _nothing(metric: str, start: date, end: date) -> dict[str, Any]:
    nothing = {"used": 0, "reserved": 0, "limit": None, "alerted_percent": 0}
    return {"metric": metric, "period_start": start, "period_end": end, **nothing}


def under_plan(row: Mapping[str, Any], plan: Mapping[str, Any]) -> MetricUse:
    """A counter under the plan's limit. Of a limit that the counter has not heard of, nothing was told yet."""
    limit = plan["limits"].get(row["metric"])
    alerted = row["alerted_percent"] if row["limit"] == limit else 0
    return MetricUse(**{**row, "limit": limit, "alerted_percent": alerted})
