"""What the tests of publishing do again and again: connect accounts, approve posts, publish, look at both sides."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing.accounts import connect_account
from draggonnb_pipelines.workflows.publishing.publish_line import ClientRun
from draggonnb_pipelines.workflows.publishing.publishing import publish_due
from tests.workflows.lead_work import tenant_rows

SQUARE = {"path": "square.jpg", "alt": "A cup on a counter"}
PLATFORM_IDS = tuple(str(platform) for platform in Platform)


async def connect(stack: Stack, organization: Organization, *platforms: Platform) -> dict[Platform, UUID]:
    """An account on each network (all of them by default), with the sandbox's standing token."""
    made = {}
    for platform in platforms or tuple(Platform):
        external_id = account_id_of(organization, platform)
        connected = await connect_account(
            stack, organization, platform, external_id, token=f"sandbox-{external_id}", handle=f"@{organization.slug}"
        )
        made[platform] = connected.account_id
    return made


def account_id_of(organization: Organization, platform: Platform) -> str:
    """A number as the networks give them, from the slug and the network alone."""
    number = int.from_bytes(f"{organization.slug}{platform}".encode()[:6], "big") % 10**12 + 10**12
    return f"{number}{list(Platform).index(platform)}"


async def approve(
    stack: Stack,
    organization: Organization,
    text: str,
    *,
    platforms: tuple[str, ...] = PLATFORM_IDS,
    late: timedelta = timedelta(0),
    media: list[dict[str, Any]] | None = None,
    **variant: Any,
) -> UUID:
    """Store a post that everybody has agreed to, due `late` ago."""
    post_id = uuid4()
    media = ([SQUARE] if "instagram" in platforms else []) if media is None else media
    variants = {platform: {"text": text, **variant} for platform in platforms}
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute(
            "insert into social_posts (id, content, variants, media, platform_ids, status, scheduled_for, content_hash)"
            " values (%s, %s, %s, %s, %s, 'draft', now() - %s, '')",
            (post_id, text, json.dumps(variants), json.dumps(media), list(platforms), late),
        )
        await tenant.conn.execute(
            "update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now()"
            " where id = %s",
            (post_id,),
        )
    return post_id


async def publish(stack: Stack, organization: Organization, run_id: str | None = None) -> ClientRun:
    """Put what is approved on the queue and publish what is due, as one run."""
    await enqueue_ready(stack, organization)
    [client] = await publish_due(stack, run_id or str(uuid4()), [organization.slug])
    return client


async def queue(stack: Stack, organization: Organization) -> list[dict[str, Any]]:
    """The ledger's rows, in a stable order."""
    async with stack.tenants.open(organization) as tenant:
        found = await tenant.conn.execute(
            "select q.*, now() as db_now from content_queue q order by created_at, platform_id, part"
        )
        return await found.fetchall()


async def post_row(stack: Stack, organization: Organization, post_id: UUID, columns: str) -> dict[str, Any]:
    """Some columns of one post."""
    [row] = await tenant_rows(stack, organization, f"select {columns} from social_posts where id = %s", post_id)
    return row


async def posts_used(stack: Stack, organization: Organization) -> tuple[int, int]:
    """Used and held places of the month's posts."""
    rows = await tenant_rows(
        stack, organization, "select used, reserved from usage_counters where metric = 'posts_monthly'"
    )
    return (rows[0]["used"], rows[0]["reserved"]) if rows else (0, 0)


async def make_due(stack: Stack, organization: Organization) -> None:
    """Time passes: whatever waits is due now."""
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute("update content_queue set due_at = now() - interval '1 second' where due_at > now()")


def statuses(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["platform_id"]: row["status"] for row in rows}


async def published_post(
    stack: Stack, organization: Organization, platform: Platform = Platform.X, **more: Any
) -> UUID:
    await connect(stack, organization, platform)
    await approve(stack, organization, "Out it goes.", platforms=(str(platform),), **more)
    await publish(stack, organization)
    return await first_row(stack, organization)


async def first_row(stack: Stack, organization: Organization) -> UUID:
    return next(row["id"] for row in await queue(stack, organization) if row["part"] == 0)


async def publish_audit(stack: Stack, organization: Organization, row_id: UUID) -> list[tuple[str, str]]:
    rows = await tenant_rows(
        stack, organization, "select actor, action from audit_log where resource = %s", f"content_queue:{row_id}"
    )
    return [(row["actor"], row["action"]) for row in rows]
