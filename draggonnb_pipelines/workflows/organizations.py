"""Create an organization with its database. The commercial way to one is provisioning; this is the part both share."""

import asyncio
import hashlib
from dataclasses import dataclass
from uuid import uuid4

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization, check_slug
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.migrations import create_tenant_database, ensure_tenant_template
from draggonnb_pipelines.resources.postgres import Connection, MasterDb, TenantDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.backup_sources import alone
from draggonnb_pipelines.workflows.placement import Server, emptiest_server, refuse_moving, server_of

ORGANIZATIONS = load_queries("organizations")
TENANT = load_queries("tenant")


@dataclass(frozen=True)
class NewOrganization:
    """What an operator says of a new client. The owner gets the notifications about leads."""

    slug: str
    name: str
    owner_email: str
    owner_phone: str | None = None
    timezone: str = "Africa/Johannesburg"
    locale: str = "en-ZA"
    webhook_token: str | None = None


@dataclass(frozen=True)
class CreatedOrganization:
    """The organization, and what its webhooks ask for: the token in a header, or a signature by the secret."""

    organization: Organization
    webhook_token: str
    webhook_secret: str
    is_new: bool


async def create_organization(
    new: NewOrganization,
    *,
    master: MasterDb,
    vault: Vault,
    server_dsn: str,
    prefix: str = "tenant_",
    server: str | None = None,
) -> CreatedOrganization:
    """Create the row, the database from the template, the owner; safe to call again after a crash at any point.

    1. the row in master, with its data key, its server, and the name that its database will have
    2. the database, cloned from the template (adopted if it exists: the name is ours alone)
    3. the organization and its owner inside it
    4. the webhook token's hash, and the row becomes active: from here on leads are accepted

    Args:
        server_dsn: the master's own server.
        server: where its database is to be; None is the open server with the fewest clients, or, for one that is there
            already, the server that it is on.

    Raises:
        ValueError: the slug is not usable.
        OperatorError: no such server, none is open, it does not answer, or the client is there already and on another
            one; its database is being moved, or a backup, restore or move is at work.
    """
    slug = check_slug(new.slug)
    is_new = await _placed(master, vault, new, server_dsn, prefix + slug.replace("-", "_"), server)
    # To the end of the database: a move in between would leave an empty one of the old name.
    async with alone(master, slug):
        organization = await _with_data_key(master, vault, slug)
        await refuse_moving(master, organization)
        assert organization.database_name is not None
        async with Tenants(server_dsn, vault, max_connections=1) as tenants:
            its_server = tenants.server_dsn(organization)
            template = await asyncio.to_thread(ensure_tenant_template, its_server)
            await asyncio.to_thread(create_tenant_database, its_server, organization.database_name, template=template)
            async with tenants.open(organization) as tenant:
                await _introduce(tenant, new)
            token = new.webhook_token or webhook_token(organization, tenants)
            secret = webhook_secret(organization, tenants)

    async with master.connection() as conn:
        digest = hashlib.sha256(token.encode()).digest()
        sealed = vault.seal(secret.encode(), webhook_secret_context(organization.id))
        await ORGANIZATIONS.activate_organization(
            conn, id=organization.id, webhook_token_sha256=digest, webhook_secret_sealed=sealed
        )
        if is_new:
            await ORGANIZATIONS.audit(
                conn, actor="operator", action="organization.created", resource=f"organization:{slug}", metadata="{}"
            )
        organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
    return CreatedOrganization(organization, token, secret, is_new)


async def _placed(
    master: MasterDb, vault: Vault, new: NewOrganization, masters_dsn: str, database_name: str, server: str | None
) -> bool:
    """Its row, on a server that has just answered, for it stays on that one. False where it has a row."""
    async with master.connection() as conn:
        if (known := await ORGANIZATIONS.get_organization(conn, slug=new.slug)) is not None:
            now = (await ORGANIZATIONS.place_of(conn, id=known["id"]))["server"]
            if server not in (None, now):
                raise OperatorError(
                    f"{new.slug} is there already, on the server {now}",
                    remedy=f"draggonnb tenant move {new.slug} --to {server}",
                )
            return False
        if server is None:
            place = await emptiest_server(conn, vault, masters_dsn=masters_dsn)
        else:
            place = await server_of(conn, vault, server, masters_dsn=masters_dsn)
    await asyncio.to_thread(ensure_tenant_template, place.dsn)
    async with master.connection() as conn, conn.transaction():
        place = await server_of(conn, vault, place.name, masters_dsn=masters_dsn, until_commit=True)
        return await _place_row(conn, vault, new, database_name, place)


async def _with_data_key(master: MasterDb, vault: Vault, slug: str) -> Organization:
    async with master.connection() as conn:
        organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
        if organization.data_key_wrapped is None:
            wrapped = vault.new_data_key(organization.id)
            await ORGANIZATIONS.set_data_key(conn, id=organization.id, data_key_wrapped=wrapped)
            organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
    return organization


async def _place_row(conn: Connection, vault: Vault, new: NewOrganization, database_name: str, place: Server) -> bool:
    """False where another one was quicker."""
    organization_id = uuid4()
    rows = await ORGANIZATIONS.insert_organization(
        conn,
        id=organization_id,
        slug=new.slug,
        name=new.name,
        timezone=new.timezone,
        locale=new.locale,
        database_name=database_name,
        server=place.name,
        dsn_sealed=place.sealed_for(organization_id, vault),
    )
    return rows == 1


async def known_slugs(stack: Stack) -> list[str]:
    """Every organization that ever could have had data, in the order of their coming."""
    async with stack.master.connection() as conn:
        return [row["slug"] async for row in ORGANIZATIONS.known_slugs(conn)]


def webhook_token(organization: Organization, tenants: Tenants) -> str:
    """The token that this organization's webhooks send; derived from its data key, so it can be shown again."""
    return tenants.key(organization).derive_token("webhook", str(organization.id))


def webhook_secret(organization: Organization, tenants: Tenants) -> str:
    """The secret by which this organization's webhooks may be signed instead of sending the token."""
    return tenants.key(organization).derive_token("webhook-hmac", str(organization.id))


async def _introduce(tenant: TenantDb, new: NewOrganization) -> None:
    organization = tenant.organization
    await TENANT.put_organization(
        tenant.conn,
        id=organization.id,
        slug=organization.slug,
        name=organization.name,
        timezone=organization.timezone,
        locale=organization.locale,
    )
    await TENANT.put_owner(
        tenant.conn, organization_id=organization.id, email=new.owner_email, phone_e164=new.owner_phone
    )
