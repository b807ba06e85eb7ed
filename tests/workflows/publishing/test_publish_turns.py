"""Clients take turns: nobody waits for another's time, and nobody's many posts hold up another's one for long."""

import dataclasses
from datetime import timedelta
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing import publishing
from draggonnb_pipelines.workflows.publishing.publishing import publish_due
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import approve, connect, publish, queue


async def test_a_client_that_is_due_in_seconds_holds_up_nobody(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    one_worker = stack.settings.model_copy(update={"publish_clients_at_once": 1})
    stack = dataclasses.replace(stack, settings=one_worker)
    for organization, due_in in ((agency, timedelta(seconds=2)), (outsider, timedelta(0))):
        await connect(stack, organization, Platform.X)
        await approve(stack, organization, f"News of {organization.slug}.", platforms=("x",), late=-due_in)
        await enqueue_ready(stack, organization)

    clients = await publish_due(stack, str(uuid4()), [agency.slug, outsider.slug])

    assert [(client.organization.slug, client.tally.published) for client in clients] == [
        (agency.slug, 1),
        (outsider.slug, 1),
    ]
    assert [post["text"] for post in sorted(sandbox.public("x"), key=lambda post: post["at"])] == [
        "News of outsider.",
        "News of draggonnb.",
    ]
    [waited] = await queue(stack, agency)
    assert waited["published_at"] >= waited["publish_at"]


@pytest.mark.parametrize("turn_seconds", [0.0, 60.0])
async def test_many_posts_of_one_client_go_out_once_each_in_one_turn_or_in_many(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, turn_seconds: float
) -> None:
    monkeypatch.setattr(publishing, "CHUNK_ROWS", 2)
    monkeypatch.setattr(publishing, "TURN_SECONDS", turn_seconds)
    await connect(stack, agency, Platform.X)
    texts = [f"Roast number {number}." for number in range(5)]
    for text in texts:
        await approve(stack, agency, text, platforms=("x",))

    client = await publish(stack, agency)

    assert (client.tally.published, client.problem) == (5, None)
    assert sorted(post["text"] for post in sandbox.public("x")) == texts
    async with stack.tenants.open(agency) as tenant:
        found = await tenant.conn.execute("select distinct status from social_posts")
        assert [row["status"] for row in await found.fetchall()] == ["published"]
