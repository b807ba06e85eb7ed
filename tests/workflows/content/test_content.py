"""The content workflow: a request becomes a checked post, once, in review or on the queue."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.domain.content import post_id_for
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.x_length import weighted_length
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.content_work import (
    BRIEF,
    STEPS,
    ask,
    asked,
    connect,
    generations_used,
    posts,
    request_of,
    told,
    work_through,
)
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant

NOTHING = {"content_requests": 0, "social_posts": 0, "ai_generation_log": 0, "content_queue": 0, "usage_counters": 0}
REQUESTER = "marketing@client.example"


@pytest.fixture
async def client(stack: Stack, agency: Organization, outsider: Organization) -> AsyncIterator[Organization]:
    """A client with an account on three platforms; afterwards the outsider must have nothing."""
    await connect(stack, agency, "facebook", "linkedin", "x")
    yield agency
    await tenant_rows(stack, agency, "update organizations set requires_approval = true")
    assert await count(stack, outsider, *NOTHING) == NOTHING


async def test_a_request_becomes_one_post_with_a_variant_for_each_account_and_waits_for_approval(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    request_id = await ask(stack, client, template="announcement", publish_at="2027-03-01T09:00")

    worked = await work_through(variant(stack, now=lambda: datetime(2026, 11, 23, 8, tzinfo=UTC)))

    assert worked.problems == {}
    [post] = await posts(stack, client)
    assert (post["id"], post["request_id"]) == (post_id_for(request_id), request_id)
    assert (post["status"], post["approved_hash"], post["findings"]) == ("in_review", None, [])
    assert post["platform_ids"] == sorted(post["variants"]) == ["facebook", "linkedin", "x"]
    assert post["content"] == post["variants"]["facebook"]["text"]
    assert all("Ethiopia" in one["text"] for one in post["variants"].values())
    assert len({one["text"] for one in post["variants"].values()}) == 3
    assert weighted_length(post["variants"]["x"]["text"]) <= 280
    assert (post["scheduled_for"], post["scheduled_local"], post["time_zone"]) == (
        datetime(2027, 3, 1, 7, tzinfo=UTC),
        "2027-03-01 09:00 Africa/Johannesburg",
        "Africa/Johannesburg",
    )
    request = await request_of(stack, client, request_id)
    assert (request["status"], request["faults"], request["platform_ids"]) == (
        "generated",
        [],
        ["facebook", "linkedin", "x"],
    )
    assert post["template_id"] == request["template_id"] is not None
    [log] = await tenant_rows(stack, client, "select * from ai_generation_log")
    assert (log["id"], log["content_request_id"], log["usable"]) == (post["generation_id"], request_id, True)
    assert (log["prompt_name"], log["lead_id"]) == ("content", None)
    assert log["cost_usd"] > 0
    assert float(log["cost_zar"]) == pytest.approx(float(log["cost_usd"]) * 18, rel=1e-3)
    assert await generations_used(stack, client) == (1, 0)
    assert await told(stack, client) == [(REQUESTER, "in_review")]
    assert len(await master_rows(stack, "select reviewer from review_links where post_id = %s", post["id"])) == 1
    assert await count(stack, client, "content_queue") == {"content_queue": 0}
    [row] = await master_rows(stack, "select state, stage from inbox")
    assert (row["state"], row["stage"]) == ("done", 3)
    [question] = asked(sandbox)
    assert f'<request id="{request_id}">' in question
    assert BRIEF in question
    assert "x: 1 to 280 characters, of which an emoji counts 2 and every link 23" in question


async def test_without_approval_it_goes_on_the_queue_with_one_row_for_each_account(
    stack: Stack, client: Organization
) -> None:
    await tenant_rows(stack, client, "update organizations set requires_approval = false")
    await ask(stack, client, next_free_slot=True)

    worked = await work_through(stack)

    assert worked.problems == {}
    [post] = await posts(stack, client)
    assert (post["status"], post["approved_hash"]) == ("scheduled", post["content_hash"])
    queue = await tenant_rows(stack, client, "select * from content_queue order by platform_id")
    assert [(row["platform_id"], row["status"], row["part"]) for row in queue] == [
        ("facebook", "scheduled", 0),
        ("linkedin", "scheduled", 0),
        ("x", "scheduled", 0),
    ]
    assert [row["payload"]["text"] for row in queue] == [
        post["variants"][name]["text"] for name in ("facebook", "linkedin", "x")
    ]
    assert {row["publish_at"] for row in queue} == {post["scheduled_for"]}
    assert await told(stack, client) == [(REQUESTER, "scheduled")]
    [reviews] = await master_rows(stack, "select count(*) as n from review_links")
    assert reviews["n"] == 0


async def test_the_same_delivery_again_changes_nothing_and_costs_nothing(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    request_id = await ask(stack, client)
    await work_through(stack)
    before = await posts(stack, client)

    assert await ask(stack, client) == request_id
    await master_rows(
        stack, "update inbox set state = 'received', stage = 0, finished_at = null, batch_id = null, lease_until = null"
    )
    worked = await work_through(stack, "run-2")

    assert worked.problems == {}
    assert await posts(stack, client) == before
    assert len(asked(sandbox)) == 1
    assert await generations_used(stack, client) == (1, 0)
    assert await told(stack, client) == [(REQUESTER, "in_review")]


@pytest.mark.parametrize("steps_done", [1, 2, 3])
async def test_a_run_that_ends_after_any_step_is_taken_up_by_the_next_one(
    stack: Stack, sandbox: Sandbox, client: Organization, steps_done: int
) -> None:
    await ask(stack, client)
    await work_through(stack, "lost", steps=STEPS[:steps_done])
    await master_rows(stack, "update inbox set lease_until = now() - interval '1 second' where state = 'claimed'")

    await work_through(stack, "next")

    assert len(await posts(stack, client)) == 1
    assert len(asked(sandbox)) == 1
    assert await generations_used(stack, client) == (1, 0)
    assert await told(stack, client) == [(REQUESTER, "in_review")]
    assert [row["state"] for row in await master_rows(stack, "select state from inbox")] == ["done"]


async def test_an_answer_that_was_stored_before_a_kill_is_not_paid_again(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    request_id = await ask(stack, client)
    await work_through(stack, "first", steps=STEPS[:2])
    # What a kill between the stored answer and the stored post leaves.
    await tenant_rows(stack, client, "delete from social_posts")
    await tenant_rows(stack, client, "update content_requests set status = 'received'")
    await tenant_rows(stack, client, "update usage_reservations set state = 'held'")
    await tenant_rows(stack, client, "update usage_counters set used = 0, reserved = 1 where metric = 'ai_generations'")
    await master_rows(stack, "update inbox set stage = 1, lease_until = now() - interval '1 second'")

    await work_through(stack, "next")

    assert [post["id"] for post in await posts(stack, client)] == [post_id_for(request_id)]
    assert len(asked(sandbox)) == 1
    assert await generations_used(stack, client) == (1, 0)


async def test_pictures_go_with_the_post_and_let_instagram_in(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await connect(stack, client, "instagram")
    await ask(stack, client, "with", media=[{"path": "square.jpg", "alt": "A cup"}], publish_at="2027-01-05T09:00")
    without = await ask(stack, client, "without", publish_at="2027-01-06T09:00")

    worked = await work_through(variant(stack, now=lambda: datetime(2026, 11, 23, 8, tzinfo=UTC)))

    assert worked.problems == {}
    with_picture, alone = await posts(stack, client)
    assert with_picture["platform_ids"] == ["facebook", "instagram", "linkedin", "x"]
    [file] = with_picture["media"]
    assert (file["path"], file["alt"], file["content_type"]) == ("square.jpg", "A cup", "image/jpeg")
    assert (file["width"], file["height"]) == (1080, 1080)
    assert file["size_bytes"] > 0
    assert alone["platform_ids"] == ["facebook", "linkedin", "x"]
    [left_out] = [finding for finding in alone["findings"] if finding["rule"] == "platform_left_out"]
    assert left_out["severity"] == "warn"
    assert left_out["reason"].startswith("instagram is left out: instagram.format: text is not among")
    assert (await request_of(stack, client, without))["status"] == "generated"


async def test_requests_at_once_take_slots_of_their_own(stack: Stack, client: Organization) -> None:
    await tenant_rows(
        stack, client, "insert into posting_slots (weekday, at_local) values (1, '10:00'), (3, '16:30'), (5, '10:00')"
    )
    for number in range(4):
        await ask(stack, client, f"request-{number}", brief=f"Subject number {number} of the month, told in full.")

    await work_through(variant(stack, now=lambda: datetime(2026, 11, 23, 9, tzinfo=UTC)))

    assert [post["scheduled_local"] for post in await posts(stack, client)] == [
        "2026-11-25 16:30 Africa/Johannesburg",
        "2026-11-27 10:00 Africa/Johannesburg",
        "2026-11-30 10:00 Africa/Johannesburg",
        "2026-12-02 16:30 Africa/Johannesburg",
    ]
