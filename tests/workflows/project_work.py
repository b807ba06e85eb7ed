"""Clients whose Supabase project is being made, and runs that are cut off wherever one can be.

Not here: assertions.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Client, Resource
from draggonnb_pipelines.resources import http
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_project import supabase_project
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.supabase_calls import public

POST_PROJECT = "POST /supabase/v1/projects"
OWNER = "owner@kloof-coffee.example"
Step = Callable[[Ledger], Awaitable[Resource]]


@dataclass(frozen=True)
class Site:
    """One client and what its steps need."""

    stack: Stack
    client: Client

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.stack, self.client, "run-1")

    def at(self, now: datetime) -> "Site":
        return replace(self, stack=replace(self.stack, now=lambda: now))

    async def reloaded(self) -> "Site":
        """As a later run sees the organization."""
        async with self.stack.master.connection() as conn:
            row = await ORGANIZATIONS.get_organization(conn, slug=self.client.slug)
        return replace(self, client=replace(self.client, organization=Organization(**row)))

    async def rows(self, step: str) -> list[Resource]:
        return [row for row in await self.ledger.resources() if row.step == step]


@asynccontextmanager
async def open_site(sandbox: Sandbox, master_dsn: str, **values: Any) -> AsyncIterator[Stack]:
    """A stack that waits for nothing longer than it must."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=master_dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=sandbox.port,
        **{"provision_settle_seconds": 0.3, "provision_poll_seconds": 0.05, **values},
    )
    async with open_stack(settings) as stack:
        yield stack


async def new_client(stack: Stack, slug: str = "kloof-coffee") -> Site:
    """An organization that was paid for: it has a key, and no database yet."""
    async with stack.master.connection() as conn:
        await ORGANIZATIONS.insert_organization(
            conn,
            id=uuid4(),
            slug=slug,
            name="Kloof Coffee",
            timezone="Africa/Johannesburg",
            locale="en-ZA",
            database_name=None,
            server="master",
            dsn_sealed=None,
        )
        made = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
        await ORGANIZATIONS.set_data_key(conn, id=made.id, data_key_wrapped=stack.vault.new_data_key(made.id))
        organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
    return Site(stack, Client(organization, "growth", "The owner", OWNER, "+27821234567"))


async def existing_site(stack: Stack, slug: str) -> Site:
    async with stack.master.connection() as conn:
        organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
    return Site(stack, Client(organization, None, "", ""))


async def settled(site: Site, step: Step) -> Resource:
    """The step as a runner does it: again for as long as it says that it is not done."""
    for _ in range(100):
        try:
            return await step(site.ledger)
        except NotYet as wait:
            await asyncio.sleep(min(wait.seconds, 0.05))
    raise AssertionError("still not done")


async def with_project(site: Site) -> Resource:
    return await settled(site, supabase_project)


def wait_for_project(sandbox: Sandbox) -> None:
    deadline = time.monotonic() + 30
    while not public(sandbox):
        assert time.monotonic() < deadline, "no project was made"
        time.sleep(0.05)


def made_at(sandbox: Sandbox, path: str) -> int:
    """How often something was asked to be made."""
    calls = sandbox.journal("supabase")
    return sum(call["method"] == "POST" and call["path"].endswith(path) for call in calls)


class Cutter:
    """Cancels a run at its n-th statement or call: before it goes out, or when it has had its effect there."""

    def __init__(self, at: int, *, before: bool) -> None:
        self.at, self.before = at, before
        self.count = 0
        self.task: asyncio.Task[Any] | None = None

    @property
    def was_in_time(self) -> bool:
        return self.count >= self.at

    async def run(self, site: Site, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
        with self._counting(monkeypatch):
            self.task = asyncio.create_task(settled(site, step))
            await asyncio.gather(self.task, return_exceptions=True)

    @contextmanager
    def _counting(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        def counted(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def work_or_die(*args: Any, **kwargs: Any) -> Any:
                self.count += 1
                is_it = self.count == self.at
                if is_it and self.before:
                    await self._cut()
                result = await work(*args, **kwargs)
                if is_it and not self.before:
                    await self._cut()
                return result

            return work_or_die

        with monkeypatch.context() as patch:
            patch.setattr(psycopg.AsyncCursor, "execute", counted(psycopg.AsyncCursor.execute))
            patch.setattr(http, "exchange", counted(http.exchange))
            yield

    async def _cut(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.sleep(0.01)
