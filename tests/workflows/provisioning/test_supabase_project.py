"""The client's Supabase project: made once, known by our password, whatever is lost, refused or there already."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources import vendor_limits
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NameTaken, NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_project import (
    COMES_UP_WITHIN,
    PASSWORD,
    dsn_of_project,
    supabase_project,
)
from tests.sandbox_process import Sandbox
from tests.supabase_calls import management, new_project, public
from tests.workflows.lead_work import master_rows
from tests.workflows.project_work import (
    POST_PROJECT,
    Cutter,
    Site,
    made_at,
    new_client,
    open_site,
    wait_for_project,
    with_project,
)

FIND = "GET /supabase/v1/organizations/sandbox-org/projects"


@pytest.fixture
async def stack(supabase_sandbox: Sandbox, master_dsn: str) -> AsyncIterator[Stack]:
    async with open_site(supabase_sandbox, master_dsn) as opened:
        yield opened


@pytest.fixture
async def site(stack: Stack) -> Site:
    return await new_client(stack)


async def row(site: Site) -> Any:
    [resource] = await site.rows("supabase_project")
    return resource


def posts(sandbox: Sandbox) -> int:
    return made_at(sandbox, "/v1/projects")


async def test_a_client_gets_one_healthy_project_whose_database_takes_our_password(
    site: Site, supabase_sandbox: Sandbox
):
    made = await with_project(site)

    [(ref, project)] = public(supabase_sandbox).items()
    assert (project["name"], project["region"], project["size"]) == ("kloof-coffee-db", "eu-west-1", "micro")
    assert (made.vendor_id, made.state, made.monthly_cents) == (ref, "ready", 1000)
    assert made.url == f"{supabase_sandbox.url}/supabase/projects/{ref}"
    assert len(made.secrets[PASSWORD]) == 43
    with psycopg.connect(await dsn_of_project(site.stack, ref, made.secrets[PASSWORD])) as conn:
        assert conn.execute("select current_user").fetchone() == (f"postgres.{ref}",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(await dsn_of_project(site.stack, ref, "another"))


async def test_a_second_run_asks_nothing_and_gives_the_same(site: Site, supabase_sandbox: Sandbox):
    first = await with_project(site)
    calls = len(supabase_sandbox.journal("supabase"))

    assert await supabase_project(site.ledger) == first
    assert len(supabase_sandbox.journal("supabase")) == calls


async def test_the_password_is_stored_before_the_call_and_is_the_one_that_was_sent(
    site: Site, supabase_sandbox: Sandbox
):
    supabase_sandbox.faults(POST_PROJECT, {"kind": "status", "status": 400})
    with pytest.raises(VendorError):
        await supabase_project(site.ledger)
    stored = (await row(site)).secrets[PASSWORD]

    made = await with_project(site)

    assert made.secrets[PASSWORD] == stored
    async with site.stack.master.connection() as conn:
        found = await conn.execute("select secrets_sealed, details::text from stack_resources")
        [sealed] = await found.fetchall()
    assert stored.encode() not in bytes(sealed["secrets_sealed"])
    assert stored not in sealed["details"]


async def test_while_it_comes_up_nobody_sleeps_in_the_step(site: Site, supabase_sandbox: Sandbox):
    supabase_sandbox.settings(supabase_project_seconds=3600)

    waits = []
    for _ in range(3):
        with pytest.raises(NotYet) as raised:
            await supabase_project(site.ledger)
        waits.append((raised.value.seconds, raised.value.reason.split()[-1]))

    assert waits == [(0.05, "up"), (0.05, "COMING_UP"), (0.05, "COMING_UP")]
    assert ((await row(site)).state, posts(supabase_sandbox)) == ("calling", 1)


async def test_what_is_not_up_after_a_quarter_of_an_hour_is_for_a_person(site: Site, supabase_sandbox: Sandbox):
    supabase_sandbox.settings(supabase_project_seconds=3600)
    with pytest.raises(NotYet):
        await supabase_project(site.ledger)
    late = site.at(site.stack.now() + COMES_UP_WITHIN + timedelta(seconds=1))

    with pytest.raises(NeedsReview, match="more than 15 minutes"):
        await supabase_project(late.ledger)

    assert ((await row(site)).state, posts(supabase_sandbox)) == ("needs_review", 1)


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body"])
async def test_an_answer_that_is_lost_leaves_one_project_and_it_is_adopted(
    site: Site, supabase_sandbox: Sandbox, kind: str
):
    supabase_sandbox.faults(POST_PROJECT, {"kind": kind, "status": 502})

    made = await with_project(site)

    assert list(public(supabase_sandbox)) == [made.vendor_id]
    assert (posts(supabase_sandbox), made.attempts) == (1, 1)


@pytest.mark.parametrize("kind", ["drop_before_accept", "status"])
async def test_a_call_that_may_still_arrive_is_waited_for_before_the_next(
    site: Site, supabase_sandbox: Sandbox, kind: str
):
    supabase_sandbox.faults(POST_PROJECT, {"kind": kind, "status": 503})
    with pytest.raises(NotYet, match="looked for again"):
        await supabase_project(site.ledger)
    with pytest.raises(NotYet, match="may still arrive"):
        await supabase_project(site.ledger)
    assert ((await row(site)).state, posts(supabase_sandbox)) == ("unknown", 1)

    made = await with_project(site)

    assert list(public(supabase_sandbox)) == [made.vendor_id]
    assert (posts(supabase_sandbox), made.attempts) == (2, 2)


async def test_where_the_search_fails_too_the_lost_call_stays_open(site: Site, supabase_sandbox: Sandbox):
    supabase_sandbox.faults(POST_PROJECT, {"kind": "drop_before_accept"})
    supabase_sandbox.faults(FIND, {"kind": "slow_body", "seconds": 0}, {"kind": "status", "status": 403, "times": 2})

    for _ in range(2):
        with pytest.raises(VendorError, match="organization_projects_read"):
            await supabase_project(site.ledger)
        assert (await row(site)).state == "unknown"

    with pytest.raises(NotYet, match="may still arrive"):
        await supabase_project(site.ledger)
    assert posts(supabase_sandbox) == 1


async def test_runs_that_meet_make_one_project(site: Site, supabase_sandbox: Sandbox):
    made = await asyncio.gather(*(with_project(site) for _ in range(4)))

    assert {one.vendor_id for one in made} == set(public(supabase_sandbox))
    assert (posts(supabase_sandbox), (await row(site)).attempts) == (1, 1)


async def test_a_throttled_call_made_nothing_and_nobody_asks_again_until_the_time_is_over(
    site: Site, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vendor_limits, "HOLDS_LAST_SECONDS", 0.0)
    supabase_sandbox.faults(POST_PROJECT, {"kind": "rate_limit", "retry_after": 40})

    for _ in range(2):
        with pytest.raises(VendorError) as raised:
            await supabase_project(site.ledger)
        assert raised.value.error_class is ErrorClass.THROTTLED

    assert ((await row(site)).state, public(supabase_sandbox), posts(supabase_sandbox)) == ("failed", {}, 1)
    await master_rows(site.stack, "update vendor_limits set held_until = now() returning vendor")
    await with_project(site)
    assert posts(supabase_sandbox) == 2


async def test_a_strangers_project_of_the_name_is_never_adopted(site: Site, supabase_sandbox: Sandbox):
    stranger = await asyncio.to_thread(new_project, supabase_sandbox, "kloof-coffee-db")

    for _ in range(2):
        with pytest.raises(NameTaken, match="'kloof-coffee-db' is there already and is not ours"):
            await supabase_project(site.ledger)

    found = await row(site)
    assert (found.state, found.vendor_id, found.attempts) == ("needs_review", None, 0)
    assert list(public(supabase_sandbox)) == [stranger]


async def test_a_strangers_project_that_came_in_meanwhile_does_not_take_our_password(
    site: Site, supabase_sandbox: Sandbox
):
    supabase_sandbox.faults(POST_PROJECT, {"kind": "drop_before_accept"})
    with pytest.raises(NotYet):
        await supabase_project(site.ledger)
    stranger = await asyncio.to_thread(new_project, supabase_sandbox, "kloof-coffee-db")

    with pytest.raises(NameTaken, match="does not take our password"):
        await supabase_project(site.ledger)

    assert ((await row(site)).state, (await row(site)).vendor_id) == ("needs_review", None)
    assert list(public(supabase_sandbox)) == [stranger]


async def test_ours_is_found_beside_a_strangers(site: Site, supabase_sandbox: Sandbox):
    supabase_sandbox.faults(POST_PROJECT, {"kind": "accept_then_drop"})
    with pytest.raises(NotYet):
        await supabase_project(site.ledger)
    [ours] = public(supabase_sandbox)
    stranger = await asyncio.to_thread(new_project, supabase_sandbox, "kloof-coffee-db")

    made = await with_project(site)

    assert made.vendor_id == ours
    assert list(public(supabase_sandbox)) == [ours, stranger]


async def test_a_project_whose_start_failed_is_for_a_person_and_not_made_again(
    site: Site, supabase_sandbox: Sandbox, postgres_dsn: str
):
    supabase_sandbox.settings(postgres_dsn="postgresql://nobody@127.0.0.1:1/postgres")
    with pytest.raises(NeedsReview, match="is INIT_FAILED"):
        await with_project(site)
    supabase_sandbox.settings(postgres_dsn=postgres_dsn)

    with pytest.raises(NeedsReview, match="is INIT_FAILED"):
        await supabase_project(site.ledger)

    assert ((await row(site)).state, posts(supabase_sandbox)) == ("needs_review", 1)


async def test_a_project_that_was_deleted_while_it_came_up_is_not_replaced(site: Site, supabase_sandbox: Sandbox):
    supabase_sandbox.settings(supabase_project_seconds=0.3)
    with pytest.raises(NotYet):
        await supabase_project(site.ledger)
    [ref] = public(supabase_sandbox)
    await asyncio.to_thread(management, supabase_sandbox, "DELETE", f"/projects/{ref}")

    with pytest.raises(NeedsReview, match="is gone: it was deleted at Supabase"):
        await supabase_project(site.ledger)

    assert ((await row(site)).state, public(supabase_sandbox)) == ("needs_review", {})


@pytest.mark.parametrize("before", [True, False])
async def test_wherever_a_run_is_cut_off_there_is_one_project(
    stack: Stack, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, before: bool
):
    cutter = Cutter(0, before=before)
    while cutter.was_in_time:
        cutter = Cutter(cutter.at + 1, before=before)
        site = await new_client(stack, f"cut-{cutter.at}")
        await cutter.run(site, supabase_project, monkeypatch)

        made = await with_project(site)

        named = [ref for ref, project in public(supabase_sandbox).items() if project["name"] == f"cut-{cutter.at}-db"]
        assert named == [made.vendor_id]
        assert made.secrets[PASSWORD]
    assert cutter.at > 15


async def test_a_worker_that_is_killed_within_the_call_leaves_one_project(
    site: Site, supabase_sandbox: Sandbox, master_dsn: str
):
    supabase_sandbox.faults(POST_PROJECT, {"kind": "accept_then_hang"})
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.workflows.project_worker", "kloof-coffee", str(supabase_sandbox.port), master_dsn
    )
    await asyncio.to_thread(wait_for_project, supabase_sandbox)
    worker.kill()
    await worker.wait()
    assert ((await row(site)).state, (await row(site)).vendor_id) == ("calling", None)

    made = await with_project(site)

    assert list(public(supabase_sandbox)) == [made.vendor_id]
    assert posts(supabase_sandbox) == 1
