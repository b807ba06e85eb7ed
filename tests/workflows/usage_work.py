"""A client on a plan, and what it has used of it, as tests see them. Not here: assertions."""

from datetime import UTC, date, datetime, timedelta

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.usage import commit, reserve
from draggonnb_pipelines.workflows.billing.usage_metrics import report_usage
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows, tenant_rows, variant
from tests.workflows.post_reviews import mailed

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = PartitionKey("draggonnb", date(2026, 11, 23))
LIMITS = {"posts_monthly": 10, "ai_generations": 100, "social_accounts": 2, "users": 3, "api_calls": 50}
COUNTERS = (
    "select metric, used, reserved, limit_value, alerted_percent from usage_counters order by metric, period_start"
)


async def on_the_small_plan(stack: Stack) -> Stack:
    """The agency on a plan, on 23 November at 11:00 of its own time; the plan `large` allows five times as much."""
    for name, factor in (("small", 1), ("large", 5)):
        await master_rows(stack, "insert into plans (key, name, position) values (%s, %s, %s)", name, name, 90 + factor)
        for metric, limit in LIMITS.items():
            await master_rows(
                stack, "insert into plan_limits values (%s, %s, '2026-01-01', %s)", name, metric, limit * factor
            )
    await choose(stack, "small")
    return variant(stack, now=lambda: NOW)


def take_plans_back(world: World) -> None:
    """The master database is shared by all tests of the workflows."""
    with psycopg.connect(world.dsn) as conn:
        conn.execute("update organizations set plan_key = null, status = 'active'")
        conn.execute(
            "update organizations set database_name = %s where slug = 'outsider'", [world.outsider.database_name]
        )
        conn.execute("delete from plan_limits where plan_key in ('small', 'large')")
        conn.execute("delete from plans where key in ('small', 'large')")


async def choose(stack: Stack, plan: str) -> None:
    await master_rows(stack, "update organizations set plan_key = %s where slug = 'draggonnb'", plan)


async def use(stack: Stack, organization: Organization, metric: str, *keys: str, at: datetime = NOW) -> None:
    async with stack.tenants.open(organization) as tenant:
        await reserve(stack, tenant, metric, keys, at=at, expires_at=at + timedelta(days=30))
        await commit(tenant, metric, keys)


def posts(first: int, last: int) -> list[str]:
    return [f"post-{number}" for number in range(first, last + 1)]


async def report(stack: Stack, *keys: PartitionKey) -> StepReport:
    return await report_usage(stack, "run-1", keys or (TODAY,))


async def alerted(stack: Stack, organization: Organization) -> dict[str, int]:
    return {row["metric"]: row["alerted_percent"] for row in await tenant_rows(stack, organization, COUNTERS)}


def told(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Each mail once; a repeated one fails here."""
    assert {mail["transmissions"] for mail in sandbox.public("mail")} <= {1}
    return mailed(sandbox)
