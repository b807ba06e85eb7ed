"""Refusals while publishing: whose trouble it is decides what waits, who is told, and what is never called again."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing.accounts import connect_account
from draggonnb_pipelines.workflows.publishing.publishing import publish_due
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows, tenant_rows, variant
from tests.workflows.publish_work import (
    SQUARE,
    account_id_of,
    approve,
    connect,
    make_due,
    posts_used,
    publish,
    queue,
    statuses,
)

FEED = "POST /graph/{version}/{page}/feed"
TWEETS = "POST /x/2/tweets"
OWNER = "sales@draggonnb.example"


async def account(stack: Stack, organization: Organization, platform: Platform) -> dict[str, Any]:
    [row] = await tenant_rows(
        stack, organization, "select * from social_accounts where platform_id = %s", str(platform)
    )
    return row


def posted(sandbox: Sandbox, platform: Platform) -> list[str]:
    return [post["text"] for post in sandbox.public(platform)]


def alerts(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(mail["recipient"], mail["subject"].strip()) for mail in sandbox.public("mail")]


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"kind": "expired_token"}, "reconnect_needed", "must be connected again"),
        ({"kind": "graph_error", "code": 200, "status": 403}, "permission_missing", "lacks a permission"),
        ({"kind": "graph_error", "code": 368}, "blocked", "is blocked by the network"),
    ],
)
async def test_an_account_that_is_refused_is_marked_its_posts_wait_and_the_owner_hears_which_ones(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox, fault: dict[str, Any], status: str,
    words: str,
) -> None:  # fmt: skip
    await connect(stack, agency, Platform.FACEBOOK, Platform.X)
    today = await approve(stack, agency, "Today.", platforms=("facebook", "x"))
    next_week = await approve(stack, agency, "Next week.", platforms=("facebook",), late=timedelta(days=-7))
    await tenant_rows(stack, agency, "update social_posts set title = 'The ' || content")
    sandbox.faults(FEED, fault)

    await publish(stack, agency)
    await make_due(stack, agency)
    again = await publish(stack, agency)

    page = await account(stack, agency, Platform.FACEBOOK)
    assert page["status"] == status
    assert (await account(stack, agency, Platform.X))["status"] == "connected"
    rows = {(row["post_id"], row["platform_id"]): row for row in await queue(stack, agency)}
    assert {place: row["status"] for place, row in rows.items()} == {
        (today, "facebook"): "scheduled",
        (today, "x"): "published",
        (next_week, "facebook"): "scheduled",
    }
    assert (rows[today, "facebook"]["attempts"], rows[next_week, "facebook"]["attempts"]) == (1, 0)
    assert rows[today, "facebook"]["tries"] == 0
    assert (again.tally.published, posted(sandbox, Platform.FACEBOOK)) == (0, [])
    assert alerts(sandbox) == [(OWNER, f"The Facebook page @draggonnb {words}: 2 posts at risk")]
    text = sandbox.public("mail")[0]["text"]
    assert text.index("The Today.") < text.index("The Next week.")
    assert await queue(stack, outsider) == []


async def test_an_account_that_was_connected_again_publishes_what_waited(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    page = account_id_of(agency, Platform.FACEBOOK)
    await connect_account(stack, agency, Platform.FACEBOOK, page, token="given-by-a-person")
    sandbox.social_account("facebook", page, "given-by-a-person")
    sandbox.social_revoke("facebook", "given-by-a-person")
    await approve(stack, agency, "It waited.", platforms=("facebook",))
    await publish(stack, agency)
    assert (await account(stack, agency, Platform.FACEBOOK))["status"] == "reconnect_needed"
    await master_rows(stack, "update publishing_agenda set next_due_at = 'infinity'")

    await connect(stack, agency, Platform.FACEBOOK)
    due = await master_rows(stack, "select organization_id from publishing_agenda where next_due_at <= now()")
    await make_due(stack, agency)
    await publish(stack, agency)

    assert due == [{"organization_id": agency.id}]
    assert statuses(await queue(stack, agency)) == {"facebook": "published"}
    assert posted(sandbox, Platform.FACEBOOK) == ["It waited."]


async def test_a_blocked_account_is_tried_again_after_a_day_and_not_before(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Too much for X.", platforms=("x",))
    sandbox.faults(TWEETS, {"kind": "user_suspended"})
    await publish(stack, agency)
    blocked = await account(stack, agency, Platform.X)
    await make_due(stack, agency)
    await publish(stack, agency)
    assert posted(sandbox, Platform.X) == []

    await tenant_rows(stack, agency, "update social_accounts set paused_until = now() - interval '1 second'")
    await make_due(stack, agency)
    await publish(stack, agency)

    assert blocked["status"] == "blocked"
    assert abs(blocked["paused_until"] - stack.now() - timedelta(hours=24)) < timedelta(minutes=1)
    assert posted(sandbox, Platform.X) == ["Too much for X."]


async def test_a_storage_that_refuses_our_key_is_not_held_against_the_account_or_the_network(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.INSTAGRAM, Platform.FACEBOOK)
    await approve(stack, agency, "With a picture.", platforms=("instagram",))
    await approve(stack, agency, "Without.", platforms=("facebook",))
    refused = {"kind": "status", "status": 403, "times": 2}
    sandbox.faults("POST /supabase/storage/v1/object/sign/*", refused)

    await publish(stack, agency)

    rows = {row["platform_id"]: row for row in await queue(stack, agency)}
    assert (rows["instagram"]["status"], rows["instagram"]["attempts"]) == ("scheduled", 0)
    assert rows["facebook"]["status"] == "published"
    page = await account(stack, agency, Platform.INSTAGRAM)
    assert (page["status"], page["paused_until"]) == ("connected", None)
    assert await master_rows(stack, "select vendor from app_quotas where stopped_reason is not null") == []
    assert alerts(sandbox) == []
    assert [call for call in sandbox.journal("instagram") if call["method"] == "POST"] == []


async def test_uploads_that_x_no_longer_knows_are_made_again(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "With a picture.", platforms=("x",), media=[SQUARE])
    await enqueue_ready(stack, agency)
    await tenant_rows(
        stack,
        agency,
        "update content_queue set progress ="
        """ '{"media": [{"id": "9", "sent": 1, "is_processing": false, "is_ready": true}], "restarts": 0}'""",
    )

    await publish(stack, agency)
    [refused] = await queue(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)

    assert (refused["status"], refused["tries"], refused["progress"]) == ("scheduled", 1, {})
    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 2)
    [post] = sandbox.public("x")
    assert (post["text"], len(post["media"])) == ("With a picture.", 1)


async def test_words_that_linkedin_refuses_as_a_repetition_of_a_ghost_become_a_question(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.LINKEDIN)
    await approve(stack, agency, "Seen before.", platforms=("linkedin",))
    sandbox.faults("POST /linkedin/rest/posts", {"kind": "ghost_duplicate"})

    client = await publish(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"], client.tally.held) == ("needs_review", 1, 1)
    assert row["question"].startswith("The platform refuses these words as a repetition of urn:li:")
    assert sandbox.public("linkedin") == []


async def test_words_that_facebook_has_already_are_refused_and_name_no_post_of_ours(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    await approve(stack, agency, "Said by hand this morning.", platforms=("facebook",))
    sandbox.faults(FEED, {"kind": "graph_error", "code": 506})

    await publish(stack, agency)
    for _ in range(3):
        await make_due(stack, agency)
        await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"], row["platform_post_id"]) == ("refused", 1, None)
    assert row["last_error"].endswith("no call of ours put them there: look at the account")
    assert sandbox.public("facebook") == []
    assert await posts_used(stack, agency) == (0, 0)


async def test_an_outcome_is_stored_although_the_clients_database_goes_away_for_a_moment(
    stack: Stack, agency: Organization, sandbox: Sandbox, world: Any
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "The answer waits.", platforms=("x",))
    await enqueue_ready(stack, agency)
    sandbox.settings(social_latency_seconds=1.0)

    run = asyncio.create_task(publish_due(stack, str(uuid4()), [agency.slug]))
    await asyncio.wait_for(until_called(stack, agency), 20)
    await away(world.dsn, agency, seconds=1.8)
    [client] = await run

    [row] = await queue(stack, agency)
    assert (client.problem, client.tally.published) == (None, 1)
    assert (row["status"], row["attempts"]) == ("published", 1)
    assert posted(sandbox, Platform.X) == ["The answer waits."]


async def until_called(stack: Stack, organization: Organization) -> None:
    """Until the one row stands between its intent and its answer."""
    while True:
        if [row["status"] for row in await queue(stack, organization)] == ["calling"]:
            return
        await asyncio.sleep(0.02)


async def away(master_dsn: str, organization: Organization, *, seconds: float) -> None:
    """Nobody gets into the client's database for so long, and whoever is in is thrown out."""
    database = Identifier(str(organization.database_name))
    async with await psycopg.AsyncConnection.connect(master_dsn, autocommit=True) as conn:
        await conn.execute(SQL("alter database {} allow_connections false").format(database))
        try:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                [organization.database_name],
            )
            await asyncio.sleep(seconds)
        finally:
            await conn.execute(SQL("alter database {} allow_connections true").format(database))


async def test_preparing_that_takes_long_is_gone_on_with_by_the_next_run_from_what_is_stored(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draggonnb_pipelines.workflows.publishing.publish_calls.PREPARE_SECONDS", 0.5)
    sandbox.settings(instagram_container_seconds=2.0)
    await connect(stack, agency, Platform.INSTAGRAM)
    await approve(stack, agency, "A slow picture.", platforms=("instagram",))

    first = await publish(variant(stack, publish_ahead_seconds=0.0), agency)
    [waiting] = await queue(stack, agency)
    await asyncio.sleep(2.0)
    await make_due(stack, agency)
    await publish(stack, agency)

    assert (waiting["status"], waiting["attempts"], waiting["tries"]) == ("scheduled", 0, 0)
    assert waiting["progress"] != {}
    assert waiting["due_at"] > waiting["db_now"]
    assert (first.tally.published, first.tally.rescheduled) == (0, 1)
    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 1)
    assert [post["text"] for post in sandbox.public("instagram")] == ["A slow picture."]
    containers = [
        call for call in sandbox.journal("instagram") if call["path"].endswith("/media") and call["method"] == "POST"
    ]
    assert len(containers) == 1
