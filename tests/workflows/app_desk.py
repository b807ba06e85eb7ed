"""A client whose Supabase project and keys stand, so that repository, environment and deployment can be worked on.

Not here: fixtures (`conftest.py`), assertions.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Client, Resource, project_name
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.resources.vendors import build_github, build_vercel
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NotYet
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk, Step

REF = "abcdefghijklmnopqrst"
KEYS = {
    "publishable": "sb_publishable_1",
    "secret_app": "sb_secret_app",
    "secret_n8n": "sb_secret_n8n",
    "secret_agency": "sb_secret_agency",
}
# Faults after which a call's effect is unknown, surely there, or surely not there.
FAULTS: list[dict[str, Any]] = [
    {"kind": "accept_then_drop"},
    {"kind": "accept_then_status", "status": 500},
    {"kind": "drop_before_accept"},
    {"kind": "rate_limit", "retry_after": 7},
    {"kind": "cut_body"},
]


@dataclass
class Clock:
    """The time of a test: it passes where somebody waits."""

    now: datetime = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass(frozen=True)
class AppDesk(Desk):
    """A desk with a clock of its own."""

    clock: Clock

    def for_client(self, client: Client) -> "AppDesk":
        return replace(self, client=client)


@asynccontextmanager
async def app_desk_of(
    sandbox: Sandbox, settings: Settings, agency: Organization, organization: Organization
) -> AsyncIterator[AppDesk]:
    """A desk on which no wait takes real time."""
    sandbox.settings(github_copy_seconds=0.0, vercel_build_seconds=0.0)
    clock = Clock()
    async with open_stack(settings) as opened, HttpDoor(user_agent="test", sleep=clock.sleep) as door:
        github, vercel = build_github(settings, door), build_vercel(settings, door)
        stack = replace(opened, door=door, github=github, vercel=vercel, now=clock)
        desk = AppDesk(stack, agency, Client(organization, "growth", "The owner", "owner@outsider.example"), clock)
        await desk.seal(
            "supabase_project",
            "supabase",
            project_name(organization.slug),
            Made(REF, secrets={"db_pass": "correct horse"}),
        )
        for name, value in KEYS.items():
            await desk.seal("api_keys", "supabase", name, Made(f"id-of-{name}", secrets={"value": value}))
        yield desk


async def done(desk: AppDesk, *steps: Step, turns: int = 30) -> list[Resource]:
    """Run the steps as the runner does: what waits or passes is tried again later. Their resources."""
    made = []
    for step in steps:
        for _ in range(turns):
            try:
                made.append(await step(desk.ledger))
                break
            except NotYet as wait:
                await desk.clock.sleep(wait.seconds)
            except VendorError as error:
                if not error.is_transient:
                    raise
                await desk.clock.sleep(error.retry_after_seconds or 30)
        else:
            raise AssertionError(f"{step.__name__} is still not done")
    return made


async def killed_after(desk: AppDesk, sandbox: Sandbox, step: Step, route: str) -> None:
    """Run the step until the vendor has done what `route` asks, and end it before it has the answer."""
    sandbox.faults(route, {"kind": "accept_then_hang"})
    task = asyncio.create_task(done(desk, step))
    ends = time.monotonic() + 10
    while not any(entry["fault"] == "accept_then_hang" for entry in await asyncio.to_thread(sandbox.journal)):
        assert not task.done(), f"{step.__name__} never asked {route}"
        assert time.monotonic() < ends
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def begun(stack: Stack, ledger: Ledger, step: str, name: str) -> Resource:
    """The row as a run leaves it that dies between its intent and its call."""
    return await ledger.begin(await ledger.resource(step, name))


def struck(sandbox: Sandbox, vendor: str) -> list[str]:
    """The kinds of the faults that hit, in order."""
    return [entry["fault"] for entry in sandbox.journal(vendor) if entry["fault"]]


def calls(sandbox: Sandbox, vendor: str, *, reads: bool = False) -> list[str]:
    """Routes that were asked, in order; without those that only read unless they are wanted."""
    return [entry["route"] for entry in sandbox.journal(vendor) if reads or entry["method"] != "GET"]
