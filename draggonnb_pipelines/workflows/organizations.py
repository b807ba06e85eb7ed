"""Create an organization with its database. The commercial way to one is provisioning; this is the part both share."""

import asyncio
import hashlib
from dataclasses import dataclass

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization, check_slug
from draggonnb_pipelines.resources.migrations import create_tenant_database, ensure_tenant_template
from draggonnb_pipelines.resources.postgres import MasterDb, TenantDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.sql import load_queries

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
    new: NewOrganization, *, master: MasterDb, vault: Vault, server_dsn: str, prefix: str = "tenant_"
) -> CreatedOrganization:
    """Create the row, the database from the template, the owner; safe to call again after a crash at any point.

    1. the row in master, with its data key and the name that its database will have
    2. the database, cloned from the template (adopted if it exists: the name is ours alone)
    3. the organization and its owner inside it
    4. the webhook token's hash, and the row becomes active: from here on leads are accepted

    Raises:
        ValueError: the slug is not usable.
    """
    slug = check_slug(new.slug)
    database_name = prefix + slug.replace("-", "_")
    async with master.connection() as conn:
        is_new = await ORGANIZATIONS.insert_organization(
            conn, slug=slug, name=new.name, timezone=new.timezone, locale=new.locale, database_name=database_name
        )
        organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))
        if organization.data_key_wrapped is None:
            wrapped = vault.new_data_key(organization.id)
            await ORGANIZATIONS.set_data_key(conn, id=organization.id, data_key_wrapped=wrapped)
            organization = Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))

    template = await asyncio.to_thread(ensure_tenant_template, server_dsn)
    assert organization.database_name is not None
    await asyncio.to_thread(create_tenant_database, server_dsn, organization.database_name, template=template)

    async with Tenants(server_dsn, vault, max_connections=1) as tenants, tenants.open(organization) as tenant:
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
    return CreatedOrganization(organization, token, secret, bool(is_new))


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
