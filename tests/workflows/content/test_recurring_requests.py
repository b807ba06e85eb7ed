"""Recurring requests: each occurrence goes into the inbox once, and never in a burst."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.recurring_requests import make_recurring
from tests.workflows.content_work import connect, posts, work_through
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant


@pytest.fixture
async def client(stack: Stack, agency: Organization, outsider: Organization) -> AsyncIterator[Organization]:
    """A client with an account on Facebook; afterwards the outsider must have nothing."""
    await connect(stack, agency, "facebook")
    yield agency
    nothing = {"content_requests": 0, "recurring_requests": 0, "social_posts": 0}
    assert await count(stack, outsider, *nothing) == nothing


async def test_a_recurring_request_is_asked_for_once_for_each_occurrence(stack: Stack, client: Organization) -> None:
    rule = uuid4()
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    await _recurring(stack, client, rule, created_at=monday)

    [made] = await make_recurring(variant(stack, now=lambda: monday), client)
    again = await make_recurring(variant(stack, now=lambda: monday), client)

    assert (made.day.isoformat() if made.day else None, made.problem, again) == ("2026-11-25", None, [])
    [row] = await master_rows(stack, "select topic, source, delivery_id from inbox")
    assert row == {"topic": "content", "source": "recurring", "delivery_id": f"recurring:{rule}:2026-11-25"}
    await work_through(variant(stack, now=lambda: monday))
    [post] = await posts(stack, client)
    assert post["scheduled_local"] == "2026-11-25 09:00 Africa/Johannesburg"
    assert await make_recurring(variant(stack, now=lambda: monday + timedelta(days=3)), client) == []
    await tenant_rows(stack, client, "update social_posts set status = 'archived'")
    [late] = await make_recurring(variant(stack, now=lambda: monday + timedelta(days=17)), client)
    assert (late.day.isoformat() if late.day else None, late.missed) == ("2026-12-09", 1)


async def test_a_recurring_request_that_was_cut_off_before_it_was_noted_is_not_made_twice(
    stack: Stack, client: Organization
) -> None:
    rule = uuid4()
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    at_that_time = variant(stack, now=lambda: monday)
    await _recurring(stack, client, rule, created_at=monday)
    await make_recurring(at_that_time, client)
    await tenant_rows(stack, client, "update recurring_requests set last_occurrence = null")

    await make_recurring(at_that_time, client)

    assert await master_rows(stack, "select count(*) as n from inbox") == [{"n": 1}]
    [noted] = await tenant_rows(stack, client, "select last_occurrence from recurring_requests")
    assert noted["last_occurrence"].isoformat() == "2026-11-25"


async def test_a_recurring_request_that_cannot_be_read_says_why_and_stops_no_other(
    stack: Stack, client: Organization
) -> None:
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    await _recurring(stack, client, uuid4(), created_at=monday, name="broken", request={"brief": "No"})
    await _recurring(stack, client, uuid4(), created_at=monday, name="sound")

    broken, sound = await make_recurring(variant(stack, now=lambda: monday), client)

    assert (broken.inbox_id, broken.problem) == (None, "brief must have at least 3 characters, has 2")
    assert (sound.name, sound.problem) == ("sound", None)
    assert await master_rows(stack, "select count(*) as n from inbox") == [{"n": 1}]


async def _recurring(
    stack: Stack,
    organization: Organization,
    rule: UUID,
    *,
    created_at: datetime,
    name: str = "specials",
    request: dict[str, object] | None = None,
) -> None:
    await tenant_rows(
        stack,
        organization,
        "insert into recurring_requests (id, name, request, unit, weekdays, at_local, starts_on, created_at)"
        " values (%s, %s, %s, 'week', '{3}', '09:00', '2026-11-01', %s)",
        rule,
        name,
        json.dumps(request or {"brief": "The specials of the week, as on the board.", "platforms": ["facebook"]}),
        created_at,
    )
