"""A run is cut off at each of its statements in turn: no post is lost or doubled, and no place of the limit leaks."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.publish_questions import request_undo
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import approve, connect, make_due, publish, queue

LOST = {"kind": "accept_then_status", "status": 500}
OPEN = {"scheduled", "claimed", "calling", "unknown", "undo_requested"}


class Cutter:
    """Cancels a run at its n-th statement: before it reaches the database, or after it has had its effect there."""

    def __init__(self, at: int, *, before: bool) -> None:
        self.at, self.before = at, before
        self.count = 0
        self.task: asyncio.Task[Any] | None = None

    @property
    def was_in_time(self) -> bool:
        return self.count >= self.at

    async def run(self, stack: Stack, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        with self._counting(monkeypatch):
            self.task = asyncio.create_task(publish(stack, organization))
            await asyncio.gather(self.task, return_exceptions=True)

    @contextmanager
    def _counting(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        execute = psycopg.AsyncCursor.execute

        async def counted(cursor: Any, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            is_it = self.count == self.at
            if is_it and self.before:
                await self._cut()
            result = await execute(cursor, *args, **kwargs)
            if is_it and not self.before:
                await self._cut()
            return result

        with monkeypatch.context() as patch:
            patch.setattr(psycopg.AsyncCursor, "execute", counted)
            yield

    async def _cut(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.sleep(0.01)


async def settle(stack: Stack, organization: Organization) -> None:
    """Time passes, and runs come and go until nothing is left to do."""
    for _ in range(8):
        await make_due(stack, organization)
        client = await publish(stack, organization)
        assert client.problem is None
        if not OPEN & {row["status"] for row in await queue(stack, organization)}:
            return


async def usage(stack: Stack, organization: Organization) -> tuple[int, int]:
    async with stack.tenants.open(organization) as tenant:
        found = await tenant.conn.execute("select used, reserved from usage_counters where metric = 'posts_monthly'")
        [row] = await found.fetchall()
        return row["used"], row["reserved"]


async def statuses(stack: Stack, organization: Organization) -> set[str]:
    return {row["status"] for row in await queue(stack, organization)}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("is_lost", [False, True])
async def test_while_it_publishes_or_reads_back(
    stack: Stack,
    agency: Organization,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    is_lost: bool,
    before: bool,
) -> None:
    await connect(stack, agency, Platform.X)
    sandbox.settings(social_refuses_duplicates=False)
    cutter = Cutter(0, before=before)
    while cutter.was_in_time:
        cutter = Cutter(cutter.at + 1, before=before)
        await approve(stack, agency, f"Cut at {cutter.at}.", platforms=("x",), thread=["And more."])
        if is_lost:  # the run that is cut off finds a post whose fate nobody knows
            sandbox.faults("POST /x/2/tweets", LOST)
            await publish(stack, agency)
            await make_due(stack, agency)
        await cutter.run(stack, agency, monkeypatch)
        await settle(stack, agency)

        texts = [post["text"] for post in sandbox.public("x")]
        assert (texts.count(f"Cut at {cutter.at}."), len(texts)) == (1, 2 * cutter.at)
        assert await usage(stack, agency) == (cutter.at, 0)
    assert cutter.at > 15
    assert await statuses(stack, agency) == {"published"}


@pytest.mark.parametrize("before", [True, False])
async def test_while_it_drops_what_is_too_late(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    await connect(stack, agency, Platform.X)
    async with stack.tenants.open(agency) as tenant:
        await tenant.conn.execute("update organizations set late_posts = 'drop', late_after_minutes = 60")
    cutter = Cutter(0, before=before)
    while cutter.was_in_time:
        cutter = Cutter(cutter.at + 1, before=before)
        await approve(stack, agency, f"Cut at {cutter.at}.", platforms=("x",), late=timedelta(hours=5))
        await cutter.run(stack, agency, monkeypatch)
        await settle(stack, agency)

        assert await usage(stack, agency) == (0, 0)
    assert cutter.at > 10
    assert await statuses(stack, agency) == {"dropped"}
    assert sandbox.public("x") == []


@pytest.mark.parametrize("before", [True, False])
async def test_while_it_takes_a_post_back(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    await connect(stack, agency, Platform.X)
    cutter = Cutter(0, before=before)
    while cutter.was_in_time:
        cutter = Cutter(cutter.at + 1, before=before)
        post_id = await approve(stack, agency, f"Cut at {cutter.at}.", platforms=("x",))
        await publish(stack, agency)
        [row] = [row for row in await queue(stack, agency) if row["post_id"] == post_id]
        await request_undo(stack, agency, row["id"], by="ann")
        await cutter.run(stack, agency, monkeypatch)
        await settle(stack, agency)
    assert cutter.at > 10
    assert await statuses(stack, agency) == {"undone"}
    assert [post["deleted"] for post in sandbox.public("x")] == [True] * cutter.at
