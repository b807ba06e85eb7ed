"""The client's entries in n8n: one published workflow per path, whatever becomes of the calls that make it."""

import asyncio
import dataclasses

import httpx
import pytest

from draggonnb_pipelines.domain.n8n_workflows import credential_id, entry_workflow, webhook_id
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.workflows.organizations import webhook_token
from draggonnb_pipelines.workflows.provisioning.n8n_webhooks import TOKEN_CONTEXT, n8n_webhooks
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NameTaken, NotYet
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk, cut_at_each_reading, cut_off, settled
from tests.workflows.lead_work import tenant_rows

PATHS = ["kloof-coffee/analytics", "kloof-coffee/generate-content", "kloof-coffee/notifications"]
CREATE = "POST /n8n/api/v1/workflows"
PUBLISH = "POST /n8n/api/v1/workflows/{id}/publish"
ROUTES = ("POST /n8n/api/v1/credentials", CREATE, PUBLISH)


def entries(sandbox: Sandbox) -> list[str]:
    """What answers, by path, workflows that were put away left out."""
    return sorted(path for one in sandbox.public("n8n") if not one["archived"] for path in one["webhooks"])


def assert_one_each(sandbox: Sandbox) -> None:
    assert entries(sandbox) == [f"POST {path}" for path in PATHS]
    living = [one for one in sandbox.public("n8n") if not one["archived"]]
    assert sorted(one["name"] for one in living) == PATHS
    assert len(sandbox.public("n8n_credential")) == 1


async def test_three_entries_answer_with_the_clients_token_and_stand_in_its_database(
    desk: Desk, sandbox: Sandbox
) -> None:
    resource = await n8n_webhooks(desk.ledger)

    assert_one_each(sandbox)
    token = webhook_token(desk.client.organization, desk.stack.tenants)
    [credential] = sandbox.public("n8n_credential")
    assert (credential["id"], credential["data"]) == (
        credential_id(desk.client),
        {"name": "X-Webhook-Token", "value": token},
    )
    assert (resource.name, resource.state) == ("kloof-coffee/generate-content", "ready")
    rows = await tenant_rows(desk.stack, desk.client.organization, "select * from n8n_webhooks order by webhook_type")
    ids = {one["name"]: one["id"] for one in sandbox.public("n8n")}
    key = desk.stack.tenants.key(desk.client.organization)
    assert [
        (
            row["webhook_type"],
            row["webhook_url"],
            row["workflow_id"],
            key.open(row["token_sealed"], TOKEN_CONTEXT).decode(),
        )
        for row in rows
    ] == [(path.split("/")[1], f"{sandbox.url}/n8n/webhook/{path}", ids[path], token) for path in PATHS]
    assert await desk.rows("n8n_webhooks") == [(path, "ready", ids[path]) for path in sorted(PATHS, key=_planned)]
    assert await tenant_rows(desk.stack, desk.agency, "select * from n8n_webhooks") == []


async def test_again_is_the_same_and_a_new_address_of_ours_reaches_n8n(desk: Desk, sandbox: Sandbox) -> None:
    await n8n_webhooks(desk.ledger)
    before = await desk.rows("n8n_webhooks")
    settings = desk.stack.settings.model_copy(update={"public_base_url": f"{sandbox.url}/nowhere"})

    moved = dataclasses.replace(desk, stack=dataclasses.replace(desk.stack, settings=settings))
    await n8n_webhooks(moved.ledger)

    assert_one_each(sandbox)
    assert await desk.rows("n8n_webhooks") == before
    token = webhook_token(desk.client.organization, desk.stack.tenants)
    async with httpx.AsyncClient() as caller:
        url = desk.stack.n8n.webhook_url("kloof-coffee/analytics")
        refused = await caller.post(url, json={"day": "2026-11-23"}, headers={"X-Webhook-Token": "another"})
        answer = await caller.post(url, json={"day": "2026-11-23"}, headers={"X-Webhook-Token": token})
    assert (refused.status_code, answer.status_code) == (403, 404)
    [forwarded] = [entry for entry in sandbox.journal() if entry["path"] == "/nowhere/webhook/kloof-coffee/analytics"]
    assert (forwarded["method"], forwarded["body"]) == ("POST", {"day": "2026-11-23"})


async def test_a_path_that_another_workflow_has_is_never_taken(desk: Desk, sandbox: Sandbox) -> None:
    foreign = entry_workflow(desk.client, "analytics", api_url="https://elsewhere.example")
    foreign["nodes"][0]["webhookId"] = "5f2b8e0c-7a51-4a0c-9f57-0d6a4b7f3c11"
    stranger = await desk.stack.n8n.create_workflow(foreign)
    await desk.stack.n8n.publish(stranger.id)

    for _ in range(2):
        with pytest.raises(NameTaken, match="kloof-coffee/analytics"):
            await n8n_webhooks(desk.ledger)

    assert entries(sandbox) == ["POST kloof-coffee/analytics", "POST kloof-coffee/generate-content"]
    [theirs] = [one for one in sandbox.public("n8n") if one["id"] == stranger.id]
    assert (theirs["active"], theirs["archived"]) == (True, False)
    assert len([one for one in sandbox.public("n8n") if one["name"] == "kloof-coffee/analytics"]) == 2
    states = {name: state for name, state, _ in await desk.rows("n8n_webhooks")}
    assert states["kloof-coffee/analytics"] == "needs_review"
    assert await tenant_rows(desk.stack, desk.client.organization, "select * from n8n_webhooks") == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_status", "status": 502},
        {"kind": "accept_then_drop"},
        {"kind": "drop_before_accept"},
        {"kind": "status", "status": 503},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_calls_with_lost_answers_leave_one_workflow(
    desk: Desk, sandbox: Sandbox, fault: dict[str, object]
) -> None:
    for route in ROUTES:
        sandbox.faults(route, fault)

    await settled(desk, n8n_webhooks)
    await settled(desk, n8n_webhooks)

    assert_one_each(sandbox)
    assert {state for _, state, _ in await desk.rows("n8n_webhooks")} == {"ready"}


async def test_runs_that_are_stopped_after_n8n_took_the_call_leave_one_workflow(desk: Desk, sandbox: Sandbox) -> None:
    for route in ROUTES:
        sandbox.faults(route, {"kind": "accept_then_hang"})
        assert await cut_off(desk, n8n_webhooks, after=0.6)
        sandbox.clear_faults()

    await settled(desk, n8n_webhooks)

    assert_one_each(sandbox)


async def test_what_may_still_arrive_is_waited_for(desk: Desk, sandbox: Sandbox) -> None:
    resource = await desk.ledger.plan("n8n_webhooks", "n8n", "kloof-coffee/generate-content")
    await desk.ledger.begin(resource)

    with pytest.raises(NotYet):
        await n8n_webhooks(desk.ledger)

    assert entries(sandbox) == []


async def test_runs_that_are_cut_anywhere_and_two_at_once_leave_one_each(desk: Desk, sandbox: Sandbox) -> None:
    assert await cut_at_each_reading(desk, n8n_webhooks) > 3

    await asyncio.gather(*(settled(desk, n8n_webhooks) for _ in range(2)), return_exceptions=True)
    await settled(desk, n8n_webhooks)

    assert_one_each(sandbox)
    rows = await tenant_rows(desk.stack, desk.client.organization, "select webhook_type from n8n_webhooks")
    assert len(rows) == 3


async def test_an_open_review_in_n8n_is_said_and_nothing_stands_in_the_clients_database(
    desk: Desk, sandbox: Sandbox
) -> None:
    sandbox.faults(PUBLISH, {"kind": "review_pending"})

    with pytest.raises(VendorError) as raised:
        await n8n_webhooks(desk.ledger)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.PERMISSION, "review_pending")
    [(_, state, vendor_id), *_] = await desk.rows("n8n_webhooks")
    assert state == "failed"
    assert vendor_id is not None, "what was made must be found by an abort"
    assert await tenant_rows(desk.stack, desk.client.organization, "select * from n8n_webhooks") == []


def test_no_two_entries_and_no_two_clients_share_an_id(desk: Desk) -> None:
    other = dataclasses.replace(desk.client, organization=desk.agency)

    ids = {webhook_id(client, kind) for client in (desk.client, other) for kind in ("analytics", "notifications")}

    assert len(ids) == 4
    assert credential_id(desk.client) != credential_id(other)
    assert len(credential_id(desk.client)) == 16


def _planned(path: str) -> int:
    return ["generate-content", "analytics", "notifications"].index(path.split("/")[1])
