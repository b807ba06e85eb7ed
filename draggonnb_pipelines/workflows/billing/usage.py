"""What a client's plan allows: places of a limit are reserved before the work, then committed or released.

Lives here: reservations by key, a month or a lasting count at a time. Does not live here: money for Claude
(`ai_budgets.py`), the counters themselves (`sql/queries/usage.sql`), what follows where no place is left (the caller),
and the two metrics that are counted elsewhere: users by triggers of the tenant's database, API calls by the API.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg.pq import TransactionStatus

from draggonnb_pipelines.domain.usage import LASTING, period_of
from draggonnb_pipelines.resources.postgres import Connection, TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

USAGE = load_queries("usage")


@dataclass(frozen=True, slots=True)
class Reserved:
    """What came of asking for places.

    Args:
        granted: the keys that have a place now, whether this call gave it or an earlier one.
        limit: of the period; None is unlimited.
        used: places that are taken now, used and held together, these included.
    """

    granted: frozenset[str]
    limit: int | None
    used: int


async def reserve(
    stack: Stack, tenant: TenantDb, metric: str, keys: Sequence[str], *, at: datetime, expires_at: datetime
) -> Reserved:
    """Hold one place for each key, in their order for as long as there is room; never more than the limit.

    A key that holds a place or has used one is granted and not counted again, whatever its period. What a killed
    holder left frees itself here once its `expires_at` is over.

    Args:
        metric: of `usage_counters`, such as posts_monthly.
        at: counts against the calendar month of this moment in the organization's zone (a lasting count has none).
        expires_at: when a place that was neither committed nor released is free again.
    """
    asked = list(dict.fromkeys(keys))
    day = at.astimezone(ZoneInfo(tenant.organization.timezone)).date()
    start, end = period_of(metric, day)
    async with stack.master.connection() as conn:
        limit = await USAGE.plan_limit(conn, organization_id=tenant.organization.id, metric=metric, day=day)
    period = {"metric": metric, "period_start": start}
    async with tenant.conn.transaction():
        await USAGE.lock_metric(tenant.conn, metric=metric)
        await USAGE.open_period(tenant.conn, **period, period_end=end, limit_value=limit)
        await USAGE.release_expired(tenant.conn, metric=metric, now=stack.now())
        rows = USAGE.reserve_keys(tenant.conn, **period, keys=_stored(metric, asked), expires_at=expires_at)
        places = {row["key"] async for row in rows}
        taken = await USAGE.period_taken(tenant.conn, **period)
    return Reserved(frozenset(key for key in asked if _stored_key(metric, key) in places), limit, taken)


async def commit(tenant: TenantDb, metric: str, keys: Sequence[str]) -> None:
    """The work was done: its places are used, once however often this is said.

    Work that outlived its reservation is counted too, since it did happen.
    """
    async with _together(tenant.conn):
        await USAGE.lock_metric(tenant.conn, metric=metric)
        await USAGE.commit_keys(tenant.conn, keys=_stored(metric, keys))


async def release(tenant: TenantDb, metric: str, keys: Sequence[str]) -> None:
    """The work was not done: its places are free again. What a month has used stays used; what no longer exists
    gives its lasting place back."""
    states = ["held", "committed"] if metric in LASTING else ["held"]
    async with _together(tenant.conn):
        await USAGE.lock_metric(tenant.conn, metric=metric)
        await USAGE.release_keys(tenant.conn, keys=_stored(metric, keys), states=states)


@asynccontextmanager
async def _together(conn: Connection) -> AsyncIterator[None]:
    """In the caller's transaction where there is one: a savepoint would cost two round trips for nothing."""
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    async with conn.transaction():
        yield


def _stored(metric: str, keys: Sequence[str]) -> list[str]:
    return [_stored_key(metric, key) for key in keys]


def _stored_key(metric: str, key: str) -> str:
    """The table's keys are unique over all metrics; one post may hold a place in several."""
    return f"{metric}:{key}"
