"""Requests for content that cannot be done: refused with field, limit and value, and nothing charged or posted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.content_requests import ContentSubmission, Schedule
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.content_work import (
    BRIEF,
    ask,
    asked,
    connect,
    generations_used,
    posts,
    put,
    request_of,
    told,
    work_through,
)
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant

EFFECTS = {"social_posts": 0, "content_queue": 0, "ai_generation_log": 0}
REQUESTER = "marketing@client.example"
OWNER = "sales@draggonnb.example"
SIGN = "POST /supabase/storage/v1/object/sign/*"


@pytest.fixture
async def client(stack: Stack, agency: Organization, outsider: Organization) -> AsyncIterator[Organization]:
    """A client with an account on X and a dead one on LinkedIn; afterwards the outsider must have nothing."""
    await connect(stack, agency, "x")
    await connect(stack, agency, "linkedin", status="reconnect_needed")
    yield agency
    assert await count(stack, outsider, "content_requests", *EFFECTS) == {"content_requests": 0, **EFFECTS}


async def refusal(stack: Stack, sandbox: Sandbox, client: Organization, **body: Any) -> list[dict[str, str]]:
    """The faults of a request that is refused; nothing else may have happened."""
    request_id = await ask(stack, client, **body)

    worked = await work_through(stack)

    assert worked.problems == {}
    request = await request_of(stack, client, request_id)
    assert request["status"] == "refused"
    assert await count(stack, client, *EFFECTS) == EFFECTS
    assert asked(sandbox) == []
    assert await generations_used(stack, client) == (0, 0)
    assert await told(stack, client) == [(REQUESTER, "refused")]
    assert await master_rows(stack, "select state, stage from inbox") == [{"state": "done", "stage": 3}]
    return request["faults"]


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (
            {"platforms": ["facebook"]},
            "platforms",
            "facebook: no account is connected; connected are: x",
        ),
        ({"platforms": ["linkedin"]}, "platforms", "linkedin: the account @linkedin needs to be connected again"),
        ({"template": "Anouncement"}, "template", "'Anouncement' is none of the templates; did you mean Announcement?"),
        ({"media": ["missing.jpg"]}, "media[0].path", "the file media-draggonnb/missing.jpg is not in the storage"),
        (
            {"platforms": ["x"], "media": [f"{name}.jpg" for name in ("square", "portrait", "landscape", "too-wide")]
             + ["square.png"]},
            "media",
            "x.media: 5 of at most 4 (files)",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_refused_by_name_before_anything_is_charged(
    stack: Stack, sandbox: Sandbox, client: Organization, body: dict[str, Any], field: str, detail: str
) -> None:
    assert await refusal(stack, sandbox, client, **body) == [{"field": field, "detail": detail}]


async def test_a_picture_that_a_platform_does_not_take_is_refused_with_limit_and_value(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await connect(stack, client, "instagram")

    faults = await refusal(stack, sandbox, client, platforms=["instagram"], media=["too-wide.jpg"])

    assert faults == [{"field": "media", "detail": "instagram.media[0].ratio: 4 of at most 1.91 (width / height)"}]


async def test_without_any_account_nothing_can_be_asked_for(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await tenant_rows(stack, client, "update social_accounts set status = 'disconnected'")

    faults = await refusal(stack, sandbox, client)

    assert faults == [
        {"field": "platforms", "detail": "no account is connected; connect one, then send it again"},
    ]


async def test_slots_that_do_not_serve_the_platform_are_named(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await tenant_rows(
        stack, client, "insert into posting_slots (weekday, at_local, platform_ids) values (1, '09:00', '{facebook}')"
    )

    faults = await refusal(stack, sandbox, client)

    detail = "no posting slot serves x within 60 days; add one, or name a time"
    assert faults == [{"field": "next_free_slot", "detail": detail}]


async def test_a_time_that_was_past_when_it_was_received_is_refused(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    submission = ContentSubmission(
        brief=BRIEF, requested_by=REQUESTER, schedule=Schedule(publish_at="2020-01-01T09:00")
    )
    request_id = await put(stack, client, "past", submission)

    await work_through(stack)

    request = await request_of(stack, client, request_id)
    [fault] = request["faults"]
    assert (request["status"], fault["field"]) == ("refused", "publish_at")
    assert "in the past; 5 minutes at most is taken as now" in fault["detail"]
    assert await count(stack, client, *EFFECTS) == EFFECTS
    assert await generations_used(stack, client) == (0, 0)


async def test_a_time_that_passed_while_the_request_waited_is_late_and_not_wrong(
    stack: Stack, client: Organization
) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%MZ")
    await ask(stack, client, publish_at=soon)

    await work_through(variant(stack, now=lambda: datetime.now(UTC) + timedelta(hours=2)))

    [post] = await posts(stack, client)
    assert post["status"] == "in_review"
    assert post["scheduled_for"] < datetime.now(UTC) + timedelta(hours=2)


async def test_brand_rules_that_cannot_be_read_are_named_and_not_passed_over(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await tenant_rows(stack, client, "insert into brand_rules (hashtags) values ('{kloof}')")

    [fault] = await refusal(stack, sandbox, client)

    assert fault["field"] == "brand_rules.hashtags.0"
