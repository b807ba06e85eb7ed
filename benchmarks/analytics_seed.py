"""Clients with public posts whose numbers are due: the same rows for whoever reads them.

Lives here: filling and refilling the clients' databases, and the same posts on the sandbox's timelines. Not here: the
reading, the measuring (`analytics.py`), making the databases (`publish_seed.py`).
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
import requests

from benchmarks.publish_seed import PLATFORMS, WORDS, connect_accounts, external_id_of
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings

EMPTIED = (
    "weekly_reports, analytics_snapshots, platform_metrics, publish_attempts, content_queue, social_posts, "
    "social_accounts"
)
YOUNGEST, OLDEST = timedelta(hours=8), timedelta(days=6)
# Connections at once, to fill and to put posts on timelines.
AT_ONCE = 8
_IDS = UUID("7e0a1f9c-6a55-4b8e-9d0b-5f1d8b1c3a77")
_POSTS = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(texts)s::text[], %(platforms)s::text[], %(post_ids)s::text[],
                         %(moments)s::timestamptz[]) as g (id, content, platform_id, platform_post_id, at)
), posts as (
    insert into social_posts (id, content, variants, platform_ids, status, scheduled_for, content_hash)
    select id, content, jsonb_build_object(platform_id, jsonb_build_object('text', content)), array[platform_id],
           'published', at, ''
    from given
)
insert into content_queue (id, post_id, platform_id, account_id, revision, publish_at, due_at, payload, status,
                           platform_post_id, platform_url, published_at)
select g.id, g.id, g.platform_id, a.id, 1, g.at, g.at, jsonb_build_object('text', g.content), 'published',
       g.platform_post_id, 'http://sandbox.invalid/' || g.platform_post_id, g.at
from given g join social_accounts a on a.platform_id = g.platform_id
"""


@dataclass(frozen=True)
class PublicPost:
    """One post as both sides know it."""

    id: UUID
    platform: Platform
    account: str
    post_id: str
    text: str
    at: datetime


def posts_of(client: Organization, count: int, now: datetime, *, oldest: timedelta = OLDEST) -> list[PublicPost]:
    """So many posts, which take turns on the four networks and lie evenly between the oldest's age and 8 hours."""
    posts = []
    for number in range(count):
        platform = PLATFORMS[number % len(PLATFORMS)]
        account = external_id_of(client, platform)
        digits = f"{10**14 + client.id.int % 10**13}{number:03}"
        ids = {Platform.FACEBOOK: f"{account}_{digits}", Platform.LINKEDIN: f"urn:li:share:{digits}"}
        text = WORDS.format(number=number, slug=client.slug)
        at = now - YOUNGEST - (oldest - YOUNGEST) * number / max(count - 1, 1)
        posts.append(PublicPost(uuid5(_IDS, text), platform, account, ids.get(platform, digits), text, at))
    return posts


def fill(settings: Settings, client: Organization, posts: Sequence[PublicPost]) -> None:
    """Empty the client's ledgers and put the posts on them; all of them are due to be read."""
    assert client.database_name
    rows: dict[str, list[Any]] = {
        "ids": [post.id for post in posts],
        "texts": [post.text for post in posts],
        "platforms": [post.platform for post in posts],
        "post_ids": [post.post_id for post in posts],
        "moments": [post.at for post in posts],
    }
    with psycopg.connect(dsn_for(settings.dsn, client.database_name)) as conn:
        conn.execute(f"truncate {EMPTIED} cascade".encode())
        connect_accounts(conn, Vault(settings.keys), client)
        conn.execute(_POSTS, rows)


def fill_all(settings: Settings, clients: Sequence[Organization], posts_each: int, now: datetime) -> None:
    """Each of these clients with so many posts; whoever is not among them is suspended, so that no run looks there."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda client: fill(settings, client, posts_of(client, posts_each, now)), clients))
    with psycopg.connect(settings.dsn) as conn:
        conn.execute("truncate analytics_agenda, app_quotas, asset_ledger")
        conn.execute(
            "update organizations set status = case when id = any(%s) then 'active' else 'suspended' end",
            ([client.id for client in clients],),
        )
    with psycopg.connect(settings.dsn, autocommit=True) as conn:
        conn.execute("checkpoint")


def make_public(
    sandbox_url: str,
    clients: Sequence[Organization],
    posts_each: int,
    now: datetime,
    *,
    oldest: timedelta = OLDEST,
) -> None:
    """The posts on the sandbox's timelines."""
    threads = threading.local()

    def publish(post: PublicPost) -> None:
        if not hasattr(threads, "session"):
            threads.session = requests.Session()
        body = {"platform": post.platform, "id": post.post_id, "account": post.account, "text": post.text}
        body["at"] = post.at.isoformat()
        threads.session.post(f"{sandbox_url}/_sandbox/social_posts", json=body, timeout=10).raise_for_status()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(
            pool.map(publish, (post for client in clients for post in posts_of(client, posts_each, now, oldest=oldest)))
        )
