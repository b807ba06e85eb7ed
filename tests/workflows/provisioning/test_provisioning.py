"""The runner of provisioning: who is set up by which run, what waits, what fails, and that all of it ends once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.provisioning import MAX_ATTEMPTS, STEPS
from draggonnb_pipelines.domain.reports import Markdown, PartitionKey
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.provisioning.provisioning import free_dead_runs, run_step, take_waiting
from draggonnb_pipelines.workflows.provisioning.provisioning_reports import set_up
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import impatient_claude, master_rows
from tests.workflows.paid_clients import open_client, open_clients, states

SLUGS = ("bo-kaap-beans", "kloof-coffee", "walmer-dental")
NOBODY: dict[str, str] = {}


@pytest.fixture
async def stack(
    supabase_sandbox: Sandbox, master_dsn: str, make_organization: MakeOrganization
) -> AsyncIterator[Stack]:
    await make_organization("draggonnb", name="DraggonnB", owner_email="sales@draggonnb.example")
    supabase_sandbox.settings(claude_latency_seconds=0.0, github_copy_seconds=0.0, vercel_build_seconds=0.0)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=master_dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=supabase_sandbox.port,
        provision_settle_seconds=0.2,
        provision_poll_seconds=0.05,
        provision_patience_seconds=20,
    )
    async with open_stack(settings) as opened, impatient_claude(opened) as claude:
        yield replace(opened, claude=claude)


async def whole_run(stack: Stack, run_id: str) -> dict[str, dict[str, str]]:
    """Take who waits, and every step for those who are left; per step who was not done, and why."""
    slugs = await take_waiting(stack, run_id)
    undone: dict[str, dict[str, str]] = {}
    for step in STEPS:
        ends = await run_step(stack, run_id, step, slugs)
        undone[step] = {slug: end.reason or "" for slug, end in ends.items() if end.resource is None}
        slugs = [slug for slug in slugs if slug not in undone[step]]
    return undone


async def test_all_who_wait_are_set_up_at_once_and_a_second_run_changes_nothing(
    stack: Stack, supabase_sandbox: Sandbox
) -> None:
    await open_clients(stack, SLUGS)

    undone = await whole_run(stack, "run-1")
    mails = len(supabase_sandbox.public("mail"))
    rows = await master_rows(stack, "select step, name, state, vendor_id, attempts from stack_resources order by id")
    again = await whole_run(stack, "run-2")
    by_hand = [await run_step(stack, "run-3", step, SLUGS) for step in STEPS]

    assert undone == dict.fromkeys(STEPS, NOBODY)
    assert await states(stack) == dict.fromkeys(SLUGS, "done")
    assert again == dict.fromkeys(STEPS, NOBODY)
    assert all(end.resource for ends in by_hand for end in ends.values())
    same = await master_rows(stack, "select step, name, state, vendor_id, attempts from stack_resources order by id")
    assert same == rows
    assert {row["state"] for row in rows} == {"ready"}
    assert len(supabase_sandbox.public("mail")) == mails
    active = await master_rows(stack, "select slug from organizations where status = 'active' order by slug")
    assert [row["slug"] for row in active] == sorted([*SLUGS, "draggonnb"])


async def test_one_clients_trouble_is_its_own_and_it_goes_on_where_it_stopped(
    stack: Stack, supabase_sandbox: Sandbox
) -> None:
    await open_clients(stack, SLUGS)
    taken = {"name": "draggonnb-kloof-coffee", "description": "somebody's", "private": True}
    await stack.github.create_from_template("draggonnb/client-template", "draggonnb", taken["name"])

    undone = await whole_run(stack, "run-1")

    assert list(undone["github_repo"]) == ["kloof-coffee"]
    reason = undone["github_repo"]["kloof-coffee"]
    assert "'draggonnb/draggonnb-kloof-coffee' is there already and is not ours" in reason
    assert await states(stack) == {"bo-kaap-beans": "done", "kloof-coffee": "failed", "walmer-dental": "done"}

    await stack.github.delete("draggonnb", taken["name"])
    for step in STEPS:
        assert (await run_step(stack, "run-2", step, ["kloof-coffee"]))["kloof-coffee"].resource
    assert await states(stack) == dict.fromkeys(SLUGS, "done")
    projects = Counter(project.name for project in await stack.supabase.find_projects("sandbox-org", "kloof-coffee-db"))
    assert projects == {"kloof-coffee-db": 1}


async def test_who_takes_longer_than_the_patience_waits_for_a_later_run(
    stack: Stack, supabase_sandbox: Sandbox
) -> None:
    supabase_sandbox.settings(supabase_project_seconds=1.0)
    hasty = replace(stack, settings=stack.settings.model_copy(update={"provision_patience_seconds": 0.2}))
    await open_client(stack, "kloof-coffee")

    undone = await whole_run(hasty, "run-1")
    waiting = await states(stack)
    later = replace(stack, now=lambda: hasty.now() + timedelta(minutes=1))
    await asyncio.sleep(1)
    rest = await whole_run(later, "run-3")

    assert list(undone["supabase_project"]) == ["kloof-coffee"]
    assert waiting == {"kloof-coffee": "waiting"}
    assert rest == dict.fromkeys(STEPS, NOBODY)
    assert await states(stack) == {"kloof-coffee": "done"}


async def test_two_runs_share_the_clients_and_none_is_worked_on_twice(stack: Stack, supabase_sandbox: Sandbox) -> None:
    await open_clients(stack, SLUGS)

    first, second = await asyncio.gather(take_waiting(stack, "run-1"), take_waiting(stack, "run-2"))
    strangers = await run_step(stack, "run-3", "supabase_project", SLUGS)

    assert sorted([*first, *second]) == sorted(SLUGS)
    assert [end.resource for end in strangers.values()] == [None] * 3
    assert all("another run is at work on it: run-" in (end.reason or "") for end in strangers.values())
    assert await stack.supabase.find_projects("sandbox-org", "kloof-coffee-db") == []


async def test_what_a_dead_run_held_is_taken_by_the_next(stack: Stack) -> None:
    await open_clients(stack, SLUGS)
    async with open_stack(stack.settings) as dying:
        assert len(await take_waiting(dying, "run-1")) == 3
        assert await take_waiting(stack, "run-2") == []

    await _free_what_died(stack)
    assert sorted(await take_waiting(stack, "run-3")) == sorted(SLUGS)


async def test_the_asset_shows_the_stack_with_links_and_an_organization_by_hand_only_its_schema(
    stack: Stack, make_organization: MakeOrganization
) -> None:
    await open_client(stack, "kloof-coffee")
    await make_organization("by-hand")
    keys = [PartitionKey("kloof-coffee"), PartitionKey("by-hand"), PartitionKey("nobody")]

    project = await set_up(stack, "run-1", "supabase_project", keys)
    schema = await set_up(stack, "run-1", "tenant_schema", keys)

    assert list(project.done) == [PartitionKey("kloof-coffee")]
    assert project.failed == {
        PartitionKey("by-hand"): "it was made by `tenant create`: it has no owner to welcome and no stack to set up",
        PartitionKey("nobody"): "there is no such organization",
    }
    shown = project.done[keys[0]].metadata["stack"]
    assert isinstance(shown, Markdown)
    assert "| supabase_project | " in shown.text
    assert "kloof-coffee-db" in shown.text
    assert set(schema.done) == {PartitionKey("kloof-coffee"), PartitionKey("by-hand")}


async def _free_what_died(stack: Stack) -> None:
    """The server ends a closed session, and with it the lock that shows a run's life, in its own time."""
    async with asyncio.timeout(30):
        while await master_rows(stack, "select 1 from provisionings where run_id is not null"):
            await free_dead_runs(stack)
            await asyncio.sleep(0.01)


async def test_a_client_that_kills_its_runs_waits_longer_each_time_and_is_for_a_person_in_the_end(stack: Stack) -> None:
    await open_client(stack, "kloof-coffee")
    waits, later = [], timedelta(0)
    for number in range(MAX_ATTEMPTS):
        async with open_stack(stack.settings, now=lambda late=later: datetime.now(UTC) + late) as dying:
            assert await take_waiting(dying, f"run-{number}") == ["kloof-coffee"]
        await _free_what_died(stack)
        [row] = await master_rows(stack, "select not_before - now() as wait from provisionings")
        waits.append(round(max(row["wait"].total_seconds(), 0)))
        later = timedelta(minutes=10)

    assert waits == [30 * number for number in range(MAX_ATTEMPTS)]
    assert await master_rows(stack, "select state, attempts from provisionings") == [
        {"state": "failed", "attempts": MAX_ATTEMPTS}
    ]


async def test_a_quota_that_all_share_is_waited_for_in_the_run_and_is_nobodys_failure(
    stack: Stack, supabase_sandbox: Sandbox
) -> None:
    await open_client(stack, "kloof-coffee")
    refused = [{"kind": "rate_limit", "retry_after": 0}] * 5
    supabase_sandbox.faults("GET /supabase/v1/projects/{ref}", *refused)

    ends = [await run_step(stack, "run-1", "supabase_project", await take_waiting(stack, "run-1"))]

    assert [end.reason for end in ends[0].values()] == [None]
    assert await master_rows(stack, "select state, attempts from provisionings") == [
        {"state": "running", "attempts": 0}
    ]


async def test_what_is_missing_although_every_step_came_through_is_not_looked_for_at_once(stack: Stack) -> None:
    await open_client(stack, "kloof-coffee")
    slugs = await take_waiting(stack, "run-1")
    for step in STEPS[:-1]:
        await run_step(stack, "run-1", step, slugs)
    await master_rows(
        stack, "update stack_resources set state = 'failed' where step = 'api_keys' and name = 'publishable'"
    )

    await run_step(stack, "run-1", STEPS[-1], slugs)

    [row] = await master_rows(
        stack, "select state, not_before > now() + interval '4 minutes' as later from provisionings"
    )
    assert row == {"state": "waiting", "later": True}
    assert await take_waiting(stack, "run-2") == []
