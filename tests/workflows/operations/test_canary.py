"""The canary: a post goes the whole way by the ordinary publisher, is seen at the network, and is gone again."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.operations import canary
from draggonnb_pipelines.workflows.operations.canary import fly_canary
from draggonnb_pipelines.workflows.publishing.publishing import plan_run, publish_due
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows
from tests.workflows.publish_work import approve, connect, posts_used, publish, queue


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "POLL_SECONDS", 0.05)


async def caged(stack: Stack, agency: Organization, platform: Platform = Platform.X) -> tuple[Stack, UUID]:
    """The stack whose canary has an account of this network."""
    account_id = (await connect(stack, agency, platform))[platform]
    settings = stack.settings.model_copy(update={"canary_account": account_id})
    return dataclasses.replace(stack, settings=settings), account_id


@asynccontextmanager
async def publisher(stack: Stack) -> AsyncIterator[None]:
    """What sensor and daemon do: while something is due by the agenda, a run for it."""

    async def work() -> None:
        while True:
            run_id = str(uuid4())
            if busy := await plan_run(stack, run_id):
                await publish_due(stack, run_id, list(busy))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("platform", [Platform.X, Platform.FACEBOOK, Platform.LINKEDIN])
async def test_a_post_becomes_public_is_seen_and_is_gone_again(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox, platform: Platform
) -> None:
    stack, account_id = await caged(stack, agency, platform)

    async with publisher(stack):
        outcome = await fly_canary(stack, patience_seconds=20)

    assert (outcome.passed, outcome.description.partition(" after ")[0]) == (True, f"public on {platform}")
    assert 0 < float(str(outcome.metadata["public after (s)"])) < 20
    [row] = await queue(stack, agency)
    assert (row["status"], row["account_id"], row["attempts"], row["undo_by"]) == ("undone", account_id, 1, "canary")
    assert row["payload"]["text"].startswith("We are testing our own publishing, ")
    # It was public once, and is not now.
    assert [(post["text"], post["deleted"]) for post in sandbox.public(str(platform))] == [
        (row["payload"]["text"], True)
    ]
    assert await tenant_rows(stack, agency, "select title from social_posts") == [{"title": "Canary"}]
    assert await posts_used(stack, agency) == (0, 0)
    assert await queue(stack, outsider) == []


async def test_without_an_account_nothing_is_published_and_that_is_said(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)

    outcome = await fly_canary(stack)

    assert outcome.passed
    assert outcome.description == "nothing was published: no account is the canary's (DRAGGONNB_CANARY_ACCOUNT)"
    assert await queue(stack, agency) == []


async def test_a_publisher_that_does_not_come_fails_the_check_and_the_post_never_goes_out_late(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    stack, _ = await caged(stack, agency)

    outcome = await fly_canary(stack, patience_seconds=0.2)
    await publish(stack, agency)

    assert not outcome.passed
    assert outcome.description.endswith(
        "the post is scheduled: no run has taken it: look at the daemon and the queue of runs"
    )
    assert [row["status"] for row in await queue(stack, agency)] == ["cancelled"]
    assert sandbox.public("x") == []


async def test_a_network_that_refuses_fails_the_check_with_its_reason(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    stack, _ = await caged(stack, agency)
    sandbox.faults("POST /x/2/tweets", {"kind": "status", "status": 400})

    async with publisher(stack):
        outcome = await fly_canary(stack, patience_seconds=20)

    assert not outcome.passed
    assert "the post is refused: " in outcome.description
    assert sandbox.public("x") == []


async def test_what_a_killed_canary_left_is_taken_back_by_the_next(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    stack, account_id = await caged(stack, agency)
    await canary._enqueue(stack, await canary._cage(stack, account_id))  # and then it was killed
    await publish(stack, agency)
    left = [post["deleted"] for post in sandbox.public("x")]

    async with publisher(stack):
        outcome = await fly_canary(stack, patience_seconds=20)

    assert left == [False]
    assert outcome.passed
    assert sorted(row["status"] for row in await queue(stack, agency)) == ["undone", "undone"]
    assert [post["deleted"] for post in sandbox.public("x")] == [True, True]


async def test_the_canarys_account_gets_no_other_post(stack: Stack, agency: Organization, sandbox: Sandbox) -> None:
    stack, account_id = await caged(stack, agency)
    [own] = (await connect(stack, agency, Platform.LINKEDIN)).values()
    await approve(stack, agency, "Real news.", platforms=("x", "linkedin"), late=timedelta(0))

    [enqueued] = await enqueue_ready(stack, agency)

    assert enqueued.platforms == ("linkedin",)
    assert [row["account_id"] for row in await queue(stack, agency)] == [own]
    assert account_id != own


async def test_an_account_that_cannot_be_the_canarys_is_named(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    on_instagram, _ = await caged(stack, agency, Platform.INSTAGRAM)
    gone = dataclasses.replace(stack, settings=stack.settings.model_copy(update={"canary_account": uuid4()}))
    stopped, account_id = await caged(stack, agency)
    async with stack.tenants.open(agency) as tenant:
        await tenant.conn.execute(
            "update social_accounts set status = 'reconnect_needed', status_reason = 'expired' where id = %s",
            (account_id,),
        )

    verdicts = [await fly_canary(one) for one in (on_instagram, gone, stopped)]

    assert [verdict.passed for verdict in verdicts] == [False, False, False]
    assert verdicts[0].description.startswith("Instagram lets no program delete a post; ")
    assert verdicts[1].description.startswith("draggonnb has no account ")
    assert verdicts[2].description.startswith("the canary's account is reconnect_needed: expired; ")
    assert await queue(stack, agency) == []
