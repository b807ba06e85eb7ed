"""What the tests of connected accounts share: accounts, posts that wait for them, and what people were told.

Not here: fixtures (`conftest.py`) and assertions.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.accounts import Credentials
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.account_credentials import open_credentials
from draggonnb_pipelines.workflows.publishing.accounts import connect_account
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows, variant

TOKEN_ENDPOINT = "POST /x/2/oauth2/token"


async def connect(stack: Stack, organization: Organization, platform: Platform, name: str, **given: Any) -> UUID:
    """An account with the sandbox's standing token; X with its first refresh token."""
    tokens: dict[str, Any] = {"token": f"sandbox-{name}"}
    if platform is Platform.X:
        tokens |= {"refresh_token": f"sandbox-refresh-{name}"}
    connected = await connect_account(stack, organization, platform, name, **(tokens | given))
    return connected.account_id


async def schedule_post(
    stack: Stack, organization: Organization, account_id: UUID, title: str, publish_at: datetime
) -> UUID:
    """A post that waits for this account."""
    [post] = await tenant_rows(
        stack,
        organization,
        "insert into social_posts (title, content, status, approved_hash, approved_at, content_hash)"
        " values (%s, 'Fresh beans.', 'draft', null, null, '') returning id",
        title,
    )
    await tenant_rows(
        stack,
        organization,
        "insert into content_queue (post_id, platform_id, account_id, revision, publish_at, due_at)"
        " select %s, platform_id, id, 1, %s, %s from social_accounts where id = %s",
        post["id"],
        publish_at,
        publish_at,
        account_id,
    )
    return post["id"]


async def account_row(stack: Stack, organization: Organization, account_id: UUID) -> dict[str, Any]:
    [row] = await tenant_rows(
        stack, organization, "select *, id as account_id from social_accounts where id = %s", account_id
    )
    return row


async def tokens_of(stack: Stack, organization: Organization, account_id: UUID) -> Credentials:
    row = await account_row(stack, organization, account_id)
    async with stack.tenants.open(organization) as tenant:
        return open_credentials(tenant, row)


async def agenda(stack: Stack) -> list[UUID]:
    """The organizations that have something due now."""
    async with stack.master.connection() as conn:
        cursor = await conn.execute("select organization_id from publishing_agenda where next_due_at <= now()")
        return [row["organization_id"] for row in await cursor.fetchall()]


def mails(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Recipient and subject of each mail that arrived."""
    return [(mail["recipient"], mail["subject"]) for mail in sandbox.public("mail")]


def refreshes(sandbox: Sandbox) -> int:
    """How often X was asked for a new pair."""
    return sum(entry["route"] == TOKEN_ENDPOINT for entry in sandbox.journal("x"))


def later(stack: Stack, **duration: float) -> Stack:
    """The same stack after a while."""
    then = datetime.now(UTC) + timedelta(**duration)
    return variant(stack, now=lambda: then)
