"""Nothing goes round for ever: no call is repeated without a pause, and no look finds something due that is not."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing import publish_line, publishing
from draggonnb_pipelines.workflows.publishing.accounts import connect_account
from draggonnb_pipelines.workflows.publishing.publish_quotas import AGENDA
from draggonnb_pipelines.workflows.publishing.publishing import plan_run
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import account_id_of, approve, connect, publish, queue


def calls(sandbox: Sandbox, path: str) -> int:
    """How many posts the network was asked to make."""
    return sum(call["method"] == "POST" and call["path"].endswith(path) for call in sandbox.journal())


async def change(stack: Stack, organization: Organization, statement: str) -> None:
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute(statement)  # pyright: ignore[reportCallIssue, reportArgumentType]


async def test_a_token_that_is_refused_while_somebody_renews_it_is_not_shown_again_and_again(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    user = account_id_of(agency, Platform.X)
    await connect_account(stack, agency, Platform.X, user, token=f"sandbox-{user}", refresh_token="once")
    await approve(stack, agency, "With an old token.", platforms=("x",))
    lease = "refresh_started_at = now(), lease_until = now() + interval '3 minutes'"
    await change(stack, agency, f"update social_accounts set {lease}")
    sandbox.faults("POST /x/2/tweets", {"kind": "status", "status": 401}, repeat=True)

    client = await asyncio.wait_for(publish(stack, agency), 20)

    sandbox.clear_faults()
    [row] = await queue(stack, agency)
    assert client.problem is None
    assert calls(sandbox, "/2/tweets") == 1
    assert (row["status"], row["error_class"]) == ("scheduled", "auth")
    assert timedelta(seconds=5) < row["due_at"] - row["db_now"] <= timedelta(minutes=2)


async def test_every_state_that_waits_leaves_an_agenda_that_is_not_due_again_at_once(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    """A row that is due by the agenda and claimable by nobody would start run after run, for ever."""
    made = await connect(stack, agency, Platform.X)
    states = (
        "update social_accounts set status = 'reconnect_needed'",
        "update social_accounts set paused_until = now() + interval '1 hour'",
        "update social_accounts set status = 'blocked', paused_until = now() + interval '1 hour'",
        "update social_posts set status = 'archived'",
        "update social_posts set status = 'in_review', approved_hash = null, approved_by = null, approved_at = null",
        "update content_queue set status = 'needs_review', question = 'Well?' where part = 0",
        "update content_queue set status = 'refused' where part = 0",
        "update content_queue set status = 'claimed', run_id = 'dead', lease_until = now() - interval '1 day'",
        "update content_queue set status = 'unknown', attempts = 1, absences = 0",
        "update organizations set late_posts = 'ask', late_after_minutes = 1",
        "update content_queue set revision = 7",
    )
    for state in states:
        await change(stack, agency, "delete from content_queue")
        await change(stack, agency, "update organizations set late_posts = 'publish'")
        await change(stack, agency, "delete from social_posts")
        await change(stack, agency, "update social_accounts set status = 'connected', paused_until = null")
        await approve(stack, agency, f"{state}", platforms=("x",), late=timedelta(hours=3), thread=["More."])
        await enqueue_ready(stack, agency)
        await change(stack, agency, state)
        async with stack.master.connection() as conn:
            await conn.execute("delete from publishing_agenda")
            await AGENDA.note_due(conn, organization_id=agency.id, at=stack.now())

        for _ in range(3):
            await plan_run(stack, "a-run")
            await publish(stack, agency)

        async with stack.master.connection() as conn:
            ahead = stack.settings.publish_ahead_seconds
            due = await AGENDA.count_due(conn, ahead_seconds=ahead, shards=1, shard=0)
        assert due == 0, state
    assert made


async def test_a_worker_whose_clock_is_behind_does_not_ask_for_run_after_run_while_a_network_is_closed(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:

    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Later.", platforms=("x",))
    behind = dataclasses.replace(stack, now=lambda: stack.now() - timedelta(hours=5))
    async with stack.master.connection() as conn:
        at = stack.now() + timedelta(hours=1)
        await AGENDA.note_quota(conn, vendor="x", remaining=0, used_percent=None, resume_at=at)

    await publish(behind, agency)

    async with stack.master.connection() as conn:
        ahead = stack.settings.publish_ahead_seconds
        assert await AGENDA.count_due(conn, ahead_seconds=ahead, shards=1, shard=0) == 0
    assert sandbox.public("x") == []


async def test_a_run_ends_in_time_and_leaves_the_rest_due_for_the_next(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: Any
) -> None:
    """One client's backlog must not keep a run alive for ever."""
    monkeypatch.setattr(publish_line, "RUN_SECONDS", 0.0)
    for name, value in (("TURN_SECONDS", 0.0), ("CHUNK_ROWS", 2)):
        monkeypatch.setattr(publishing, name, value)
    await connect(stack, agency, Platform.X)
    for number in range(5):
        await approve(stack, agency, f"Post {number}.", platforms=("x",))
    ahead = {"ahead_seconds": stack.settings.publish_ahead_seconds, "shards": 1, "shard": 0}

    counts = []
    for _ in range(3):
        client = await publish(stack, agency)
        async with stack.master.connection() as conn:
            counts.append((client.tally.published, await AGENDA.count_due(conn, **ahead)))

    assert counts == [(2, 1), (2, 1), (1, 0)]
    assert len(sandbox.public("x")) == 5
