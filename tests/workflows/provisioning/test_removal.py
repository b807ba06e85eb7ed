"""Taking a stack down: backwards, only what is ours, and to the end whatever is lost on the way."""

import asyncio
from typing import Any

import pytest

from draggonnb_pipelines.domain.n8n_workflows import credential_id
from draggonnb_pipelines.domain.provisioning import STEPS, Resource, project_name, repo_name
from draggonnb_pipelines.errors import NeedsReview, OperatorError, VendorError
from draggonnb_pipelines.workflows.provisioning.removal import abort, remove_stack
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, NotYet
from draggonnb_pipelines.workflows.publishing.agenda import showing_life
from tests.sandbox_process import Sandbox
from tests.supabase_calls import new_project
from tests.workflows.client_desk import OWNER, Desk, cut_at_each_reading, settled
from tests.workflows.lead_work import master_rows
from tests.workflows.stood_up import (
    NOTHING,
    SLUG,
    cancellations,
    impatient,
    provision_row,
    stand_up,
    things_left,
    with_marked_repo,
    with_site,
    writes,
)

PROJECT, REPO = project_name(SLUG), repo_name(SLUG)
REMOVING = (
    "DELETE /supabase/v1/projects/{ref}",
    "DELETE /github/repos/{owner}/{name}",
    "DELETE /vercel/v9/projects/{project}",
    "POST /n8n/api/v1/workflows/{id}/archive",
    "DELETE /n8n/api/v1/credentials/{id}",
)


async def taken_down(ledger: Ledger) -> Resource:
    """As a step, so that it can be repeated as one."""
    return (await remove_stack(ledger))[0]


async def states(desk: Desk) -> set[str]:
    return {row.state for row in await desk.ledger.resources()}


async def test_everything_goes_the_last_step_first_and_a_second_run_asks_nobody(desk: Desk, supabase_sandbox: Sandbox):
    sandbox = supabase_sandbox
    desk = await stand_up(desk, sandbox)
    before = len(writes(sandbox))

    rows = await remove_stack(desk.ledger)

    assert things_left(sandbox) == NOTHING
    assert {row.state for row in rows} == {"removed"}
    assert {row.step for row in rows} == set(STEPS)
    assert all(row.secrets == {} for row in rows)
    removals = [f"{method} {path.split('/')[1]}" for method, path in writes(sandbox)[before:]]
    assert removals == [
        *["POST n8n"] * 3, "DELETE n8n", "DELETE vercel", "DELETE github", "DELETE supabase"
    ]  # fmt: skip
    again = len(sandbox.journal())
    assert await remove_stack(desk.ledger) == rows
    assert len(sandbox.journal()) == again


async def test_whoever_was_invited_to_the_call_is_told_once_and_the_half_hour_is_free(
    desk: Desk, supabase_sandbox: Sandbox
):
    desk = await stand_up(desk, supabase_sandbox)

    await remove_stack(desk.ledger)
    await remove_stack(desk.ledger)

    mails = cancellations(supabase_sandbox)
    assert sorted(mail["recipient"] for mail in mails) == [OWNER, "sales@draggonnb.example"]
    assert all("UID:call-1@x.example" in mail["calendar"] and "SEQUENCE:1" in mail["calendar"] for mail in mails)
    assert await master_rows(desk.stack, "select * from kickoff_calls") == []


async def test_cut_off_wherever_it_reads_the_clock_it_ends_the_same(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)

    assert await cut_at_each_reading(desk, taken_down) > 5

    assert things_left(supabase_sandbox) == NOTHING
    assert await states(desk) == {"removed"}
    assert len(cancellations(supabase_sandbox)) == 2


@pytest.mark.parametrize("route", REMOVING)
@pytest.mark.parametrize("kind", ["accept_then_status", "accept_then_drop", "drop_before_accept"])
async def test_a_removal_whose_answer_is_lost_is_done_once_it_is_repeated(
    desk: Desk, supabase_sandbox: Sandbox, route: str, kind: str
):
    desk = await stand_up(desk, supabase_sandbox)
    status: dict[str, Any] = {"status": 502} if kind == "accept_then_status" else {}
    supabase_sandbox.faults(route, {"kind": kind, **status}, repeat=True)

    async with impatient(desk) as hasty:
        with pytest.raises(VendorError):
            await remove_stack(hasty.ledger)
    waiting = [row for row in await desk.ledger.resources() if row.state == "removing"]
    supabase_sandbox.clear_faults()
    await remove_stack(desk.ledger)

    assert len(waiting) == 1
    assert waiting[0].last_error
    assert things_left(supabase_sandbox) == NOTHING
    assert await states(desk) == {"removed"}
    assert len(cancellations(supabase_sandbox)) == 2


async def test_what_a_call_made_whose_answer_was_lost_is_found_by_its_mark_and_removed(
    desk: Desk, supabase_sandbox: Sandbox
):
    await with_marked_repo(desk, supabase_sandbox, answered=False)
    planned = await desk.ledger.plan(
        "supabase_project", "supabase", PROJECT, secrets={"db_pass": "correct-horse-battery"}
    )
    await desk.ledger.begin(planned)
    await asyncio.to_thread(new_project, supabase_sandbox, PROJECT)

    await settled(desk, taken_down)

    assert things_left(supabase_sandbox) == NOTHING
    assert await states(desk) == {"removed"}


async def test_what_may_still_arrive_is_waited_for(desk: Desk, supabase_sandbox: Sandbox):
    planned = await desk.ledger.plan("github_repo", "github", REPO)
    await desk.ledger.begin(planned)

    with pytest.raises(NotYet):
        await remove_stack(desk.ledger)
    await with_marked_repo(desk, supabase_sandbox, answered=False)
    await settled(desk, taken_down)

    assert things_left(supabase_sandbox) == NOTHING


async def test_strangers_of_the_same_names_are_left_alone(desk: Desk, supabase_sandbox: Sandbox):
    sandbox = supabase_sandbox
    sandbox.settings(github_copy_seconds=0.0)
    await asyncio.to_thread(new_project, sandbox, PROJECT)
    await desk.stack.github.create_from_template("draggonnb/client-template", "draggonnb", REPO, description="Mine")
    await desk.stack.vercel.create_project(REPO, f"draggonnb/{REPO}")
    nodes = [{"id": "1", "name": "Webhook", "type": "n8n-nodes-base.webhook", "webhookId": "other", "parameters": {}}]
    workflow = {"name": f"{SLUG}/analytics", "nodes": nodes, "connections": {}, "settings": {}}
    await desk.stack.n8n.create_workflow(workflow)
    secrets = {"db_pass": "another password"}
    for step, vendor, name in (
        ("supabase_project", "supabase", PROJECT),
        ("github_repo", "github", REPO),
        ("environment", "vercel", REPO),
        ("n8n_webhooks", "n8n", f"{SLUG}/analytics"),
    ):
        await desk.ledger.begin(await desk.ledger.plan(step, vendor, name, secrets=secrets))
    before = things_left(sandbox)
    asked = len(writes(sandbox))

    await settled(desk, taken_down)

    assert things_left(sandbox) == before
    assert len(writes(sandbox)) == asked
    assert await states(desk) == {"removed"}


async def test_a_project_of_which_it_can_never_be_told_whose_it_is_waits_for_a_person(
    desk: Desk, supabase_sandbox: Sandbox
):
    planned = await desk.ledger.plan(
        "supabase_project", "supabase", PROJECT, secrets={"db_pass": "correct-horse-battery"}
    )
    await desk.ledger.begin(planned)
    ref = await asyncio.to_thread(new_project, supabase_sandbox, PROJECT)
    await desk.stack.supabase.pause(ref)

    with pytest.raises(NeedsReview, match="cannot be told"):
        await settled(desk, taken_down)

    assert things_left(supabase_sandbox)["supabase"] == [PROJECT]
    [row] = await desk.ledger.resources()
    assert (row.state, bool(row.last_error)) == ("removing", True)


@pytest.mark.parametrize("reached", range(5))
async def test_an_abort_after_any_step_leaves_nothing_but_the_organization_and_its_key(
    desk: Desk, supabase_sandbox: Sandbox, reached: int
):
    await provision_row(desk, "failed")
    made = (
        lambda: desk.with_project(supabase_sandbox),
        lambda: with_marked_repo(desk, supabase_sandbox),
        lambda: with_site(desk, supabase_sandbox),
        lambda: desk.ledger.plan("n8n_webhooks", "n8n", f"{SLUG}/generate-content"),
    )
    for step in made[:reached]:
        await step()

    async def aborted(ledger: Ledger) -> Any:
        return await abort(desk.stack, SLUG, by="test")

    await settled(desk, aborted)
    asked = len(supabase_sandbox.journal())
    await aborted(desk.ledger)

    assert len(supabase_sandbox.journal()) == asked
    assert things_left(supabase_sandbox) == NOTHING
    assert await states(desk) <= {"removed"}
    query = (
        "select status, data_key_wrapped is null as shredded, webhook_token_sha256 from organizations where slug = %s"
    )
    assert await master_rows(desk.stack, query, SLUG) == [
        {"status": "closed", "shredded": False, "webhook_token_sha256": None}
    ]
    assert [row["state"] for row in await master_rows(desk.stack, "select state from provisionings")] == ["aborted"]
    audit = await master_rows(desk.stack, "select actor from audit_log where action = 'organization.aborted'")
    assert audit == [{"actor": "test"}]


async def test_an_abort_begins_when_what_a_dead_run_asked_for_must_have_arrived(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox, state="failed")
    await master_rows(desk.stack, "update provisionings set state = 'running', run_id = 'run-9', started_at = now()")
    things = things_left(supabase_sandbox)

    async def aborted(ledger: Ledger) -> Any:
        return await abort(desk.stack, SLUG, by="test")

    with pytest.raises(NotYet, match="may still arrive"):
        await aborted(desk.ledger)
    assert things_left(supabase_sandbox) == things
    # As if the dead run's call came only now: the credential is put at every run, without a row of its own.
    await desk.stack.n8n.put_credential(credential_id(desk.client), SLUG, {"name": "X-Webhook-Token", "value": "late"})
    await settled(desk, aborted)

    assert things_left(supabase_sandbox) == NOTHING
    assert [row["state"] for row in await master_rows(desk.stack, "select state from provisionings")] == ["aborted"]


async def test_a_client_that_a_living_run_holds_or_that_stands_is_not_aborted(desk: Desk, supabase_sandbox: Sandbox):
    await provision_row(desk, "done")
    with pytest.raises(OperatorError, match="is set up"):
        await abort(desk.stack, SLUG, by="test")

    async with desk.stack.master.connection() as conn:
        await conn.execute("update provisionings set state = 'running', run_id = 'run-9'")
    async with showing_life(desk.stack.master, "run-9"):
        with pytest.raises(OperatorError, match="run-9 is at work"):
            await abort(desk.stack, SLUG, by="test")
    await abort(desk.stack, SLUG, by="test")

    assert [row["state"] for row in await master_rows(desk.stack, "select state from provisionings")] == ["aborted"]


async def test_the_agency_itself_and_nobody_are_not_aborted(desk: Desk):
    with pytest.raises(OperatorError, match="the agency itself"):
        await abort(desk.stack, "draggonnb", by="test")
    with pytest.raises(OperatorError, match="no organization has the slug"):
        await abort(desk.stack, "nobody", by="test")
