"""What went out between a backup and the restore does not go out a second time: a person is asked."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.database_names import drop
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.restores import Restored, drop_old, restore_tenant
from draggonnb_pipelines.workflows.publishing.publish_questions import answer_question
from tests.sandbox_process import Sandbox
from tests.workflows.backup_work import BY, dsn_of, rows
from tests.workflows.publish_work import approve, connect, make_due, publish, queue

SLUG = "kloof-coffee"
IN_THE_FUTURE = timedelta(hours=-2)


def public(sandbox: Sandbox) -> list[str]:
    return sorted(post["text"] for post in sandbox.public("x"))


async def on_the_queue(stack: Stack, client: Organization, text: str, late: timedelta = timedelta(minutes=1)) -> None:
    await approve(stack, client, text, platforms=("x",), late=late)
    await enqueue_ready(stack, client)


async def restore(stack: Stack, client: Organization) -> Restored:
    """Restore, and let the idle connections that were sent away be noticed, as the next run does."""
    done = await restore_tenant(stack, SLUG, by=BY)
    for _ in range(20):
        with contextlib.suppress(TenantUnavailable):
            async with stack.tenants.open(client) as tenant:
                await tenant.conn.execute("select")
    return done


async def test_a_post_that_went_out_after_the_backup_becomes_a_question(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await on_the_queue(backup_stack, client, "Fresh roast")
    await back_up_all(backup_stack, by=BY)
    await publish(backup_stack, client)
    assert public(sandbox) == ["Fresh roast"]

    done = await restore(backup_stack, client)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Fresh roast"]
    assert done.held_posts == 1
    [row] = await queue(backup_stack, client)
    assert (row["status"], row["attempts"]) == ("needs_review", 1)
    assert str(row["question"]).startswith("This client was restored from a backup of ")

    await answer_question(backup_stack, client, row["id"], "published", by=BY)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Fresh roast"]
    assert [row["status"] for row in await queue(backup_stack, client)] == ["published"]


async def test_a_person_who_does_not_find_it_lets_it_go_out_once(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await on_the_queue(backup_stack, client, "Fresh roast")
    await back_up_all(backup_stack, by=BY)
    await restore(backup_stack, client)
    [row] = await queue(backup_stack, client)

    await answer_question(backup_stack, client, row["id"], "not-published", by=BY)
    await publish(backup_stack, client)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Fresh roast"]


async def test_what_is_still_to_come_stays_on_the_queue_and_goes_out_at_its_time(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await on_the_queue(backup_stack, client, "Tomorrow", IN_THE_FUTURE)
    await back_up_all(backup_stack, by=BY)

    done = await restore(backup_stack, client)
    await publish(backup_stack, client)
    assert (done.held_posts, public(sandbox)) == (0, [])
    await make_due(backup_stack, client)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Tomorrow"]


async def test_a_post_that_was_moved_forward_after_the_backup_is_held_too(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await on_the_queue(backup_stack, client, "Tomorrow", IN_THE_FUTURE)
    await back_up_all(backup_stack, by=BY)
    rows(dsn_of(backup_stack, client), "update social_posts set scheduled_for = now() - interval '1 minute'")
    await publish(backup_stack, client)
    assert public(sandbox) == ["Tomorrow"]

    done = await restore(backup_stack, client)
    await make_due(backup_stack, client)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Tomorrow"]
    assert done.held_posts == 1


async def test_without_the_old_ledger_what_is_due_is_held_and_what_is_to_come_stays(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await on_the_queue(backup_stack, client, "Today")
    await on_the_queue(backup_stack, client, "Tomorrow", IN_THE_FUTURE)
    await back_up_all(backup_stack, by=BY)
    await publish(backup_stack, client)
    await drop(backup_stack.master.dsn, str(client.database_name))

    done = await restore(backup_stack, client)
    await publish(backup_stack, client)

    assert (done.held_posts, public(sandbox)) == (1, ["Today"])
    by_text = {row["payload"]["text"]: row["status"] for row in await queue(backup_stack, client)}
    assert by_text == {"Today": "needs_review", "Tomorrow": "scheduled"}


async def test_a_call_that_was_under_way_is_read_back_and_not_repeated(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await on_the_queue(backup_stack, client, "Fresh roast")
    await publish(backup_stack, client)
    calling = """update content_queue set status = 'calling', lease_until = now(), published_at = null,
                 platform_post_id = null, platform_url = null"""
    rows(dsn_of(backup_stack, client), calling)
    rows(dsn_of(backup_stack, client), "update social_posts set status = 'scheduled'")
    await back_up_all(backup_stack, by=BY)

    await restore(backup_stack, client)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Fresh roast"]
    assert [row["status"] for row in await queue(backup_stack, client)] == ["published"]


async def test_an_approved_post_whose_time_is_over_is_approved_anew(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await approve(backup_stack, client, "Fresh roast", platforms=("x",), late=timedelta(minutes=1))
    await back_up_all(backup_stack, by=BY)
    await publish(backup_stack, client)

    await restore(backup_stack, client)
    await publish(backup_stack, client)

    assert public(sandbox) == ["Fresh roast"]
    assert await queue(backup_stack, client) == []
    found = rows(dsn_of(backup_stack, client), "select status, approved_hash, last_error from social_posts")
    assert found == [
        {
            "status": "blocked",
            "approved_hash": None,
            "last_error": "restored from a backup: look whether it is public, then approve it anew",
        }
    ]


AS_REVIEWED = "update social_posts set status = %s, approved_hash = null, approved_at = null, approved_by = null"
APPROVED = "update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now()"
POSTS = "select status, last_error from social_posts"
HELD = {"status": "blocked", "last_error": "restored from a backup: look whether it is public, then approve it anew"}


@pytest.mark.parametrize("status", ["draft", "in_review", "changes_requested"])
async def test_a_post_that_was_approved_and_went_out_after_the_backup_is_held_before_it_is_approved_again(
    backup_stack: Stack, client: Organization, sandbox: Sandbox, status: str
):
    await connect(backup_stack, client, Platform.X)
    await approve(backup_stack, client, "Fresh roast", platforms=("x",), late=timedelta(minutes=1))
    rows(dsn_of(backup_stack, client), AS_REVIEWED, status)
    await back_up_all(backup_stack, by=BY)
    rows(dsn_of(backup_stack, client), APPROVED)
    await publish(backup_stack, client)
    assert public(sandbox) == ["Fresh roast"]

    await restore(backup_stack, client)

    assert rows(dsn_of(backup_stack, client), POSTS) == [HELD]
    assert public(sandbox) == ["Fresh roast"]


async def test_a_post_in_review_that_has_not_been_on_the_queue_stays_in_review(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await approve(backup_stack, client, "Fresh roast", platforms=("x",), late=timedelta(minutes=1))
    rows(dsn_of(backup_stack, client), AS_REVIEWED, "in_review")
    await back_up_all(backup_stack, by=BY)

    await restore(backup_stack, client)

    assert rows(dsn_of(backup_stack, client), POSTS) == [{"status": "in_review", "last_error": None}]
    assert public(sandbox) == []


async def test_without_the_old_ledger_what_is_in_review_and_due_is_held_too(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    await connect(backup_stack, client, Platform.X)
    await approve(backup_stack, client, "Fresh roast", platforms=("x",), late=timedelta(minutes=1))
    await approve(backup_stack, client, "Tomorrow", platforms=("x",), late=IN_THE_FUTURE)
    rows(dsn_of(backup_stack, client), AS_REVIEWED, "in_review")
    await back_up_all(backup_stack, by=BY)
    await drop(backup_stack.master.dsn, str(client.database_name))

    await restore(backup_stack, client)

    found = rows(dsn_of(backup_stack, client), POSTS + " order by scheduled_for")
    assert found == [HELD, {"status": "in_review", "last_error": None}]


async def test_messages_that_were_about_to_go_are_not_sent_again(
    backup_stack: Stack, client: Organization, sandbox: Sandbox
):
    put = """insert into notification_deliveries (event_key, recipient, channel, not_before)
             values (%s, 'thandi@example.com', 'email', %s)"""
    rows(dsn_of(backup_stack, client), put, "due", "-infinity")
    rows(dsn_of(backup_stack, client), put, "due in seconds", datetime.now(UTC) + timedelta(seconds=40))
    rows(dsn_of(backup_stack, client), put, "for the digest", "infinity")
    await back_up_all(backup_stack, by=BY)

    await restore(backup_stack, client)

    found = rows(dsn_of(backup_stack, client), "select event_key, status from notification_deliveries order by 1")
    assert found == [
        {"event_key": "due", "status": "needs_review"},
        {"event_key": "due in seconds", "status": "needs_review"},
        {"event_key": "for the digest", "status": "pending"},
    ]
    await drop_old(backup_stack, SLUG, by=BY)
