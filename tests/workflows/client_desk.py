"""A client that is being set up, as the steps of its onboarding find it: what earlier steps made.

Not here: assertions.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Client, Resource, project_name, repo_name
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NotYet
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.supabase_calls import new_project, secret_key
from tests.workflows.lead_work import impatient_claude, master_rows

TEMPLATE = "draggonnb/client-template"
OWNER = "owner@kloof-coffee.example"
Step = Callable[[Ledger], Awaitable[Resource]]


@dataclass(frozen=True)
class Desk:
    """One client, the agency, and the ledger of one run."""

    stack: Stack
    agency: Organization
    client: Client

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.stack, self.client, "run-1")

    def at(self, now: datetime) -> "Desk":
        return replace(self, stack=replace(self.stack, now=lambda: now))

    async def rows(self, step: str) -> list[tuple[str, str, str | None]]:
        """Name, state and vendor's id of the step's rows."""
        rows = await self.ledger.resources()
        return [(row.name, row.state, row.vendor_id) for row in rows if row.step == step]

    async def seal(self, step: str, vendor: str, name: str, made: Made) -> None:
        """Write down what an earlier step made."""
        await self.ledger.ready(await self.ledger.plan(step, vendor, name), made)

    async def with_project(self, sandbox: Sandbox) -> str:
        """A real project in the sandbox, with its keys; its ref."""
        ref = await asyncio.to_thread(new_project, sandbox, project_name(self.client.slug))
        key = await asyncio.to_thread(secret_key, sandbox, ref)
        await self.seal("supabase_project", "supabase", project_name(self.client.slug), Made(ref))
        await self.seal("api_keys", "supabase", "secret_agency", Made("key-1", secrets={"value": key}))
        return ref

    async def with_repo(self, sandbox: Sandbox) -> str:
        """A repository in the sandbox whose files have arrived; its full name."""
        sandbox.settings(github_copy_seconds=0.0)
        name = repo_name(self.client.slug)
        made = await self.stack.github.create_from_template(TEMPLATE, "draggonnb", name)
        details = {"full_name": made.full_name, "branch": "main"}
        url = f"https://github.com/{made.full_name}"
        await self.seal("github_repo", "github", name, Made(str(made.id), url, details))
        return made.full_name


@asynccontextmanager
async def desk_of(
    sandbox: Sandbox, master_dsn: str, agency: Organization, organization: Organization, **settings: Any
) -> AsyncIterator[Desk]:
    """A desk with settings that let nobody wait."""
    sandbox.settings(claude_latency_seconds=0.0)
    chosen = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=master_dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=sandbox.port,
        retry_base_seconds=0.001,
        **{"provision_settle_seconds": 0.2, "provision_poll_seconds": 0.05} | settings,
    )
    async with open_stack(chosen) as stack, impatient_claude(stack) as claude:
        client = Client(organization, "growth", "The owner", OWNER, "082 123 4567")
        yield Desk(replace(stack, claude=claude), agency, client)


async def settled(desk: Desk, step: Step, *, turns: int = 60) -> Resource:
    """Run the step as the runner does, for as long as it says that it is not done yet."""
    for _ in range(turns):
        try:
            return await step(desk.ledger)
        except NotYet as wait:
            await asyncio.sleep(min(wait.seconds, 0.05))
    raise AssertionError(f"{step.__name__} is still not done")


async def cut_at_each_reading(desk: Desk, step: Step, *, most: int = 60) -> int:
    """Run the step again and again, cut off where it reads the clock for the first time, the second time, and so on,
    until it comes through; how often it was cut. Five minutes pass between two runs."""
    for cuts in range(most):
        started = datetime.now(UTC) + timedelta(minutes=5 * cuts)
        stack = replace(desk.stack, now=_clock_that_stops(started, after=cuts))
        task = asyncio.create_task(settled(replace(desk, stack=stack), step))
        [end] = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(end, BaseException):
            return cuts
        assert isinstance(end, asyncio.CancelledError), end
    raise AssertionError(f"{step.__name__} reads the clock more than {most} times")


def _clock_that_stops(at: datetime, *, after: int) -> Callable[[], datetime]:
    """A clock that cancels whoever reads it once too often: as a kill there, since nothing is done after it."""
    readings = iter(range(after))

    def now() -> datetime:
        if next(readings, None) is None:
            raise asyncio.CancelledError
        return at

    return now


async def cut_off(desk: Desk, step: Step, *, after: float) -> bool:
    """Cancel the step after some seconds, as a run that is stopped while it waits for a vendor; whether it was still at
    work."""
    task = asyncio.create_task(settled(desk, step))
    _, pending = await asyncio.wait({task}, timeout=after)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return bool(pending)


async def master_count(desk: Desk, table: str) -> int:
    [row] = await master_rows(desk.stack, f"select count(*) as n from {table}")
    return row["n"]
