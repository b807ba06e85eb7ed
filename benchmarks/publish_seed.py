"""Clients with connected accounts and posts that are due: the same rows for whoever publishes them.

Lives here: making the clients' databases, filling and refilling them. Not here: publishing, measuring (`publish.py`).
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.accounts import Credentials
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform, fingerprint
from draggonnb_pipelines.domain.usage import month_of
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization

PLATFORMS = tuple(Platform)
WORDS = (
    "Post {number} of {slug}: fresh beans from the roastery, ground while you wait, today until noon. "
    "Come by with your own cup and the second one is on the house. #coffee #capetown"
)
SQUARE = {"path": "square.jpg", "alt": "A cup on a counter"}
EMPTIED = "publish_attempts, content_queue, social_posts, usage_reservations, usage_counters, social_accounts"
_IDS = UUID("2b0b2f4e-5c1f-4f0b-9a55-6a1a0f7c1d11")
_CREATED_AT_ONCE = 2
_ACCOUNTS = """
insert into social_accounts (id, platform_id, external_id, credentials)
select * from unnest(%(ids)s::uuid[], %(platforms)s::text[], %(external_ids)s::text[], %(credentials)s::bytea[])
"""
_POSTS = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(texts)s::text[], %(platforms)s::text[], %(payloads)s::jsonb[],
                         %(fingerprints)s::text[], %(moments)s::timestamptz[])
        as g (id, content, platform_id, payload, fingerprint, due_at)
), posts as (
    insert into social_posts (id, content, variants, media, platform_ids, status, scheduled_for, content_hash)
    select id, content, jsonb_build_object(platform_id, jsonb_build_object('text', content)), payload -> 'media',
           array[platform_id], 'scheduled', due_at, ''
    from given
), counter as (
    insert into usage_counters (metric, period_start, period_end, reserved)
    select 'posts_monthly', %(month)s, %(next_month)s, count(*) from given
    on conflict (metric, period_start) do update set reserved = usage_counters.reserved + excluded.reserved
), held as (
    insert into usage_reservations (metric, period_start, amount, key, expires_at)
    select 'posts_monthly', %(month)s, 1, 'posts_monthly:post:' || id, now() + interval '30 days' from given
)
insert into content_queue (id, post_id, platform_id, account_id, revision, publish_at, due_at, payload, fingerprint)
select g.id, g.id, g.platform_id, a.id, 1, g.due_at, g.due_at, g.payload, g.fingerprint
from given g join social_accounts a on a.platform_id = g.platform_id
"""


async def create_clients(settings: Settings, count: int) -> list[Organization]:
    """So many organizations, each with its own database."""
    vault = Vault(settings.keys)
    async with MasterDb(settings.dsn) as master:
        permits = asyncio.Semaphore(_CREATED_AT_ONCE)

        async def create(number: int) -> Organization:
            new = NewOrganization(f"client-{number}", f"Client {number}", f"owner@client-{number}.example")
            async with permits:
                made = await create_organization(new, master=master, vault=vault, server_dsn=settings.dsn)
            return made.organization

        return await asyncio.gather(*map(create, range(count)))


def seed(settings: Settings, clients: Sequence[Organization], posts_each: int, due_at: datetime) -> None:
    """Empty the clients' ledgers, and put so many posts on each, which take turns on the four networks."""
    vault = Vault(settings.keys)
    for position, client in enumerate(clients):
        assert client.database_name
        with psycopg.connect(dsn_for(settings.dsn, client.database_name)) as conn:
            conn.execute(f"truncate {EMPTIED} cascade")
            connect_accounts(conn, vault, client)
            queue_posts(conn, client, range(position, position + posts_each), [due_at] * posts_each)
    with psycopg.connect(settings.dsn) as conn:
        conn.execute("truncate publishing_agenda, app_quotas")
        conn.execute(
            "insert into publishing_agenda (organization_id, next_due_at, notes) select unnest(%s::uuid[]), %s, 1",
            ([client.id for client in clients], due_at),
        )
    with psycopg.connect(settings.dsn, autocommit=True) as conn:
        conn.execute("checkpoint")


def queue_posts(
    conn: psycopg.Connection, client: Organization, numbers: range, moments: Sequence[datetime]
) -> list[str]:
    """A post of each number, due at its moment, on the network whose turn it is; their texts. All of one month."""
    values = _posts(client, numbers, moments)
    conn.execute(_POSTS, values)
    return values["texts"]


def connect_accounts(conn: psycopg.Connection, vault: Vault, client: Organization) -> None:
    """One on each network, with the token that the sandbox always takes."""
    conn.execute(_ACCOUNTS, _accounts(vault, client))


def external_id_of(client: Organization, platform: Platform) -> str:
    """The account's number at its network."""
    return f"{10**12 + client.id.int % 10**11}{PLATFORMS.index(platform)}"


def _accounts(vault: Vault, client: Organization) -> dict[str, list[Any]]:
    assert client.data_key_wrapped
    key, sealed = vault.tenant_key(client.id, client.data_key_wrapped), []
    ids = [uuid5(client.id, platform) for platform in PLATFORMS]
    external_ids = [external_id_of(client, platform) for platform in PLATFORMS]
    for account_id, external_id in zip(ids, external_ids, strict=True):
        tokens = Credentials(f"sandbox-{external_id}", None, datetime.now(UTC))
        sealed.append(key.seal(tokens.dump(), f"social_account:{client.id}:{account_id}"))
    return {"ids": ids, "platforms": list(PLATFORMS), "external_ids": external_ids, "credentials": sealed}


def _posts(client: Organization, numbers: range, moments: Sequence[datetime]) -> dict[str, Any]:
    platforms = [PLATFORMS[number % len(PLATFORMS)] for number in numbers]
    texts = [WORDS.format(number=number, slug=client.slug) for number in numbers]
    month, next_month = month_of(moments[0].date())
    return {
        "ids": [uuid5(_IDS, text) for text in texts],
        "texts": texts,
        "platforms": platforms,
        "payloads": [
            Jsonb({"text": text, "media": [SQUARE] if platform is Platform.INSTAGRAM else [], "made_with_ai": True})
            for text, platform in zip(texts, platforms, strict=True)
        ],
        "fingerprints": [fingerprint(text) for text in texts],
        "moments": list(moments),
        "month": month,
        "next_month": next_month,
    }
