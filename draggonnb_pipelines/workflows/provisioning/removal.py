"""Taking a client's stack down again: the steps backwards, row by row of the ledger.

Lives here: the policy (what is removed, what goes with something else), the states around each call, aborting a client
that is being set up. Not here: how a thing is found and removed at its vendor (`removal_calls.py`), a client that
leaves (`offboarding.py`).

Killed anywhere it is run again: a row says `removing` before the call and `removed` after it, and every call may be
repeated. Whatever was planned is looked for at its vendor, since a call whose answer was lost may have made it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from draggonnb_pipelines.domain.provisioning import MAX_ATTEMPTS, STEPS, Resource, project_name, repo_name
from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS
from draggonnb_pipelines.workflows.provisioning.removal_calls import (
    cancel_call,
    remove_entry,
    remove_project,
    remove_repo,
    remove_site,
)
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING, Ledger, NotYet
from draggonnb_pipelines.workflows.publishing.agenda import dead_runs

REMOVAL = load_queries("removal")


@dataclass(frozen=True)
class Fate:
    """What becomes of the rows of one step.

    Args:
        words: of the rows without a call of their own, for ledger and certificate.
        remove: the call; returns what was done. None: nothing can be done, or it goes with something else.
        name: from the slug, the one row that stands for the thing; None: each row is one.
    """

    words: str
    remove: Callable[[Ledger, Resource], Awaitable[str]] | None = None
    name: Callable[[str], str] | None = None

    def call_for(self, ledger: Ledger, resource: Resource) -> Callable[[Ledger, Resource], Awaitable[str]] | None:
        is_the_thing = self.name is None or self.name(ledger.client.slug) == resource.name
        return self.remove if is_the_thing else None


POLICY: Mapping[str, Fate] = {
    "supabase_project": Fate("gone with its project", remove_project, project_name),
    "tenant_schema": Fate("gone with its database"),
    "api_keys": Fate("gone with their project"),
    "github_repo": Fate("gone with its repository", remove_repo, repo_name),
    "environment": Fate("gone with its project", remove_site, repo_name),
    "vercel_deployment": Fate("gone with its project"),
    "n8n_webhooks": Fate("", remove_entry),
    "onboarding_email": Fate("a mail that has gone out cannot be taken back; the person is gone with the project"),
    "training_materials": Fate("gone with its repository"),
    "kickoff_call": Fate("", cancel_call),
}
assert tuple(POLICY) == STEPS


async def remove_stack(ledger: Ledger) -> list[Resource]:
    """Remove everything that was made for this client, the last step first; the rows as they are then.

    The first thing that cannot be removed now stops it: what stands before is needed to know what stands after as ours.

    Raises:
        NotYet: a call that made something may still arrive at its vendor, or something cannot be told yet.
        NeedsReview: a person has to look at something.
        VendorError: sorted.
    """
    rows = sorted(await ledger.resources(), key=lambda row: STEPS.index(row.step))
    for resource in reversed(rows):
        if resource.state != "removed":
            await _remove(ledger, resource)
    return await ledger.resources()


async def _remove(ledger: Ledger, resource: Resource) -> None:
    fate, stack = POLICY[resource.step], ledger.stack
    call = fate.call_for(ledger, resource)
    async with stack.master.connection() as conn:
        await REMOVAL.begin_removal(conn, id=resource.id, run_id=ledger.run_id)
    how = fate.words
    if call is not None:
        try:
            left = _unsettled_seconds(ledger, resource)
            how = await call(ledger, resource)
            if left > 0:
                raise NotYet(f"an earlier call for {resource.name} may still arrive at {resource.vendor}", left)
        except DraggonnbError as error:
            async with stack.master.connection() as conn:
                await REMOVAL.removal_waits(conn, id=resource.id, reason=str(error)[:500])
            raise
    async with stack.master.connection() as conn:
        await REMOVAL.resource_removed(conn, id=resource.id, now=stack.now(), how=how)


def _unsettled_seconds(ledger: Ledger, resource: Resource) -> float:
    """How long a call whose answer nobody has seen may still have its effect, from before the vendor is looked at."""
    now, begun = ledger.stack.now(), resource.attempted_at or resource.created_at
    assert begun is not None
    if resource.ready_at is not None and resource.ready_at >= begun:
        return 0.0
    settled = begun + timedelta(seconds=ledger.stack.settings.provision_settle_seconds)
    return (settled - now).total_seconds()


async def abort(stack: Stack, slug: str, *, by: str) -> list[Resource]:
    """Give up setting a client up: what was made for it is removed and the organization closed; the ledger's rows.

    Kept: the organization's row with its key, payments, invoices, the subscription, the audit log. Repeating it goes on
    where it stopped, and does nothing once it is done.

    Raises:
        OperatorError: it is not being set up, or a run is at work on it.
        NotYet: what the last run asked for may still arrive; or as `remove_stack`.
        NeedsReview, VendorError: as `remove_stack`.
    """
    ledger = await ledger_of(stack, slug)
    organization_id = ledger.client.organization.id
    await let_dead_run_go(stack, ledger)
    async with stack.master.connection() as conn:
        settle_seconds = stack.settings.provision_settle_seconds
        begun = await REMOVAL.begin_abort(conn, organization_id=organization_id, settle_seconds=settle_seconds)
        row = await REMOVAL.provisioning_of(conn, organization_id=organization_id)
    if begun is None:
        if row and row["state"] == "aborted":
            return await ledger.resources()
        raise _cannot_abort(slug, row)
    # Not every call has a row that says when it began: a run puts n8n's credential again whenever it comes by.
    left = (begun["not_before"] - stack.now()).total_seconds()
    if left > 0:
        raise NotYet(f"what the last run of {slug} asked for may still arrive at its vendor", left)
    rows = await remove_stack(ledger)
    await drop_media(stack, slug)
    async with stack.master.connection() as conn, conn.transaction():
        if await REMOVAL.end_abort(conn, organization_id=organization_id, now=stack.now()):
            await REMOVAL.close_organization(conn, id=organization_id)
            names = json.dumps({"removed": [f"{one.step}: {one.name}" for one in rows]})
            await ORGANIZATIONS.audit(
                conn, actor=by, action="organization.aborted", resource=f"organization:{slug}", metadata=names
            )
    return rows


async def drop_media(stack: Stack, slug: str) -> str:
    """The client's files in the agency's storage; what was done.

    Raises:
        VendorError: sorted; repeat it.
    """
    return "deleted" if await stack.storage.drop_bucket(f"media-{slug}") else "not there, or not any more"


async def let_dead_run_go(stack: Stack, ledger: Ledger) -> None:
    """Whoever held this client and lives no more holds it no longer."""
    async with stack.master.connection() as conn:
        row = await REMOVAL.provisioning_of(conn, organization_id=ledger.client.organization.id)
    if row and row["run_id"] and await dead_runs(stack.master, [row["run_id"]]):
        async with stack.master.connection() as conn:
            await PROVISIONING.free_clients(conn, run_ids=[row["run_id"]], max_attempts=MAX_ATTEMPTS)


def _cannot_abort(slug: str, row: Mapping[str, object] | None) -> OperatorError:
    if row is None:
        return OperatorError(f"{slug} was never set up: it has no stack", remedy=f"draggonnb tenant offboard {slug}")
    if row["run_id"]:
        return OperatorError(
            f"run {row['run_id']} is at work on {slug}", remedy="terminate that run in Dagster, or wait for its end"
        )
    return OperatorError(f"{slug} is set up ({row['state']})", remedy=f"draggonnb tenant offboard {slug}")
