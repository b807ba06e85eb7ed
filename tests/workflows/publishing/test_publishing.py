"""Publishing: what is due goes out once, whatever the platforms answer."""

from datetime import timedelta
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows
from tests.workflows.publish_work import approve, connect, make_due, publish, queue, statuses

PUBLISH_ROUTES = {
    "facebook": "POST /graph/{version}/{page}/feed",
    "linkedin": "POST /linkedin/rest/posts",
    "x": "POST /x/2/tweets",
}


def words(sandbox: Sandbox, platform: str) -> list[str]:
    return [post["text"] for post in sandbox.public(platform) if not post["deleted"]]


async def test_an_approved_post_appears_once_on_all_four_networks(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency)
    post_id = await approve(stack, agency, "Fresh beans from the roastery, today until noon.")

    client = await publish(stack, agency)

    assert client.problem is None
    assert client.tally.published == 4
    rows = await queue(stack, agency)
    assert statuses(rows) == dict.fromkeys(("facebook", "instagram", "linkedin", "x"), "published")
    for platform in ("facebook", "instagram", "linkedin", "x"):
        assert words(sandbox, platform) == ["Fresh beans from the roastery, today until noon."]
    assert all(row["platform_url"].startswith("http://127.0.0.1") for row in rows)
    assert all(row["attempts"] == 1 for row in rows)
    async with stack.tenants.open(agency) as tenant:
        found = await tenant.conn.execute("select status from social_posts where id = %s", (post_id,))
        assert [row["status"] for row in await found.fetchall()] == ["published"]
    assert await queue(stack, outsider) == []


async def test_publishing_again_finds_nothing_to_do(stack: Stack, agency: Organization, sandbox: Sandbox) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Once is enough.", platforms=("x",))
    await publish(stack, agency)

    again = await publish(stack, agency)

    assert again.tally.published == 0
    assert words(sandbox, "x") == ["Once is enough."]


@pytest.mark.parametrize("platform", ["facebook", "linkedin", "x"])
async def test_an_answer_that_is_lost_after_acceptance_is_settled_by_reading_the_platform(
    stack: Stack, agency: Organization, sandbox: Sandbox, platform: str
) -> None:
    await connect(stack, agency, Platform(platform))
    await approve(stack, agency, "Lost on the way back.", platforms=(platform,))
    sandbox.faults(PUBLISH_ROUTES[platform], {"kind": "accept_then_drop"})

    await publish(stack, agency)
    [lost] = await queue(stack, agency)
    assert lost["status"] == "unknown"
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    [seen] = sandbox.public(platform)
    assert (row["status"], row["attempts"], row["platform_post_id"]) == ("published", 1, seen["id"])
    assert words(sandbox, platform) == ["Lost on the way back."]


@pytest.mark.parametrize("platform", ["facebook", "linkedin", "x"])
async def test_a_call_that_never_arrived_is_made_again_after_the_platform_was_read_twice(
    stack: Stack, agency: Organization, sandbox: Sandbox, platform: str
) -> None:
    await connect(stack, agency, Platform(platform))
    await approve(stack, agency, "Lost on the way there.", platforms=(platform,))
    sandbox.faults(PUBLISH_ROUTES[platform], {"kind": "drop_before_accept"})

    await publish(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)
    assert words(sandbox, platform) == []
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 2)
    assert words(sandbox, platform) == ["Lost on the way there."]


async def test_an_instagram_container_that_was_published_unseen_is_found_and_not_published_again(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.INSTAGRAM)
    await approve(stack, agency, "One picture.", platforms=("instagram",))
    sandbox.faults("POST /graph/{version}/{account}/media_publish", {"kind": "accept_then_status", "status": 500})

    await publish(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 1)
    assert words(sandbox, "instagram") == ["One picture."]


async def test_a_run_that_died_between_intent_and_answer_leaves_a_row_that_is_read_back(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Is it out?", platforms=("x",))
    await publish(stack, agency)
    async with stack.tenants.open(agency) as tenant:
        # As a killed run leaves it: the intent stands, the id of what it made is nowhere.
        await tenant.conn.execute(
            "update content_queue set status = 'calling', platform_post_id = null, published_at = null, "
            "lease_until = now() + interval '1 hour', run_id = 'dead-run'"
        )

    await publish(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 1)
    assert words(sandbox, "x") == ["Is it out?"]


async def test_a_throttled_account_waits_for_its_window_and_others_go_on(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X, Platform.FACEBOOK)
    await approve(stack, agency, "Too fast.", platforms=("x", "facebook"))
    sandbox.faults("POST /x/2/tweets", {"kind": "rate_limit", "retry_after": 600})

    await publish(stack, agency)

    rows = {row["platform_id"]: row for row in await queue(stack, agency)}
    assert rows["facebook"]["status"] == "published"
    assert rows["x"]["status"] == "scheduled"
    assert timedelta(seconds=590) < rows["x"]["due_at"] - rows["x"]["db_now"] < timedelta(seconds=610)
    assert rows["x"]["tries"] == 0
    assert words(sandbox, "x") == []


async def test_a_thread_and_a_first_comment_follow_their_post_in_order(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X, Platform.FACEBOOK)
    await approve(stack, agency, "First.", platforms=("x",), thread=["Second.", "Third."])
    await approve(stack, agency, "A post.", platforms=("facebook",), first_comment="More: https://example.com/more")

    await publish(stack, agency)

    first, second, third = sandbox.public("x")
    assert [first["parent"], second["parent"], third["parent"]] == [None, first["id"], second["id"]]
    post, comment = sandbox.public("facebook")
    assert (comment["text"], comment["parent"]) == ("More: https://example.com/more", post["id"])


async def test_a_refused_post_says_why_and_takes_its_thread_with_it(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Nobody minds.", platforms=("x",), thread=["Never to be seen."])
    await enqueue_ready(stack, agency)
    await tenant_rows(
        stack,
        agency,
        "update content_queue set payload = jsonb_set(payload, '{text}', to_jsonb(repeat('x', 300))) where part = 0",
    )

    await publish(stack, agency)

    post, reply = await queue(stack, agency)
    assert (post["status"], post["error_class"], reply["status"]) == ("refused", "input", "cancelled")
    assert sandbox.public("x") == []


async def test_an_edit_after_approval_takes_the_old_revision_off_the_queue(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    post_id = await approve(stack, agency, "The old words.", platforms=("x",), late=timedelta(hours=-1))
    await publish(stack, agency)
    async with stack.tenants.open(agency) as tenant:
        await tenant.conn.execute(
            'update social_posts set variants = \'{"x": {"text": "The new words."}}\' where id = %s', (post_id,)
        )
    await make_due(stack, agency)

    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert row["status"] == "cancelled"
    assert sandbox.public("x") == []


@pytest.mark.parametrize(("policy", "status"), [("ask", "needs_review"), ("drop", "dropped"), ("publish", "published")])
async def test_a_post_that_is_too_late_follows_the_organizations_rule(
    stack: Stack, agency: Organization, sandbox: Sandbox, policy: str, status: str
) -> None:
    await connect(stack, agency, Platform.X)
    async with stack.tenants.open(agency) as tenant:
        await tenant.conn.execute("update organizations set late_posts = %s, late_after_minutes = 60", (policy,))
    await approve(stack, agency, "Yesterday's news.", platforms=("x",), late=timedelta(hours=5))

    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert row["status"] == status
    assert len(sandbox.public("x")) == (1 if status == "published" else 0)


async def test_a_living_runs_rows_are_left_alone(stack: Stack, agency: Organization, sandbox: Sandbox) -> None:
    from draggonnb_pipelines.workflows.publishing.agenda import showing_life

    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "In another run's hands.", platforms=("x",))
    other = str(uuid4())
    await publish_nothing_yet(stack, agency, other)

    async with showing_life(stack.master, other):
        await publish(stack, agency)
        [row] = await queue(stack, agency)

    assert (row["status"], row["run_id"]) == ("calling", other)
    assert sandbox.public("x") == []


async def publish_nothing_yet(stack: Stack, organization: Organization, run_id: str) -> None:
    """A run between its intent and its call, its lease long over."""
    from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready

    await enqueue_ready(stack, organization)
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute(
            "update content_queue set status = 'calling', run_id = %s, attempts = 1, payload_hash = 'h', "
            "attempt_started_at = now(), first_attempt_at = now(), lease_until = now() - interval '1 day'",
            (run_id,),
        )
