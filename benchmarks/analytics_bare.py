"""`python -m benchmarks.analytics_bare collect|snapshots --at MOMENT`: what one writes by hand, to measure ours by.

One event loop, aiohttp, a psycopg connection per client. `collect` makes the same calls as ours, as many at once, and
writes the same rows; it knows no retired names, sorts no error, keeps no quota, leases nothing. `snapshots` writes the
sums of each metric as one statement per client: no rates, intervals, growth, anomalies or sources, which is what ours
spends its time on.
"""

import argparse
import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import psycopg
import yarl
from psycopg.types.json import Jsonb

from benchmarks.publish_bare import dsn_of
from benchmarks.publish_costs import tell

CLIENTS_AT_ONCE = 16
CALLS_AT_ONCE = 400
_FACEBOOK = (
    "id,reactions.summary(total_count).limit(0),comments.summary(total_count).limit(0),shares,insights.metric("
    "post_media_view,post_total_media_view_unique,post_clicks,post_video_views)"
)
_INSTAGRAM = "id,like_count,comments_count,insights.metric(views,reach,saved,shares)"
_OURS = {
    "post_media_view": "views", "post_total_media_view_unique": "reach", "post_clicks": "clicks",
    "post_video_views": "video_views", "views": "views", "reach": "reach", "saved": "saves", "shares": "shares",
    "like_count": "reactions", "comments_count": "comments", "impressionCount": "views",
    "uniqueImpressionsCount": "reach", "likeCount": "reactions", "commentCount": "comments", "shareCount": "shares",
    "clickCount": "clicks", "impression_count": "views", "reply_count": "comments", "repost_count": "shares",
    "retweet_count": "shares", "quote_count": "quotes", "bookmark_count": "saves",
}  # fmt: skip
_DUE = """
select q.id, q.platform_id, q.platform_post_id, a.external_id
from content_queue q join social_accounts a on a.id = q.account_id
where q.status = 'published' and q.measure_at <= %s
order by q.account_id, q.published_at
"""
_STORE = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(counts)s::jsonb[]) as g (id, counts)
), next as (
    update content_queue q set measure_at = %(next)s from given g where q.id = g.id
    returning q.id, q.post_id, q.platform_id, q.account_id
)
insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, engagement_data)
select n.platform_id, n.account_id, n.post_id, n.id, %(at)s, g.counts from given g join next n on n.id = g.id
"""
_SNAPSHOT = """
insert into analytics_snapshots (period, period_start, period_end, metrics)
select 'day', %(day)s::date - 1, %(day)s::date, coalesce(jsonb_object_agg(metric, total), '{}')
from (select e.key as metric, sum(e.value::bigint) as total
      from (select distinct on (queue_id) engagement_data from platform_metrics
            where collected_at >= %(day)s::date + interval '6 hours' order by queue_id, collected_at) m,
           jsonb_each_text(m.engagement_data) e
      group by e.key) s
"""


class Networks:
    """The four networks by hand; each method returns the counts by post."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base
        self.by_name = {
            "facebook": self.facebook,
            "instagram": self.instagram,
            "linkedin": self.linkedin,
            "x": self.x,
        }

    async def facebook(self, account: str, posts: list[str]) -> dict[str, dict[str, int]]:
        found = await self._graph(account, posts, _FACEBOOK)
        for counts, body in found.values():
            for name in ("reactions", "comments"):
                counts[name] = body[name]["summary"]["total_count"]
            counts["shares"] = body.get("shares", {}).get("count", 0)
        return {post_id: counts for post_id, (counts, _) in found.items()}

    async def instagram(self, account: str, posts: list[str]) -> dict[str, dict[str, int]]:
        found = await self._graph(account, posts, _INSTAGRAM)
        return {post_id: counts | _named(body) for post_id, (counts, body) in found.items()}

    async def linkedin(self, account: str, posts: list[str]) -> dict[str, dict[str, int]]:
        shares = ",".join(quote(post, safe="") for post in posts)
        body = await self._call(
            account,
            "GET",
            f"/linkedin/rest/organizationalEntityShareStatistics?q=organizationalEntity&organizationalEntity="
            f"{quote(f'urn:li:organization:{account}', safe='')}&shares=List({shares})&start=0&count=20",
            headers={"LinkedIn-Version": "202607", "X-Restli-Protocol-Version": "2.0.0", "X-RestLi-Method": "FINDER"},
        )
        return {one["share"]: _named(one["totalShareStatistics"]) for one in body["elements"]}

    async def x(self, account: str, posts: list[str]) -> dict[str, dict[str, int]]:
        body = await self._call(account, "GET", f"/x/2/tweets?ids={','.join(posts)}&post.fields=public_metrics")
        return {one["id"]: _named(one["public_metrics"]) for one in body["data"]}

    async def _graph(
        self, account: str, posts: list[str], fields: str
    ) -> dict[str, tuple[dict[str, int], dict[str, Any]]]:
        batch = [{"method": "GET", "relative_url": f"v25.0/{post}?fields={fields}"} for post in posts]
        parts = await self._call(account, "POST", "/graph/v25.0/", json={"batch": batch, "include_headers": False})
        found: dict[str, tuple[dict[str, int], dict[str, Any]]] = {}
        for post, part in zip(posts, parts, strict=True):
            body = json.loads(part["body"])
            given = {item["name"]: item["values"][0]["value"] for item in body["insights"]["data"]}
            found[post] = (_named(given), body)
        return found

    async def _call(
        self, account: str, method: str, path: str, headers: dict[str, str] | None = None, **body: Any
    ) -> Any:
        url = yarl.URL(f"{self._base}{path}", encoded=True)
        sent = {"Authorization": f"Bearer sandbox-{account}", **(headers or {})}
        async with self._session.request(method, url, headers=sent, **body) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)


def _named(given: dict[str, Any]) -> dict[str, int]:
    return {_OURS[name]: count for name, count in given.items() if name in _OURS and isinstance(count, int)}


async def collect(at: datetime) -> int:
    """Read what is due of all clients; returns how many clients that were."""
    permits = asyncio.Semaphore(CALLS_AT_ONCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CALLS_AT_ONCE)) as session:
        networks = Networks(session, f"http://127.0.0.1:{os.environ['DRAGGONNB_SANDBOX_PORT']}")

        async def read(platform: str, account: str, posts: list[str]) -> dict[str, dict[str, int]]:
            async with permits:
                return await networks.by_name[platform](account, posts)

        async def client(conn: psycopg.AsyncConnection) -> None:
            of_account: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
            for row_id, platform, post_id, account in await (await conn.execute(_DUE, (at,))).fetchall():
                of_account[platform, account][post_id] = row_id
            answers = await asyncio.gather(*(read(*key, list(posts)) for key, posts in of_account.items()))
            counts = [
                (posts[post_id], Jsonb(counted))
                for posts, answer in zip(of_account.values(), answers, strict=True)
                for post_id, counted in answer.items()
            ]
            values = {"ids": [one for one, _ in counts], "counts": [one for _, one in counts]}
            await conn.execute(_STORE, {**values, "at": at, "next": at + timedelta(days=1)})

        return await _for_each_client(client)


async def take_snapshots(at: datetime) -> int:
    async def client(conn: psycopg.AsyncConnection) -> None:
        await conn.execute(_SNAPSHOT, {"day": at.date()})

    return await _for_each_client(client)


async def _for_each_client(work: Callable[[psycopg.AsyncConnection], Coroutine[Any, Any, None]]) -> int:
    dsn = os.environ["DRAGGONNB_MASTER_DSN"]
    async with await psycopg.AsyncConnection.connect(dsn) as master:
        found = await master.execute("select database_name from organizations where status = 'active'")
        databases = [row[0] for row in await found.fetchall()]
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def client(database: str) -> None:
        async with permits, await psycopg.AsyncConnection.connect(dsn_of(dsn, database), autocommit=True) as conn:
            await work(conn)

    await asyncio.gather(*map(client, databases))
    return len(databases)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("collect", "snapshots"))
    parser.add_argument("--at", type=datetime.fromisoformat, required=True)
    arguments = parser.parse_args()
    work = collect if arguments.step == "collect" else take_snapshots
    tell(lambda: work(arguments.at))


if __name__ == "__main__":
    main()
