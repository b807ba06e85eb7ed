"""Attacks on reading back: whatever the network makes of the words, whoever else has said them, wherever they stand."""

import asyncio
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing.publish_questions import answer_question, request_undo
from draggonnb_pipelines.workflows.publishing.publishing import publish_due
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import approve, connect, make_due, publish, queue

LOST = {"kind": "accept_then_status", "status": 500}
ROUTES = {
    "facebook": "POST /graph/{version}/{page}/feed",
    "instagram": "POST /graph/{version}/{account}/media_publish",
    "linkedin": "POST /linkedin/rest/posts",
    "x": "POST /x/2/tweets",
}
NASTY = (
    '  R&D <b>"says"</b> it\'s &amp; done: https://example.com/a?b=1&c=2#d and example.org/x  \n\n\t '
    "#beans {x} (y) [z] @somebody ~ * _ | \\ \u2764\ufe0f cafe\u0301 \U0001f469\u200d\U0001f680 \u200bend \u00a0"
)


async def settle(stack: Stack, organization: Organization, runs: int = 4) -> None:
    """Time passes, and runs come and go."""
    for _ in range(runs):
        await make_due(stack, organization)
        client = await publish(stack, organization)
        assert client.problem is None


@pytest.mark.parametrize("platform", list(ROUTES))
async def test_words_that_a_network_changes_are_found_again(
    stack: Stack, agency: Organization, sandbox: Sandbox, platform: str
) -> None:
    await connect(stack, agency, Platform(platform))
    await approve(stack, agency, NASTY, platforms=(platform,))
    sandbox.settings(social_refuses_duplicates=False)
    sandbox.faults(ROUTES[platform], LOST)

    await publish(stack, agency)
    await settle(stack, agency)

    [row] = await queue(stack, agency)
    [seen] = sandbox.public(platform)
    assert (row["status"], row["attempts"], row["platform_post_id"]) == ("published", 1, seen["id"])


async def test_a_thread_of_equal_words_whose_every_answer_is_lost_stands_there_once(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Wait.", platforms=("x",), thread=["Wait.", "Wait."])
    sandbox.settings(social_refuses_duplicates=False)
    sandbox.faults(ROUTES["x"], LOST, LOST, LOST)

    await publish(stack, agency)
    await settle(stack, agency, 8)

    first, second, third = sandbox.public("x")
    assert [first["parent"], second["parent"], third["parent"]] == [None, first["id"], second["id"]]
    rows = await queue(stack, agency)
    assert [(row["status"], row["attempts"]) for row in rows] == [("published", 1)] * 3


async def test_a_page_video_whose_answer_was_lost_is_found_among_the_videos(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    video = [{"path": "reel.mp4", "alt": None, "content_type": "video/mp4"}]
    await approve(stack, agency, "Moving beans.", platforms=("facebook",), media=video)
    sandbox.settings(social_refuses_duplicates=False)
    sandbox.faults("POST /graph/{version}/{page}/videos", LOST)

    await publish(stack, agency)
    [lost] = await queue(stack, agency)
    await settle(stack, agency)

    assert (lost["status"], lost["attempts"]) == ("unknown", 1)
    [row] = await queue(stack, agency)
    [seen] = sandbox.public("facebook")
    assert (row["status"], row["attempts"], row["platform_post_id"]) == ("published", 1, seen["id"])


async def test_an_old_rows_post_of_today_is_not_taken_for_another_of_equal_words(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    sandbox.settings(social_refuses_duplicates=False)
    await approve(stack, agency, "Good morning.", platforms=("facebook",))
    await publish(stack, agency)
    async with stack.tenants.open(agency) as tenant:  # it was put on the queue long ago, for today
        await tenant.conn.execute("update content_queue set created_at = now() - interval '200 days'")
    sandbox.faults(ROUTES["facebook"], {"kind": "drop_before_accept"})
    await approve(stack, agency, "Good morning.", platforms=("facebook",))

    await publish(stack, agency)
    await settle(stack, agency)

    rows = await queue(stack, agency)
    assert [(row["status"], row["attempts"]) for row in rows] == [("published", 1), ("published", 2)]
    assert len(sandbox.public("facebook")) == 2


async def test_a_post_that_a_person_saw_without_its_address_is_not_said_to_be_deleted(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    await approve(stack, agency, "Seen by eye.", platforms=("facebook",))
    sandbox.faults(ROUTES["facebook"], LOST)
    await publish(stack, agency)
    [row] = await queue(stack, agency)
    async with stack.tenants.open(agency) as tenant:
        await tenant.conn.execute("update content_queue set status = 'needs_review', question = 'Is it there?'")
    await answer_question(stack, agency, row["id"], "published", by="ann")

    with pytest.raises(OperatorError, match="address"):
        await request_undo(stack, agency, row["id"], by="ann")
    await settle(stack, agency, 1)

    [row] = await queue(stack, agency)
    assert row["status"] == "published"
    assert [post["deleted"] for post in sandbox.public("facebook")] == [False]


async def test_a_run_that_loses_its_sign_of_life_during_a_call_and_another_that_comes_publish_once(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Slow but sure.", platforms=("x",))
    await enqueue_ready(stack, agency)
    sandbox.settings(social_refuses_duplicates=False, social_latency_seconds=2.0)

    slow = asyncio.create_task(publish_due(stack, "slow-run", [agency.slug]))
    await asyncio.sleep(1.0)
    async with stack.master.connection() as conn:
        await conn.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
        )
    [other] = await publish_due(stack, str(uuid4()), [agency.slug])
    [meanwhile] = await queue(stack, agency)
    await slow

    assert other.problem is None
    assert meanwhile["status"] == "unknown"
    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 1)
    assert len(sandbox.public("x")) == 1


async def test_one_clients_day_at_linkedin_being_used_up_silences_nobody_else(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    """LinkedIn's 429 does not say whose quota it is: a member's or our app's. The one who got it waits."""
    for organization in (agency, outsider):
        await connect(stack, organization, Platform.LINKEDIN)
        await approve(stack, organization, f"From {organization.slug}.", platforms=("linkedin",))
    sandbox.faults(ROUTES["linkedin"], {"kind": "status", "status": 429})

    await publish(stack, agency)
    await publish(stack, outsider)

    [waits], [went] = await queue(stack, agency), await queue(stack, outsider)
    assert (waits["status"], waits["error_class"]) == ("scheduled", "throttled")
    assert went["status"] == "published"
    assert [post["text"] for post in sandbox.public("linkedin")] == ["From outsider."]
