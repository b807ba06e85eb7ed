"""A client leaves: it takes its data along, has thirty days to stay after all, and is then erased (`erasure.py`).

Lives here: the export and the days of grace, withdrawing within them. Not here: the bundle (`export_bundle.py`), the
erasure and its certificate, the subscription at PayFast, which is ended by an order of its own.

From the first moment nothing new is done for the client. In the days of grace its project is paused and its repository
read-only: nothing is lost, and nothing is served.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.provisioning import Resource, project_name, repo_name
from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.standing import follow_status, set_status
from draggonnb_pipelines.workflows.provisioning.export_bundle import drop_bundles, keep_one_bundle, write_bundle
from draggonnb_pipelines.workflows.provisioning.removal import REMOVAL, let_dead_run_go
from draggonnb_pipelines.workflows.provisioning.removal_calls import our_repo
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, NotYet

OFFBOARDING = load_queries("offboarding")
GRACE = timedelta(days=30)


async def offboard(stack: Stack, slug: str, *, by: str, reason: str = "") -> dict[str, Any]:
    """Begin, or go on after a kill: the client is not served any more, its data are in the bundle, the days of grace
    run. Returns the row of `offboardings`; repeating it changes nothing.

    Raises:
        OperatorError: it is not served, is erased already, or a run is at work on it.
        TenantUnavailable: its database cannot be read; it is repeated until it can.
        VendorError: sorted.
    """
    ledger = await ledger_of(stack, slug)
    row = await _begin(stack, ledger, by=by, reason=reason)
    ledger = await ledger_of(stack, slug)
    try:
        await follow_status(ledger)
        if row["state"] == "exporting":
            await _export(stack, ledger, row["created_at"])
        if (now := await offboarding_of(stack, ledger))["state"] != "grace":
            raise OperatorError(f"{slug} is {now['state']} meanwhile", remedy="nothing of it is put away")
        await _retire(ledger)
    except DraggonnbError as error:
        await note_trouble(stack, ledger, error)
        raise
    return await offboarding_of(stack, ledger)


async def withdraw(stack: Stack, slug: str, *, by: str) -> bool:
    """The client stays: its project runs, its repository can be written to, and it is served as before. False where it
    was so already.

    Raises:
        OperatorError: it is not leaving, or its erasure has begun.
        NotYet: its project is starting; repeat it.
        VendorError: sorted.
    """
    ledger = await ledger_of(stack, slug)
    async with stack.master.connection() as conn:
        await OFFBOARDING.withdraw(conn, organization_id=ledger.client.organization.id)
    return await end_withdrawal(stack, slug, by=by)


async def end_withdrawal(stack: Stack, slug: str, *, by: str) -> bool:
    """What `withdraw` has begun comes to its end; it begins nothing.

    Raises:
        OperatorError, NotYet, VendorError: as `withdraw`.
    """
    ledger = await ledger_of(stack, slug)
    organization_id = ledger.client.organization.id
    async with stack.master.connection() as conn:
        row = await OFFBOARDING.offboarding_of(conn, organization_id=organization_id)
    if row is None or row["state"] != "withdrawn":
        state = row["state"] if row else "not leaving"
        raise OperatorError(f"{slug} is {state}", remedy="only who is in the days of grace can stay after all")
    if row["finished_at"] is not None:
        return False
    await _revive(ledger)
    async with stack.master.connection() as conn:
        status = await OFFBOARDING.status_to_return(conn, organization_id=organization_id)
    await set_status(stack, ledger, ["offboarding"], status, by=by, reason="offboarding withdrawn")
    await follow_status(await ledger_of(stack, slug))
    await asyncio.to_thread(drop_bundles, stack, ledger.client.organization)
    async with stack.master.connection() as conn, conn.transaction():
        await OFFBOARDING.give_provisioning_back(conn, organization_id=organization_id)
        await OFFBOARDING.end_withdrawal(conn, organization_id=organization_id, now=stack.now())
    return True


async def offboarding_of(stack: Stack, ledger: Ledger) -> dict[str, Any]:
    """The client's row of `offboardings`.

    Raises:
        OperatorError: it is not leaving.
    """
    organization = ledger.client.organization
    async with stack.master.connection() as conn:
        row = await OFFBOARDING.offboarding_of(conn, organization_id=organization.id)
    if row is None:
        raise OperatorError(
            f"{organization.slug} is not leaving", remedy=f"draggonnb tenant offboard {organization.slug}"
        )
    return row


async def note_trouble(stack: Stack, ledger: Ledger, error: DraggonnbError) -> None:
    """Write down why it does not go on now."""
    async with stack.master.connection() as conn:
        await OFFBOARDING.offboarding_failed(
            conn, organization_id=ledger.client.organization.id, reason=str(error)[:500]
        )


async def _begin(stack: Stack, ledger: Ledger, *, by: str, reason: str) -> Mapping[str, Any]:
    organization = ledger.client.organization
    await let_dead_run_go(stack, ledger)
    async with stack.master.connection() as conn, conn.transaction():
        await OFFBOARDING.begin_offboarding(conn, organization_id=organization.id, requested_by=by, reason=reason)
        await OFFBOARDING.hold_provisioning(conn, organization_id=organization.id)
        provisioning = await REMOVAL.provisioning_of(conn, organization_id=organization.id)
        row = await OFFBOARDING.offboarding_of(conn, organization_id=organization.id)
        if provisioning and provisioning["run_id"]:
            raise OperatorError(
                f"run {provisioning['run_id']} is at work on {organization.slug}",
                remedy="terminate that run in Dagster, or wait for its end",
            )
        if row is None or row["state"] in ("erasing", "erased"):
            state = row["state"] if row else organization.status
            raise OperatorError(f"{organization.slug} is {state}", remedy="only a client that is served can leave")
    await set_status(stack, ledger, ["active", "suspended"], "offboarding", by=by, reason=reason)
    return row


async def _export(stack: Stack, ledger: Ledger, begun_at: datetime) -> None:
    organization = ledger.client.organization
    try:
        bundle = await write_bundle(stack, organization, begun_at)
    except FileNotFoundError as error:
        raise OperatorError(f"{organization.slug} stays", remedy="it was withdrawn while it was exported") from error
    async with stack.master.connection() as conn:
        is_the_one = await OFFBOARDING.begin_grace(
            conn,
            organization_id=organization.id,
            export_path=str(bundle.path),
            export_sha256=bundle.sha256,
            erase_after=stack.now() + GRACE,
        )
    if is_the_one:
        await asyncio.to_thread(keep_one_bundle, stack, organization, begun_at, bundle.path)
    elif str(bundle.path) != (await offboarding_of(stack, ledger))["export_path"]:
        await asyncio.to_thread(bundle.path.unlink, missing_ok=True)


async def _retire(ledger: Ledger) -> None:
    """The project is paused and the repository read-only; both may be repeated."""
    if repo := await _ready(ledger, "github_repo", repo_name(ledger.client.slug)):
        there = await our_repo(ledger, repo)
        if there and not there.is_archived:
            await ledger.stack.github.archive(*there.full_name.split("/"))
    project = await _ready(ledger, "supabase_project", project_name(ledger.client.slug))
    if project and project.vendor_id:
        await ledger.stack.supabase.pause(project.vendor_id)


async def _revive(ledger: Ledger) -> None:
    supabase = ledger.stack.supabase
    if repo := await _ready(ledger, "github_repo", repo_name(ledger.client.slug)):
        there = await our_repo(ledger, repo)
        if there and there.is_archived:
            await ledger.stack.github.unarchive(*there.full_name.split("/"))
    project = await _ready(ledger, "supabase_project", project_name(ledger.client.slug))
    if project and project.vendor_id:
        poll = ledger.stack.settings.provision_poll_seconds
        status = (await supabase.project(project.vendor_id)).status
        if status == "INACTIVE":
            await supabase.restore(project.vendor_id)
        if status != "ACTIVE_HEALTHY":
            raise NotYet(f"the project {project.vendor_id} is {status}", poll)


async def _ready(ledger: Ledger, step: str, name: str) -> Resource | None:
    try:
        resource = await ledger.resource(step, name)
    except LookupError:
        return None
    return resource if resource.is_ready else None
