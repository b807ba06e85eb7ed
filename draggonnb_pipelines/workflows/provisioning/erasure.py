"""The end of a client that has left: erased at every vendor and in our own databases, with a certificate.

Lives here: the order of the erasure, what the master database forgets, the shredding of the key. Not here: the days
before it (`offboarding.py`), how things are removed at their vendors (`removal.py`), the certificate's words
(`erasure_certificate.py`).

Killed anywhere it is run again; the last transaction shreds the key, blanks what is personal and stores the
certificate, all or nothing.
"""

import asyncio
from typing import Any

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, NeedsReview, OperatorError
from draggonnb_pipelines.resources.database_names import drop_tenant_database
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.backup_sources import alone
from draggonnb_pipelines.workflows.operations.client_copies import copies_of
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS
from draggonnb_pipelines.workflows.placement import refuse_moving
from draggonnb_pipelines.workflows.provisioning.erasure_certificate import certificate_of, write_certificate
from draggonnb_pipelines.workflows.provisioning.export_bundle import drop_bundles
from draggonnb_pipelines.workflows.provisioning.offboarding import note_trouble, offboarding_of
from draggonnb_pipelines.workflows.provisioning.removal import drop_media, let_dead_run_go, remove_stack
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger

OFFBOARDING = load_queries("offboarding")


async def erase(stack: Stack, slug: str, *, by: str) -> dict[str, Any]:
    """Erase a client whose days of grace are over, and return its certificate; again, only that.

    1. at every vendor, backwards, and its media  2. its database and every copy of it  3. the export bundle  4. its
    key, what the master database knows of persons, and the certificate  5. the certificate's files

    Raises:
        OperatorError: it is not leaving, or may still stay; or a backup, restore or move of it is at work.
        NotYet, NeedsReview, VendorError: as `remove_stack`; repeat it.
    """
    ledger = await ledger_of(stack, slug)
    row = await _begin(stack, ledger)
    if row["state"] != "erased":
        try:
            await _erase(stack, ledger, row, by=by)
        except DraggonnbError as error:
            await note_trouble(stack, ledger, error)
            raise
        row = await offboarding_of(stack, ledger)
    await asyncio.to_thread(write_certificate, stack, slug, row["certificate"])
    return row["certificate"]


async def _begin(stack: Stack, ledger: Ledger) -> dict[str, Any]:
    organization = ledger.client.organization
    await let_dead_run_go(stack, ledger)
    async with stack.master.connection() as conn:
        await OFFBOARDING.begin_erasure(conn, organization_id=organization.id, now=stack.now())
    row = await offboarding_of(stack, ledger)
    if row["state"] not in ("erasing", "erased"):
        until = f"may stay until {row['erase_after']:%Y-%m-%d}" if row["erase_after"] else f"is {row['state']}"
        raise OperatorError(f"{organization.slug} {until}", remedy="nothing was erased; wait for the end of the grace")
    return row


async def _erase(stack: Stack, ledger: Ledger, row: dict[str, Any], *, by: str) -> None:
    organization = ledger.client.organization
    resources = await remove_stack(ledger)
    media = await drop_media(stack, organization.slug)
    has_project = any(one.step == "supabase_project" for one in resources)
    if organization.is_hosted and not has_project:
        raise NeedsReview(f"the database of {organization.slug} is on a server that we did not make: drop it there")
    dropped = await _drop_databases(stack, organization)
    await asyncio.to_thread(drop_bundles, stack, organization)
    async with stack.master.connection() as conn, conn.transaction():
        counts = await OFFBOARDING.personal_data(conn, organization_id=organization.id)
        await _forget(conn, ledger)
        certificate = certificate_of(organization, row, resources, media, dropped, counts, stack.now())
        is_new = await OFFBOARDING.end_erasure(
            conn, organization_id=organization.id, certificate=Jsonb(certificate), now=stack.now()
        )
        if is_new:
            resource = f"organization:{organization.slug}"
            await ORGANIZATIONS.audit(conn, actor=by, action="organization.erased", resource=resource, metadata="{}")


async def _drop_databases(stack: Stack, organization: Organization) -> list[str]:
    """Its own, and what restores and moves have left of it: a copy would survive the erasure in the clear."""
    async with alone(stack.master, organization.slug):
        await refuse_moving(stack.master, organization)
        async with stack.master.connection() as conn:  # it may have been moved while the vendors were asked
            organization = Organization(**await ORGANIZATIONS.organization_of_id(conn, id=organization.id))
        its_server = stack.tenants.server_dsn(organization)
        doomed = [(organization.database_name, its_server)] if organization.database_name else []
        copies = await copies_of(stack, organization)
        for name, server_dsn in [*doomed, *((copy.name, copy.server.dsn) for copy in copies)]:
            await drop_tenant_database(server_dsn, name, organization.id)
    return [*(name for name, _ in doomed), *(copy.words for copy in copies)]


async def _forget(conn: Connection, ledger: Ledger) -> None:
    organization_id, now = ledger.client.organization.id, ledger.stack.now()
    await OFFBOARDING.blank_proposal_links(conn, organization_id=organization_id)
    await OFFBOARDING.blank_checkouts(conn, organization_id=organization_id)
    await OFFBOARDING.drop_review_links(conn, organization_id=organization_id)
    await OFFBOARDING.blank_inbox(conn, organization_id=organization_id, now=now)
    await OFFBOARDING.blank_provisioning(conn, organization_id=organization_id, now=now)
    await OFFBOARDING.forget_secrets(conn, organization_id=organization_id)
    await OFFBOARDING.shred(conn, organization_id=organization_id)
