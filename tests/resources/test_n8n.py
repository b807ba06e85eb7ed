"""The n8n adapter against the sandbox: workflows to the archive, credentials, webhooks that really answer."""

import asyncio
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.n8n import PAGE_SIZE, N8n
from tests.resources.provisioning_clients import asked, entry_workflow, n8n, visit
from tests.sandbox_process import Sandbox

WORKFLOWS = "POST /n8n/api/v1/workflows"
CREDENTIAL = "crmm000000000001"
NAME = "crmm:kloof:content"
TOKEN = {"X-Webhook-Token": "token-of-kloof"}


def public(sandbox: Sandbox, kind: str = "n8n") -> list[dict[str, Any]]:
    return sandbox.public(kind)


async def put_token(client: N8n, value: str = "token-of-kloof") -> None:
    await client.put_credential(CREDENTIAL, "kloof", {"name": "X-Webhook-Token", "value": value})


async def test_a_published_workflow_answers_whoever_has_its_token(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    await put_token(client)

    made = await client.create_workflow(entry_workflow())
    url = client.webhook_url("kloof/generate-content")
    before = await visit(url, method="POST", body={"a": 1}, headers=TOKEN)
    published = await client.publish(made.id)
    answered = await visit(url, method="POST", body={"a": 1}, headers=TOKEN)
    refused = await visit(url, method="POST", body={"a": 2}, headers={"X-Webhook-Token": "wrong"})

    assert (made.name, made.is_active, published.is_active) == (NAME, False, True)
    assert made.webhook_ids == {"5f2b8e0c-7a51-4a0c-9f57-0d6a4b7f3c11"}
    assert (before.status_code, answered.status_code, answered.json()) == (404, 202, {"taken": True})
    assert (refused.status_code, refused.text) == (403, "Authorization data is wrong!")
    (workflow,) = public(sandbox)
    assert [entry["body"] for entry in workflow["received"]] == [{"a": 1}]
    assert (await client.workflow(made.id)).is_active


async def test_publishing_and_unpublishing_set_a_state(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    made = await client.create_workflow(entry_workflow())

    twice = [(await client.publish(made.id)).is_active for _ in range(2)]
    off = [(await client.unpublish(made.id)).is_active for _ in range(2)]

    assert (twice, off) == ([True, True], [False, False])
    assert (await visit(client.webhook_url("kloof/generate-content"), method="POST")).status_code == 404


async def test_exactly_this_name_is_found_over_all_pages_and_nothing_archived(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    near = ("crmm:kloof:content-2", "old crmm:kloof:content", "CRMM:kloof:content")
    gone = await client.create_workflow(entry_workflow())
    await client.archive(gone.id)
    first = await client.create_workflow(entry_workflow())
    await asyncio.gather(*(client.create_workflow(entry_workflow(name=near[index % 3])) for index in range(PAGE_SIZE)))
    last = await client.create_workflow(entry_workflow())

    found = await client.find_workflows(NAME)

    assert [one.id for one in found] == [first.id, last.id]
    assert asked(sandbox, "n8n", "GET") == ["/n8n/api/v1/workflows"] * 2
    assert await client.find_workflows("crmm:kloof") == []


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body"])
async def test_a_lost_answer_is_ambiguous_and_the_workflow_is_found(
    door: HttpDoor, sandbox: Sandbox, waits: list[float], kind: str
):
    sandbox.faults(WORKFLOWS, {"kind": kind, "status": 503})
    client = n8n(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_workflow(entry_workflow())
    found = await client.find_workflows(NAME)

    assert (raised.value.error_class, waits) == (ErrorClass.AMBIGUOUS, [])
    assert [one.id for one in found] == [one["id"] for one in public(sandbox)]
    assert len(found) == len(asked(sandbox, "n8n", "POST")) == 1


async def test_a_creation_that_never_arrived_is_ambiguous_too_and_nothing_is_found(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults(WORKFLOWS, {"kind": "drop_before_accept"})
    client = n8n(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_workflow(entry_workflow())

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert await client.find_workflows(NAME) == []


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "drop_before_accept"])
async def test_every_other_call_may_be_repeated(door: HttpDoor, sandbox: Sandbox, kind: str):
    client = n8n(door, sandbox.url)
    for route in ("PUT */workflows/*", "POST */publish", "POST */credentials", "POST */archive"):
        sandbox.faults(route, {"kind": kind, "status": 502})
    made = await client.create_workflow(entry_workflow())

    await client.update_workflow(made.id, entry_workflow("kloof/other"))
    await client.publish(made.id)
    await put_token(client)
    (active,) = public(sandbox)
    await client.archive(made.id)

    (workflow,), (credential,) = public(sandbox), public(sandbox, "n8n_credential")
    assert active["webhooks"] == ["POST kloof/other"]
    assert (workflow["active"], workflow["archived"]) == (False, True)
    assert credential["data"] == {"name": "X-Webhook-Token", "value": "token-of-kloof"}


async def test_an_update_of_a_published_workflow_moves_its_webhook_at_once(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    await put_token(client)
    made = await client.create_workflow(entry_workflow())
    await client.publish(made.id)

    updated = await client.update_workflow(made.id, entry_workflow("kloof/new"))

    codes = [
        (await visit(client.webhook_url(path), method="POST", headers=TOKEN)).status_code
        for path in ("kloof/generate-content", "kloof/new")
    ]
    assert (updated.id, updated.is_active, codes) == (made.id, True, [404, 202])


async def test_a_path_that_another_workflow_has_is_a_duplicate_and_the_other_goes_on(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    first = await client.create_workflow(entry_workflow())
    await client.publish(first.id)
    second = await client.create_workflow(entry_workflow(name="crmm:other:content"))

    with pytest.raises(VendorError) as published:
        await client.publish(second.id)
    await client.update_workflow(second.id, entry_workflow("other/generate-content", name="crmm:other:content"))
    await client.publish(second.id)
    with pytest.raises(VendorError) as updated:
        await client.update_workflow(second.id, entry_workflow(name="crmm:other:content"))

    for raised in (published, updated):
        assert (raised.value.error_class, raised.value.code) == (ErrorClass.DUPLICATE, "webhook_path")
        assert raised.value.message == "HTTP 409, another workflow has the webhook's path"
    webhooks = [one["webhooks"] for one in public(sandbox)]
    assert webhooks == [["POST kloof/generate-content"], ["POST other/generate-content"]]


async def test_an_open_review_is_for_a_person(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    made = await client.create_workflow(entry_workflow())
    sandbox.faults("POST */publish", {"kind": "review_pending"})

    with pytest.raises(VendorError) as raised:
        await client.publish(made.id)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.PERMISSION, "review_pending")
    assert not public(sandbox)[0]["active"]


async def test_a_webhook_without_its_id_is_not_even_sent(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    made = await client.create_workflow(entry_workflow())

    with pytest.raises(ValueError, match="webhook node 'Webhook' has no webhookId"):
        await client.create_workflow(entry_workflow(webhookId=None))
    with pytest.raises(ValueError, match="has no webhookId"):
        await client.update_workflow(made.id, entry_workflow(webhookId=None))

    assert len(sandbox.journal("n8n")) == 1


async def test_what_n8n_sets_itself_may_not_be_sent(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await n8n(door, sandbox.url).create_workflow({**entry_workflow(), "active": True})

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.INPUT, 400)
    assert public(sandbox) == []


async def test_a_credential_is_set_whether_it_is_new_or_not(door: HttpDoor, sandbox: Sandbox, waits: list[float]):
    client = n8n(door, sandbox.url)

    for value in ("first", "second"):
        await put_token(client, value)

    (credential,) = public(sandbox, "n8n_credential")
    assert credential == {
        "kind": "n8n_credential",
        "id": CREDENTIAL,
        "name": "kloof",
        "type": "httpHeaderAuth",
        "data": {"name": "X-Webhook-Token", "value": "second"},
    }
    assert (asked(sandbox, "n8n", "PATCH"), waits) == ([f"/n8n/api/v1/credentials/{CREDENTIAL}"], [])


async def test_archiving_what_is_gone_is_as_good(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    made = await client.create_workflow(entry_workflow())
    await client.publish(made.id)

    for workflow_id in (made.id, made.id, "nobody"):
        await client.archive(workflow_id)

    assert [(one["active"], one["archived"]) for one in public(sandbox)] == [(False, True)]


async def test_the_key_says_what_it_may_and_is_stopped_at_the_rest(door: HttpDoor, sandbox: Sandbox):
    client = n8n(door, sandbox.url)
    made = await client.create_workflow(entry_workflow())
    everything = await client.discover()
    sandbox.settings(n8n_scopes="workflow:read,workflow:list")

    with pytest.raises(VendorError) as raised:
        await client.publish(made.id)

    assert {"workflow:create", "workflow:activate", "credential:create"} <= everything
    assert await client.discover() == {"workflow:read", "workflow:list"}
    assert (raised.value.error_class, raised.value.status) == (ErrorClass.PERMISSION, 403)
    assert not public(sandbox)[0]["active"]


async def test_a_wrong_key_is_an_auth_error(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await n8n(door, sandbox.url, api_key="bad").discover()

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.AUTH, 401)


async def test_all_workflows_that_are_not_archived_come_over_all_pages(
    door: HttpDoor, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    adapter = n8n(door, sandbox.url)
    made = [await adapter.create_workflow(entry_workflow(f"kloof/{number}", name=f"w{number}")) for number in range(5)]
    await adapter.archive(made[1].id)
    monkeypatch.setattr("draggonnb_pipelines.resources.n8n.PAGE_SIZE", 2)

    workflows = await adapter.list_workflows()

    assert sorted(workflow.name for workflow in workflows) == ["w0", "w2", "w3", "w4"]
    assert len(asked(sandbox, "n8n", "GET")) == 3


async def test_a_credential_is_deleted_once_and_again(door: HttpDoor, sandbox: Sandbox):
    adapter = n8n(door, sandbox.url)
    await adapter.put_credential("crmm000000000001", "kloof", {"name": "X-Webhook-Token", "value": "one"})
    await adapter.put_credential("crmm000000000002", "other", {"name": "X-Webhook-Token", "value": "two"})

    await adapter.delete_credential("crmm000000000001")
    await adapter.delete_credential("crmm000000000001")

    assert [one["id"] for one in sandbox.public("n8n_credential")] == ["crmm000000000002"]
