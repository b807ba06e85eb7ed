"""From approval to the queue: which rows a post becomes, when it goes out, and what keeps it off the queue."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform, fingerprint
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import Enqueued, enqueue_ready
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows, tenant_rows
from tests.workflows.publish_work import SQUARE, approve, connect, post_row, posts_used, publish, queue


@pytest.fixture(autouse=True)
async def untouched(stack: Stack, outsider: Organization) -> AsyncIterator[None]:
    """The outsider approves a post of its own, which nobody takes up."""
    post_id = await approve(stack, outsider, "The outsider's.", platforms=("x",))
    yield
    assert await queue(stack, outsider) == []
    assert await post_row(stack, outsider, post_id, "status") == {"status": "approved"}


@pytest.fixture
async def three_posts(stack: Stack, agency: Organization) -> AsyncIterator[None]:
    """A plan that allows three posts a month; the master database is shared, so it goes again."""
    await master_rows(stack, "insert into plans (key, name, position) values ('three', 'Three', 99)")
    await master_rows(
        stack,
        "insert into plan_limits (plan_key, metric, effective_from, limit_value)"
        " values ('three', 'posts_monthly', '2026-01-01', 3)",
    )
    await master_rows(stack, "update organizations set plan_key = 'three' where id = %s", agency.id)
    yield
    await master_rows(stack, "update organizations set plan_key = null where id = %s", agency.id)
    await master_rows(stack, "delete from plan_limits where plan_key = 'three'")
    await master_rows(stack, "delete from plans where key = 'three'")


async def asked_for(stack: Stack, organization: Organization, post_id: UUID, schedule: dict[str, Any]) -> None:
    """The post came from a request with these wishes."""
    request_id = uuid4()
    await tenant_rows(
        stack,
        organization,
        "insert into content_requests (id, source, delivery_id, received_at, brief, platform_ids, schedule, status)"
        " values (%s, 'api', %s, now(), 'Beans', '{x}', %s, 'generated')",
        request_id,
        str(request_id),
        Jsonb(schedule),
    )
    await tenant_rows(stack, organization, "update social_posts set request_id = %s where id = %s", request_id, post_id)


async def noted(stack: Stack, organization: Organization) -> list[datetime]:
    rows = await master_rows(
        stack, "select next_due_at from publishing_agenda where organization_id = %s", organization.id
    )
    return [row["next_due_at"] for row in rows]


async def test_a_post_becomes_a_frozen_row_for_each_account_and_each_part(stack: Stack, agency: Organization) -> None:
    accounts = await connect(stack, agency, Platform.X, Platform.FACEBOOK)
    post_id = await approve(
        stack, agency, "First.", platforms=("x", "facebook"), late=timedelta(hours=-2), media=[SQUARE],
        thread=["Second.", "Third."], first_comment="More.",
    )  # fmt: skip
    await master_rows(stack, "update publishing_agenda set next_due_at = 'infinity'")

    [enqueued] = await enqueue_ready(stack, agency)

    rows = await queue(stack, agency)
    assert [(row["platform_id"], row["part"], row["part_kind"]) for row in rows] == [
        (platform, number, kind)
        for platform in ("facebook", "x")
        for number, kind in enumerate(("post", "reply", "reply", "comment"))
    ]
    assert [row["payload"] for row in rows[:4]] == [
        {"text": "First.", "media": [SQUARE], "made_with_ai": False},
        {"text": "Second.", "made_with_ai": False},
        {"text": "Third.", "made_with_ai": False},
        {"text": "More.", "made_with_ai": False},
    ]
    stored = await post_row(stack, agency, post_id, "status, scheduled_for, scheduled_local, revision")
    assert {row["account_id"] for row in rows} == set(accounts.values())
    assert {(row["status"], row["revision"]) for row in rows} == {("scheduled", stored["revision"])}
    assert {row["publish_at"] for row in rows} == {row["due_at"] for row in rows} == {stored["scheduled_for"]}
    assert [row["fingerprint"] for row in rows] == [fingerprint(row["payload"]["text"]) for row in rows]
    assert stored["status"] == "scheduled"
    assert stored["scheduled_local"].endswith("Africa/Johannesburg")
    assert enqueued == Enqueued(post_id, stored["scheduled_for"], 8, ("facebook", "x"))
    assert await noted(stack, agency) == [stored["scheduled_for"]]
    assert await posts_used(stack, agency) == (0, 2)


async def test_enqueuing_twice_at_once_makes_one_set_of_rows(stack: Stack, agency: Organization) -> None:
    await connect(stack, agency)
    for number in range(5):
        await approve(stack, agency, f"Number {number}.")

    made = await asyncio.gather(*(enqueue_ready(stack, agency) for _ in range(4)))

    assert len(await queue(stack, agency)) == 20
    assert sum(one.rows for of_run in made for one in of_run) == 20
    assert await posts_used(stack, agency) == (0, 20)
    assert await enqueue_ready(stack, agency) == []


async def test_a_post_over_the_months_limit_is_blocked_with_the_limit_and_takes_no_place(
    stack: Stack, agency: Organization, three_posts: None
) -> None:
    await connect(stack, agency, Platform.X, Platform.FACEBOOK)
    first = await approve(stack, agency, "Fits.", platforms=("x", "facebook"), late=timedelta(minutes=2))
    second = await approve(stack, agency, "Does not.", platforms=("x", "facebook"), late=timedelta(minutes=1))
    third = await approve(stack, agency, "Still fits.", platforms=("x",))

    await enqueue_ready(stack, agency)

    reason = "posts_monthly: 1 of 2 posts are over the limit of 3 a month"
    assert await post_row(stack, agency, second, "status, last_error, findings, approved_hash, approved_at") == {
        "status": "blocked",
        "last_error": reason,
        "findings": [{"rule": "posts_monthly", "severity": "block", "platform": None, "reason": reason}],
        "approved_hash": None,
        "approved_at": None,
    }
    rows = await queue(stack, agency)
    assert [(row["post_id"], row["platform_id"]) for row in rows] == [
        (first, "facebook"),
        (first, "x"),
        (third, "x"),
    ]
    assert await posts_used(stack, agency) == (0, 3)


@pytest.mark.parametrize("connected", [False, True])
async def test_a_post_without_an_account_is_blocked_by_name(
    stack: Stack, agency: Organization, connected: bool
) -> None:
    if connected:
        await connect(stack, agency, Platform.LINKEDIN)
    post_id = await approve(stack, agency, "To nobody.", platforms=("x", "facebook"))

    [enqueued] = await enqueue_ready(stack, agency)

    assert (enqueued.rows, enqueued.reason) == (0, "no account is connected for x, facebook")
    assert await post_row(stack, agency, post_id, "status, last_error") == {
        "status": "blocked",
        "last_error": "no account is connected for x, facebook",
    }
    assert await queue(stack, agency) == []
    assert await posts_used(stack, agency) == (0, 0)


async def test_a_slot_that_passed_during_approval_becomes_the_next_free_one(stack: Stack, agency: Organization) -> None:
    await connect(stack, agency, Platform.X)
    now = stack.now()
    soon = (now + timedelta(days=1)).astimezone(UTC).date()
    await tenant_rows(
        stack,
        agency,
        "insert into posting_slots (weekday, at_local) select weekday, '06:30' from generate_series(1, 7) weekday",
    )
    await tenant_rows(stack, agency, "update organizations set skips_public_holidays = false")
    posts = [
        await approve(stack, agency, f"No. {number}", platforms=("x",), late=timedelta(hours=3)) for number in (1, 2)
    ]
    for post_id in posts:
        await asked_for(stack, agency, post_id, {"next_free_slot": True})

    enqueued = await enqueue_ready(stack, agency)

    times = sorted(one.publish_at for one in enqueued)
    assert [at.strftime("%H:%M") for at in times] == ["04:30", "04:30"]  # 06:30 in Johannesburg
    assert times[1] - times[0] == timedelta(days=1)
    assert now < times[0] <= now + timedelta(days=1)
    assert times[1].date() >= soon
    assert sorted(row["publish_at"] for row in await queue(stack, agency)) == times


async def test_a_post_for_as_soon_as_it_is_approved_is_punctual_from_then_on(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    post_id = await approve(stack, agency, "At last.", platforms=("x",), late=timedelta(days=3))
    await asked_for(stack, agency, post_id, {"as_soon_as_approved": True})

    await publish(stack, agency)

    stored = await post_row(stack, agency, post_id, "approved_at, scheduled_for")
    [row] = await queue(stack, agency)
    assert stored["scheduled_for"] == stored["approved_at"] == row["publish_at"]
    assert row["status"] == "published"
    assert row["lateness_seconds"] < 30
    assert len(sandbox.public("x")) == 1


async def test_a_time_that_a_person_chose_is_kept_although_it_has_passed(stack: Stack, agency: Organization) -> None:
    await connect(stack, agency, Platform.X)
    post_id = await approve(stack, agency, "At nine.", platforms=("x",), late=timedelta(hours=3))
    await asked_for(stack, agency, post_id, {"publish_at": "2026-11-23T09:00"})
    asked = await post_row(stack, agency, post_id, "scheduled_for")

    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["publish_at"], row["status"]) == (asked["scheduled_for"], "needs_review")
    assert row["question"].startswith("It is 3 hours late")


async def test_what_a_person_made_of_a_post_is_checked_again_before_it_is_queued(
    stack: Stack, agency: Organization
) -> None:
    await connect(stack, agency, Platform.X)
    await tenant_rows(stack, agency, "insert into brand_rules (banned_words) values ('{cheap}')")
    long = await approve(stack, agency, "beans " * 60, platforms=("x",))
    banned = await approve(stack, agency, "Cheap beans today.", platforms=("x",))
    fine = await approve(stack, agency, "Fresh beans today.", platforms=("x",))

    done = {one.post_id: one for one in await enqueue_ready(stack, agency)}

    assert [done[post].rows for post in (long, banned, fine)] == [0, 0, 1]
    assert done[long].reason == "x: x.text: 360 of at most 280 (weighted)"
    assert done[banned].reason == 'x: “Cheap”: the brand does not say "cheap"'
    columns = "status, approved_hash, findings -> 0 ->> 'rule' as rule"
    assert await post_row(stack, agency, banned, columns) == {
        "status": "blocked", "approved_hash": None, "rule": "banned_word",
    }  # fmt: skip
    assert len(await queue(stack, agency)) == 1
    assert await posts_used(stack, agency) == (0, 1)
