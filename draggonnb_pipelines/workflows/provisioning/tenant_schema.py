"""Provisioning, the schema: the client's database with our tables, brought up to today's files at every run.

Lives here: the first set-up of a project's database, and the upgrade of any tenant's. Not here: the files
(`sql/tenant`), how they are applied and recorded (`resources/migrations.py`), the project (`supabase_project.py`).

An upgrade of all clients is this step for all of them: a database that is down fails alone.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Resource, project_name
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.migrations import migrate, seed_tenant
from draggonnb_pipelines.resources.postgres import sealed_dsn_context
from draggonnb_pipelines.resources.schema_history import read_migrations
from draggonnb_pipelines.resources.supabase_wire import VENDOR
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS, TENANT
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made
from draggonnb_pipelines.workflows.provisioning.supabase_project import PASSWORD, dsn_of_project, ready_project

STEP = "tenant_schema"
PATIENCE_SECONDS = 300
# Migrations block their thread. These are not the event loop's own threads, which look up names.
_THREADS = ThreadPoolExecutor(8, "tenant-schema")


async def tenant_schema(ledger: Ledger) -> Resource:
    """The client's database has today's schema, and `Tenants.open` opens it.

    To a database that the organization has already, only what is missing is applied. A new project's gets the
    migrations, the catalogue, the organization and its owner, and only then becomes the organization's.

    Raises:
        NotYet: there is no database yet.
        TenantUnavailable: it does not answer; nothing is lost, and it is tried again.
        OperatorError: its history is not ours, or a migration fails; nothing of that file stays.
        VendorError: sorted.
    """
    organization = ledger.client.organization
    has_database = bool(organization.database_name or organization.dsn_sealed)
    if organization.database_name:
        resource = await ledger.plan(STEP, "postgres", organization.database_name)
    else:
        resource = await ledger.plan(STEP, VENDOR, project_name(ledger.client.slug))
    return await ledger.put(resource, partial(_upgrade if has_database else _set_up, ledger))


async def _upgrade(ledger: Ledger, resource: Resource) -> Made:
    organization = ledger.client.organization
    applied = await _migrate(organization, ledger.stack.tenants.dsn(organization))
    return _made(resource, applied)


async def _set_up(ledger: Ledger, resource: Resource) -> Made:
    stack, organization = ledger.stack, ledger.client.organization
    project = await ready_project(ledger)
    dsn = await dsn_of_project(stack, str(project.vendor_id), project.secrets[PASSWORD])
    applied = await _migrate(organization, dsn)
    sealed = stack.vault.seal(dsn.encode(), sealed_dsn_context(organization.id))
    await _introduce(ledger, dataclasses.replace(organization, dsn_sealed=sealed))
    async with stack.master.connection() as conn:
        await ORGANIZATIONS.set_dsn(conn, id=organization.id, dsn_sealed=sealed)
    return _made(resource, applied)


async def _introduce(ledger: Ledger, organization: Organization) -> None:
    """Tell the database whose it is. Only once: from then on its people are the client's business."""
    client = ledger.client
    async with ledger.stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await TENANT.put_organization(
            tenant.conn,
            id=organization.id,
            slug=organization.slug,
            name=organization.name,
            timezone=organization.timezone,
            locale=organization.locale,
        )
        await TENANT.put_owner(
            tenant.conn, organization_id=organization.id, email=client.owner_email, phone_e164=client.owner_phone
        )


async def _migrate(organization: Organization, dsn: str) -> list[str]:
    """Apply and seed in a thread; the names of the files that were applied.

    Raises:
        TenantUnavailable: the database is down, or busy for `PATIENCE_SECONDS`.
    """

    def work() -> list[str]:
        applied = migrate(dsn, TENANT_MIGRATIONS)
        seed_tenant(dsn)
        return applied

    with _unavailable(organization):
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


@contextlib.contextmanager
def _unavailable(organization: Organization) -> Iterator[None]:
    """A database that is down, or busy, is no wrong schema: it comes again."""
    try:
        yield
    except TimeoutError as error:
        raise TenantUnavailable(organization.slug, f"its migrations took more than {PATIENCE_SECONDS} s") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise TenantUnavailable(organization.slug, type(error).__name__) from error
    except OperatorError as error:
        if isinstance(error.__cause__, psycopg.OperationalError):
            raise TenantUnavailable(organization.slug, error.message) from error
        raise


def _made(resource: Resource, applied: list[str]) -> Made:
    version = read_migrations(TENANT_MIGRATIONS)[-1].version
    return Made(resource.name, details={"version": version, "applied": applied})
