"""A post that is changed or held after its approval: old words stop, new ones go where the old are not public."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows
from tests.workflows.publish_work import approve, connect, post_row, posts_used, publish, queue, statuses

OWNERS_LOGIN = "7e1b6a52-0c1d-4f0e-9d3a-2f0f6f8f2c11"


@pytest.fixture(autouse=True)
async def untouched(stack: Stack, outsider: Organization) -> AsyncIterator[None]:
    """The outsider approves a post of its own, which nobody takes up."""
    post_id = await approve(stack, outsider, "The outsider's.", platforms=("x",))
    yield
    assert await queue(stack, outsider) == []
    assert await post_row(stack, outsider, post_id, "status") == {"status": "approved"}


async def test_a_new_revision_goes_only_where_the_old_one_is_not_public(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X, Platform.FACEBOOK)
    post_id = await approve(stack, agency, "Old words.", platforms=("x", "facebook"))
    sandbox.faults("POST /graph/{version}/{page}/feed", {"kind": "graph_error", "code": 100})
    await publish(stack, agency)
    assert statuses(await queue(stack, agency)) == {"facebook": "refused", "x": "published"}

    await change_words(stack, agency, post_id, "New words.")
    await publish(stack, agency)

    assert [post["text"] for post in sandbox.public("x")] == ["Old words."]
    assert [post["text"] for post in sandbox.public("facebook")] == ["New words."]
    rows = {(row["platform_id"], row["revision"]): row["status"] for row in await queue(stack, agency)}
    assert set(rows.values()) == {"refused", "published"}
    assert len(rows) == 3


async def test_a_revision_of_what_is_public_everywhere_is_not_repeated(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    post_id = await approve(stack, agency, "Old words.", platforms=("x",))
    await publish(stack, agency)

    await change_words(stack, agency, post_id, "New words.")
    await publish(stack, agency)

    assert await post_row(stack, agency, post_id, "status, last_error") == {
        "status": "blocked",
        "last_error": "an earlier revision is public on x",
    }
    assert [post["text"] for post in sandbox.public("x")] == ["Old words."]


async def test_a_scheduled_post_that_is_held_comes_off_the_queue_and_goes_out_once_when_it_is_approved_again(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    post_id = await approve(stack, agency, "Wait a moment.", platforms=("x",), late=timedelta(minutes=1))
    await enqueue_ready(stack, agency)

    stored = await post_row(stack, agency, post_id, "content_hash")
    refuse = "select request_post_changes(%s, %s, 'Not yet.')"
    await in_the_dashboard(stack, agency, refuse, post_id, stored["content_hash"])
    held = await publish(stack, agency)
    assert (held.tally.published, sandbox.public("x")) == (0, [])
    assert [row["status"] for row in await queue(stack, agency)] == ["cancelled"]
    assert await posts_used(stack, agency) == (0, 0)
    await in_the_dashboard(stack, agency, "select submit_post(%s)", post_id)
    await in_the_dashboard(stack, agency, "select approve_post(%s, %s)", post_id, stored["content_hash"])
    await publish(stack, agency)
    await publish(stack, agency)

    assert sorted(row["status"] for row in await queue(stack, agency)) == ["cancelled", "published"]
    assert await post_row(stack, agency, post_id, "status") == {"status": "published"}
    assert [post["text"] for post in sandbox.public("x")] == ["Wait a moment."]
    assert await posts_used(stack, agency) == (1, 0)


async def change_words(stack: Stack, organization: Organization, post_id: UUID, text: str) -> None:
    """An editor writes other words, and they are approved."""
    variants = {name: {"text": text} for name in ("x", "facebook")}
    await tenant_rows(
        stack, organization, "update social_posts set variants = %s where id = %s", Jsonb(variants), post_id
    )
    await tenant_rows(
        stack,
        organization,
        "update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now() where id = %s",
        post_id,
    )


async def in_the_dashboard(stack: Stack, organization: Organization, query: str, *values: object) -> None:
    """As the owner, signed in."""
    await tenant_rows(stack, organization, "update users set auth_user_id = %s where role = 'owner'", OWNERS_LOGIN)
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        claims = json.dumps({"role": "authenticated", "sub": OWNERS_LOGIN})
        await tenant.conn.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        await tenant.conn.execute(query.encode(), values)
