"""Provisioning, the client's entries in n8n: a published workflow for each kind of request, behind its token.

Lives here: making, adopting and publishing them, and their rows in the client's database. Not here: what a workflow
holds (`domain/n8n_workflows.py`), n8n's answers (`resources/n8n.py`).

n8n takes no idempotency key and lets names be there twice. Ours carry webhook ids that nobody else has, so a workflow
of a call whose answer was lost is found again, and a stranger's of the same name is left alone.
"""

from collections.abc import Mapping
from typing import Any

from draggonnb_pipelines.domain.n8n_workflows import TOKEN_HEADER, credential_id, entry_workflow, webhook_id
from draggonnb_pipelines.domain.provisioning import WEBHOOKS, Resource, webhook_path
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.n8n_wire import VENDOR, Workflow
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS, webhook_token
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NameTaken

ONBOARDING = load_queries("onboarding")
STEP = "n8n_webhooks"
# Associated data of `n8n_webhooks.token_sealed`, sealed with the tenant's key.
TOKEN_CONTEXT = "n8n_webhooks:token"


async def n8n_webhooks(ledger: Ledger) -> Resource:
    """The three entries answer with the client's token, each forwarding to our own API; the first one's row.

    1. the rows of intent  2. the token among n8n's credentials  3. each workflow, made or found, published, or not
    where the client is not served  4. the entries in the client's own database

    Raises:
        NameTaken: another workflow has one of the paths.
        NotYet: a workflow may still come of an earlier call.
        VendorError: sorted; PERMISSION with a code where a review of the workflow is open in n8n.
    """
    client, stack = ledger.client, ledger.stack
    planned = {kind: await _plan(ledger, kind) for kind in WEBHOOKS}
    token = webhook_token(client.organization, stack.tenants)
    await stack.n8n.put_credential(credential_id(client), client.slug, {"name": TOKEN_HEADER, "value": token})
    made = {kind: await _publish(ledger, kind, resource) for kind, resource in planned.items()}
    async with stack.tenants.open(client.organization) as tenant, tenant.conn.transaction():
        for kind, resource in made.items():
            await ONBOARDING.put_webhook(
                tenant.conn,
                webhook_type=kind,
                webhook_url=resource.url,
                workflow_id=resource.vendor_id,
                token_sealed=tenant.key.seal(token.encode(), TOKEN_CONTEXT),
            )
    return made[WEBHOOKS[0]]


async def _plan(ledger: Ledger, kind: str) -> Resource:
    client = ledger.client
    details = {"credential_id": credential_id(client), "webhook_id": webhook_id(client, kind)}
    return await ledger.plan(STEP, VENDOR, webhook_path(client.slug, kind), details=details)


async def _publish(ledger: Ledger, kind: str, resource: Resource) -> Resource:
    """One entry, there once and published as it is defined today."""
    n8n = ledger.stack.n8n
    definition = entry_workflow(ledger.client, kind, api_url=ledger.stack.settings.base_url)
    standing = "running" if await _is_served(ledger) else "stopped"

    async def answering(workflow: Workflow) -> Made:
        if standing == "stopped":
            return _made(ledger, await n8n.unpublish(workflow.id), resource, standing)
        return _made(ledger, await _holding_path(resource, n8n.publish(workflow.id)), resource, standing)

    async def find(resource: Resource) -> Made | None:
        workflow = await _ours(ledger, kind, resource)
        if workflow is None:
            return None
        # Whoever changes the status meanwhile, or kills this, leaves a standing that `align_standings` sees.
        await ledger.note(resource, _made(ledger, workflow, resource, "changing"))
        await _holding_path(resource, n8n.update_workflow(workflow.id, definition))
        return await answering(workflow)

    async def make(resource: Resource) -> Made:
        workflow = await n8n.create_workflow(definition)
        # Known before it is of use: what is not published yet must be removable too.
        await ledger.note(resource, _made(ledger, workflow, resource, "changing"))
        return await answering(workflow)

    return await ledger.ensure(resource, find=find, make=make)


async def _is_served(ledger: Ledger) -> bool:
    """As the master has it now: a run may have read its clients minutes ago."""
    async with ledger.stack.master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=ledger.client.slug)
    return row is not None and row["status"] in ("provisioning", "active")


async def entries_of(ledger: Ledger, kind: str, resource: Resource) -> list[Workflow]:
    """The workflows with our webhook id: those of this name, and the one on record, whatever it is called by now."""
    n8n, own_id = ledger.stack.n8n, webhook_id(ledger.client, kind)
    found = {workflow.id: workflow for workflow in await n8n.find_workflows(resource.name)}
    if resource.vendor_id and resource.vendor_id not in found:
        try:
            found[resource.vendor_id] = await n8n.workflow(resource.vendor_id)
        except VendorError as error:
            if error.status != 404:
                raise
    return [one for one in found.values() if own_id in one.webhook_ids and not one.is_archived]


async def _ours(ledger: Ledger, kind: str, resource: Resource) -> Workflow | None:
    """Where a call came in twice, the workflow in use stays and the other is put away."""
    ours = await entries_of(ledger, kind, resource)
    ours.sort(key=lambda workflow: (not workflow.is_active, workflow.id != resource.vendor_id, workflow.id))
    for spare in ours[1:]:
        await ledger.stack.n8n.archive(spare.id)
    return ours[0] if ours else None


async def _holding_path(resource: Resource, call: Any) -> Workflow:
    try:
        return await call
    except VendorError as error:
        if error.error_class is ErrorClass.DUPLICATE and error.code == "webhook_path":
            raise NameTaken(VENDOR, resource.name, "another workflow has this webhook path") from error
        raise


def _made(ledger: Ledger, workflow: Workflow, resource: Resource, standing: str) -> Made:
    details: Mapping[str, Any] = {"workflow": workflow.name, "standing": standing}
    return Made(workflow.id, ledger.stack.n8n.webhook_url(resource.name), details)
