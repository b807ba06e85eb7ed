"""Clients take turns: nobody waits for another's time, and nobody's many posts hold up another's one for long."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sensors.publishing import shards_to_run
from draggonnb_pipelines.workflows.content import scheduling
from draggonnb_pipelines.workflows.content.content_reports import enqueue_approved
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing import publish_line, publishing
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, note_due
from draggonnb_pipelines.workflows.publishing.publish_line import ClientRun
from draggonnb_pipelines.workflows.publishing.publish_quotas import Quotas
from draggonnb_pipelines.workflows.publishing.publish_reports import report_published
from draggonnb_pipelines.workflows.publishing.publishing import publish_due
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows
from tests.workflows.move_work import held
from tests.workflows.publish_work import approve, connect, publish, queue

# In chunks of ten at half a second a call, the big one's posts keep a run busy for some five seconds.
MANY, CHUNK, CALL_SECONDS = 100, 10, 0.5


@pytest.fixture
async def big_one(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Organization:
    """A client with many due posts, so that the run that publishes them takes a while."""
    monkeypatch.setattr(publishing, "CHUNK_ROWS", CHUNK)
    sandbox.settings(social_latency_seconds=CALL_SECONDS)
    await connect(stack, agency, Platform.X)
    for number in range(MANY):
        await approve(stack, agency, f"Roast number {number}.", platforms=("x",))
    await enqueue_ready(stack, agency)
    return agency


async def later_than(stack: Stack, organization: Organization, moment: datetime) -> int:
    """How many of its posts were recorded as public after this moment."""
    return sum(row["published_at"] > moment for row in await queue(stack, organization))


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


async def test_who_becomes_due_while_another_client_is_served_does_not_wait_for_the_end_of_the_run(
    stack: Stack, big_one: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    run_id = str(uuid4())
    await connect(stack, outsider, Platform.X)
    run = asyncio.create_task(publish_due(stack, run_id, [big_one.slug], others_join=True))
    await asyncio.sleep(1.0)
    await approve(stack, outsider, "Now or never.", platforms=("x",))
    await enqueue_ready(stack, outsider)

    big, small = await run

    assert (big.organization.slug, big.tally.published, big.has_joined) == (big_one.slug, MANY, False)
    assert (small.organization.slug, small.tally.published, small.has_joined) == ("outsider", 1, True)
    [row] = await queue(stack, outsider)
    assert await later_than(stack, big_one, row["published_at"]) >= 2 * CHUNK
    assert len(sandbox.public("x")) == MANY + 1
    today = PartitionKey(big_one.slug, stack.now().date())
    report = await report_published(stack, run_id, [today], [big, small])
    assert report.newcomers == {PartitionKey("outsider", today.day)}
    assert {key.slug: done.rows for key, done in report.done.items()} == {big_one.slug: MANY, "outsider": 1}


async def test_who_is_done_comes_back_when_its_next_post_is_due_and_the_agenda_knows_when_that_is(
    stack: Stack, big_one: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    at_once = stack.settings.model_copy(update={"publish_ahead_seconds": 0.0})
    stack = dataclasses.replace(stack, settings=at_once)
    await connect(stack, outsider, Platform.X)
    for text, due_in in (("First.", 0), ("Second.", 2), ("Third.", 3600)):
        await approve(stack, outsider, text, platforms=("x",), late=timedelta(seconds=-due_in))
    await enqueue_ready(stack, outsider)

    clients = await publish_due(stack, str(uuid4()), [big_one.slug, outsider.slug], others_join=True)

    assert published(clients) == {big_one.slug: MANY, "outsider": 2}
    first, second, third = sorted(await queue(stack, outsider), key=lambda row: row["publish_at"])
    assert await later_than(stack, big_one, second["published_at"]) >= CHUNK
    assert (first["status"], third["status"], third["attempts"]) == ("published", "scheduled", 0)
    async with stack.master.connection() as conn:
        found = await conn.execute(
            "select next_due_at from publishing_agenda where organization_id = %s", (outsider.id,)
        )
        assert [row["next_due_at"] for row in await found.fetchall()] == [third["publish_at"]]
    assert len(sandbox.public("x")) == MANY + 2


async def test_a_run_lets_the_next_one_start_before_its_own_time_is_over(
    stack: Stack, big_one: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_line, "RUN_SECONDS", 4.0)
    monkeypatch.setattr(publish_line, "HAND_OVER_SECONDS", 3.5)
    first = asyncio.create_task(publish_due(stack, "first", [big_one.slug], others_join=True))
    holders = []
    while not first.done() and holders[-2:] != ["first", None]:
        async with stack.master.connection() as conn:
            holders.append(next(iter([row["run_id"] async for row in AGENDA.shard_runs(conn, shards=[0])]), None))
        await asyncio.sleep(0.1)
    assert not first.done()

    second = await publish_due(stack, "second", [big_one.slug], others_join=True)

    assert published(await first)[big_one.slug] + published(second)[big_one.slug] == MANY
    assert len(sandbox.public("x")) == MANY
    assert {row["attempts"] for row in await queue(stack, big_one)} == {1}


async def test_who_was_noted_for_nothing_is_looked_into_once_and_not_reported(
    stack: Stack, big_one: Organization, outsider: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    look = publishing._try_turn

    async def note(stack: Stack, run_id: str, client: ClientRun, quotas: Quotas) -> float | None:
        looked.append(client.organization.slug)
        return await look(stack, run_id, client, quotas)

    monkeypatch.setattr(publishing, "_try_turn", note)
    run = asyncio.create_task(publish_due(stack, str(uuid4()), [big_one.slug], others_join=True))
    await note_due(stack.master, outsider.id, stack.now())

    clients = await run

    assert published(clients) == {big_one.slug: MANY}
    assert looked.count("outsider") == 1
    assert await queue(stack, outsider) == []


async def test_nobody_joins_a_run_for_chosen_clients_and_nobody_waits_for_its_end(
    stack: Stack, big_one: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, outsider, Platform.X)
    run = asyncio.create_task(publish_due(stack, str(uuid4()), [big_one.slug]))
    await asyncio.sleep(1.0)
    await approve(stack, outsider, "Not by this run.", platforms=("x",))
    await enqueue_ready(stack, outsider)

    async with stack.master.connection() as conn:
        assert await shards_to_run(conn) == [0]
    beside = asyncio.create_task(publish_due(stack, str(uuid4()), [outsider.slug], others_join=True))
    while [row["status"] for row in await queue(stack, outsider)] != ["published"]:
        assert not run.done()
        await asyncio.sleep(0.1)
    chosen, joined = published(await run), published(await beside)

    assert list(chosen) == [big_one.slug]
    assert joined["outsider"] == 1
    assert chosen[big_one.slug] + joined.get(big_one.slug, 0) == MANY
    assert len(sandbox.public("x")) == MANY + 1
    assert {row["attempts"] for row in await queue(stack, big_one)} == {1}


@pytest.mark.parametrize("others_join", [True, False])
async def test_a_client_that_is_to_be_moved_is_left_after_the_chunk_in_hand_and_served_after_its_move(
    stack: Stack, big_one: Organization, untouched_outsider: None, sandbox: Sandbox, others_join: bool
) -> None:
    run = asyncio.create_task(publish_due(stack, "before", [big_one.slug], others_join=others_join))
    await asyncio.sleep(1.0)

    async with held(stack, big_one):
        before = published(await run)[big_one.slug]
        left = Counter(row["status"] for row in await queue(stack, big_one))
        assert await due_slugs(stack) == []

    assert 0 < before < MANY
    assert left == {"published": before, "scheduled": MANY - before}
    assert await due_slugs(stack) == [big_one.slug]
    assert published(await publish_due(stack, "after", [big_one.slug])) == {big_one.slug: MANY - before}
    assert len(sandbox.public("x")) == MANY


async def test_a_client_that_is_held_between_plan_and_publishing_waits_and_fails_no_run(
    stack: Stack, agency: Organization, untouched_outsider: None, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "After the move.", platforms=("x",))
    await enqueue_ready(stack, agency)
    assert list(await publishing.plan_run(stack, "run-1")) == [agency.slug]
    today = PartitionKey(agency.slug, stack.now().date())

    async with held(stack, agency):
        clients = await publish_due(stack, "run-1", [agency.slug], others_join=True)
        report = await report_published(stack, "run-1", [today], clients)

    assert report.waiting == {today: "not active, or being moved"}
    assert (report.done, report.failed) == ({}, {})
    assert [row["status"] for row in await queue(stack, agency)] == ["scheduled"]
    assert sandbox.public("x") == []


async def test_thousands_of_approved_posts_hold_up_no_step_and_all_go_out_in_turns(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (scheduling, publishing):
        monkeypatch.setattr(module, "POSTS_AT_ONCE", 4)
    monkeypatch.setattr("draggonnb_pipelines.workflows.content.content_reports.POSTS_AT_ONCE", 4)
    for organization, posts in ((agency, 14), (outsider, 1)):
        await connect(stack, organization, Platform.X)
        for number in range(posts):
            await approve(stack, organization, f"{organization.slug} {number}", platforms=("x",))
    today = stack.now().date()

    report = await enqueue_approved(stack, [PartitionKey(slug, today) for slug in (agency.slug, outsider.slug)])
    clients = await publish_due(stack, str(uuid4()), [agency.slug, outsider.slug])

    assert {key.slug: done.rows for key, done in report.done.items()} == {agency.slug: 4, "outsider": 1}
    assert published(clients) == {agency.slug: 14, "outsider": 1}
    assert len(sandbox.public("x")) == 15
    assert await tenant_rows(stack, agency, "select 1 as n from social_posts where status = 'approved'") == []


async def due_slugs(stack: Stack) -> list[str]:
    async with stack.master.connection() as conn:
        due = AGENDA.due_organizations(conn, shards=1, shard=0, ahead_seconds=0.0, row_limit=10)
        return [row["slug"] async for row in due]


def published(clients: Sequence[ClientRun]) -> dict[str, int]:
    return {client.organization.slug: client.tally.published for client in clients}
