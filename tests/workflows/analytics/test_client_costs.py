"""What a client did and cost in a week: counted from its own rows, between two Mondays of its own zone."""

import dataclasses
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from draggonnb_pipelines.domain.client_costs import ClientWeek
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.client_costs import client_week, note_client_week
from tests.workflows.agency_work import WEEK, asked_claude, busy_week, database_away, forget_weeks
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows

KEPT = (
    "select o.slug, w.posts, w.readings, w.engagements, w.ai_cost_usd, w.x_cost_usd, w.figures"
    " from client_weeks w join organizations o on o.id = w.organization_id order by o.slug, w.week_start"
)


@pytest.fixture(autouse=True)
def no_weeks(stack: Stack, world: World) -> Iterator[None]:
    forget_weeks(world)
    yield
    forget_weeks(world)


async def test_a_week_counts_what_happened_between_its_first_and_its_last_second(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await busy_week(stack, outsider)

    async with stack.tenants.open(outsider) as tenant:
        week = await client_week(tenant, WEEK)
    async with stack.tenants.open(agency) as tenant:
        other = await client_week(tenant, WEEK)

    # X: 2 posts at 0.1075 and 3 reads at 0.001; the one that found nothing is free.
    assert week == ClientWeek(3, 7, None, 1500, Decimal("0.35"), 2, 3, Decimal("0.218"))
    assert other == ClientWeek(0, 0, None, 0, Decimal(0), 0, 0, Decimal(0))


async def test_a_week_is_kept_with_the_engagements_of_the_clients_report(stack: Stack, outsider: Organization) -> None:
    await busy_week(stack, outsider)

    await note_client_week(stack, outsider, WEEK, {"engagements": {"value": 900, "gained": 640, "posts": 3}})

    assert await master_rows(stack, KEPT) == [
        {
            "slug": "outsider",
            "posts": 3,
            "readings": 7,
            "engagements": 640,
            "ai_cost_usd": Decimal("0.35"),
            "x_cost_usd": Decimal("0.218"),
            "figures": {"tokens": 1500, "x_posts": 2, "x_reads": 3},
        }
    ]


@pytest.mark.parametrize("metrics", [None, {}, {"engagements": None}, {"engagements": {"gained": None}}])
async def test_engagements_that_nobody_knows_are_no_zero(
    metrics: dict[str, object] | None, stack: Stack, outsider: Organization
) -> None:
    await note_client_week(stack, outsider, WEEK, metrics)

    [kept] = await master_rows(stack, KEPT)
    assert (kept["posts"], kept["engagements"]) == (0, None)


async def test_a_week_that_is_counted_again_follows_and_keeps_its_engagements(
    stack: Stack, outsider: Organization
) -> None:
    await note_client_week(stack, outsider, WEEK, {"engagements": {"gained": 5}})
    await asked_claude(stack, outsider, "2026-11-24T08:00:00Z", 100, "0.05")

    await note_client_week(stack, outsider, WEEK, None)

    [kept] = await master_rows(stack, KEPT)
    assert (kept["engagements"], kept["ai_cost_usd"], kept["figures"]["tokens"]) == (5, Decimal("0.05"), 100)


async def test_a_client_that_is_away_leaves_what_was_kept(stack: Stack, outsider: Organization) -> None:
    await asked_claude(stack, outsider, "2026-11-24T08:00:00Z", 100, "0.05")
    await note_client_week(stack, outsider, WEEK, {"engagements": {"gained": 5}})
    before = await master_rows(stack, KEPT)

    async with database_away(stack, outsider):
        away = dataclasses.replace(outsider, database_name="gone")
        with pytest.raises(TenantUnavailable):
            await note_client_week(stack, away, WEEK, {"engagements": {"gained": 9}})

    assert await master_rows(stack, KEPT) == before


async def test_a_week_that_begins_on_another_day_is_refused(stack: Stack, outsider: Organization) -> None:
    with pytest.raises(ValueError, match="2026-11-24 is a Tuesday"):
        await note_client_week(stack, outsider, date(2026, 11, 24), None)

    assert await master_rows(stack, KEPT) == []
