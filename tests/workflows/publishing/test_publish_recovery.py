"""Reading the platform back: clocks that jump and platforms that show late neither double a post nor lose one."""

import asyncio
from datetime import timedelta

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publish_outcomes import MAX_TRIES
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import approve, connect, make_due, publish, queue

LAG_SECONDS = 1.0


async def test_a_look_that_comes_before_the_platform_shows_the_post_does_not_send_it_again(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Shown a moment later.", platforms=("x",))
    sandbox.settings(social_lag_seconds=LAG_SECONDS, social_refuses_duplicates=False)
    sandbox.faults("POST /x/2/tweets", {"kind": "accept_then_drop"})
    await publish(stack, agency)

    await make_due(stack, agency)  # the database's clock jumps ahead: the settle time is over at once
    await publish(stack, agency)
    [early] = await queue(stack, agency)
    await asyncio.sleep(LAG_SECONDS)
    await make_due(stack, agency)
    await publish(stack, agency)

    assert (early["status"], early["reads"], early["absences"]) == ("unknown", 1, 1)
    assert early["due_at"] - early["db_now"] > timedelta(seconds=stack.settings.publish_settle_seconds - 10)
    [row] = await queue(stack, agency)
    [seen] = sandbox.public("x")
    assert (row["status"], row["attempts"], row["platform_post_id"]) == ("published", 1, seen["id"])


async def test_a_post_is_found_although_the_clock_was_an_hour_ahead_when_it_was_sent(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    await approve(stack, agency, "Sent in the future.", platforms=("facebook",))
    sandbox.settings(social_refuses_duplicates=False)
    sandbox.faults("POST /graph/{version}/{page}/feed", {"kind": "accept_then_status", "status": 500})
    await publish(stack, agency)
    async with stack.tenants.open(agency) as tenant:
        await tenant.conn.execute("update content_queue set first_attempt_at = first_attempt_at + interval '1 hour'")

    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    [seen] = sandbox.public("facebook")
    assert (row["status"], row["attempts"], row["platform_post_id"]) == ("published", 1, seen["id"])


async def test_calls_that_are_lost_again_and_again_become_a_question(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Never arrives.", platforms=("x",))
    sandbox.faults("POST /x/2/tweets", {"kind": "drop_before_accept"}, repeat=True)

    for _ in range(3 * MAX_TRIES):
        await publish(stack, agency)
        await make_due(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"], row["tries"]) == ("needs_review", MAX_TRIES, MAX_TRIES)
    assert row["question"] == "8 calls were lost and the post is not there. Try again, or drop it?"
    assert sandbox.public("x") == []


async def test_a_comment_waits_for_a_post_that_the_platform_does_not_show_yet(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    await approve(stack, agency, "A post.", platforms=("facebook",), first_comment="Its comment.")
    sandbox.settings(social_lag_seconds=LAG_SECONDS)
    await publish(stack, agency)
    post, comment = await queue(stack, agency)

    await asyncio.sleep(LAG_SECONDS)
    await make_due(stack, agency)
    await publish(stack, agency)

    assert (post["status"], comment["status"], comment["error_class"]) == ("published", "scheduled", "retry")
    shown, below = sandbox.public("facebook")
    assert (shown["text"], below["text"], below["parent"]) == ("A post.", "Its comment.", shown["id"])
