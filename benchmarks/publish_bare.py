"""`python -m benchmarks.publish_bare`: what one would write by hand to publish due posts, to measure ours by.

One event loop, aiohttp, a psycopg connection per client; the calls on the wire are the ones that ours makes, as many
at once. What it leaves out is what a ledger is for: nothing is noted before a call, so a post whose process dies goes
out again or not at all; no token is sealed, no error sorted, no quota kept, nothing is written but status and id.
"""

import asyncio
import os
from typing import Any

import aiohttp
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.publish_costs import tell

POSTS_AT_ONCE = 400
CLIENTS_AT_ONCE = 16
BUCKET = "media"
_DUE = """
select q.id, q.platform_id, q.payload, a.external_id
from content_queue q join social_accounts a on a.id = q.account_id
where q.status = 'scheduled' and q.due_at <= now()
order by q.due_at
"""
_DONE = """
update content_queue q
set status = 'published', platform_post_id = g.post_id, platform_url = g.url, published_at = now()
from unnest(%s::uuid[], %s::text[], %s::text[]) as g (id, post_id, url)
where q.id = g.id
"""
Answer = tuple[aiohttp.ClientResponse, Any]


class Networks:
    """The four networks by hand; each method returns the post's id and its address."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._graph, self._linkedin, self._x = f"{base}/graph/v25.0", f"{base}/linkedin", f"{base}/x"
        self._storage, self._base = f"{base}/supabase/storage/v1", base
        self.by_name = {
            "facebook": self.facebook,
            "instagram": self.instagram,
            "linkedin": self.linkedin,
            "x": self.x,
        }

    async def facebook(self, account: str, payload: dict[str, Any]) -> tuple[str, str]:
        _, made = await self._call(account, "POST", f"{self._graph}/{account}/feed", {"message": payload["text"]})
        return made["id"], f"{self._base}/graph/public/{made['id']}"

    async def instagram(self, account: str, payload: dict[str, Any]) -> tuple[str, str]:
        """Sign and look at the file, ask for the quota, create, look at and publish the container, ask for the link."""
        [media] = payload["media"]
        _, signed = await self._call(
            "", "POST", f"{self._storage}/object/sign/{BUCKET}/{media['path']}", {"expiresIn": 21_600}
        )
        url = f"{self._storage}{signed['signedURL']}"
        async with self._session.get(url, headers={"Range": "bytes=0-262143"}) as answer:
            answer.raise_for_status()
            await answer.read()
        node = f"{self._graph}/{account}"
        await self._call(account, "GET", f"{node}/content_publishing_limit?fields=quota_usage,config")
        body = {"image_url": url, "alt_text": media["alt"], "caption": payload["text"]}
        _, container = await self._call(account, "POST", f"{node}/media", body)
        while True:
            _, seen = await self._call(account, "GET", f"{self._graph}/{container['id']}?fields=id,status_code,status")
            if seen["status_code"] == "FINISHED":
                break
            await asyncio.sleep(1)
        _, made = await self._call(account, "POST", f"{node}/media_publish", {"creation_id": container["id"]})
        _, shown = await self._call(account, "GET", f"{self._graph}/{made['id']}?fields=id,permalink")
        return made["id"], shown["permalink"]

    async def linkedin(self, account: str, payload: dict[str, Any]) -> tuple[str, str]:
        distribution = {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        }
        body = {
            "author": f"urn:li:organization:{account}",
            "commentary": payload["text"].replace("#", "\\#"),
            "visibility": "PUBLIC",
            "distribution": distribution,
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
        }
        headers = {"LinkedIn-Version": "202607", "X-Restli-Protocol-Version": "2.0.0"}
        answer, _ = await self._call(account, "POST", f"{self._linkedin}/rest/posts", body, headers)
        urn = answer.headers["x-restli-id"]
        return urn, f"{self._linkedin}/feed/update/{urn}"

    async def x(self, account: str, payload: dict[str, Any]) -> tuple[str, str]:
        body = {"text": payload["text"], "made_with_ai": payload["made_with_ai"]}
        _, made = await self._call(account, "POST", f"{self._x}/2/tweets", body)
        return made["data"]["id"], f"{self._x}/i/web/status/{made['data']['id']}"

    async def _call(
        self, account: str, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        token = f"sandbox-{account}" if account else "sandbox"
        async with self._session.request(
            method, url, json=body, headers={"Authorization": f"Bearer {token}", **(headers or {})}
        ) as answer:
            answer.raise_for_status()
            content = await answer.read()
            return answer, await answer.json() if content else None


async def drain() -> int:
    """Publish what is due for all clients; returns how many posts that were."""
    dsn, port = os.environ["DRAGGONNB_MASTER_DSN"], os.environ["DRAGGONNB_SANDBOX_PORT"]
    async with await psycopg.AsyncConnection.connect(dsn) as master:
        found = await master.execute(
            "select o.database_name from publishing_agenda a join organizations o on o.id = a.organization_id "
            "where a.next_due_at <= now()"
        )
        databases = [row[0] for row in await found.fetchall()]
    clients, posts = asyncio.Semaphore(CLIENTS_AT_ONCE), asyncio.Semaphore(POSTS_AT_ONCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=POSTS_AT_ONCE)) as session:
        networks = Networks(session, f"http://127.0.0.1:{port}")

        async def client(database: str) -> int:
            async with clients, await psycopg.AsyncConnection.connect(dsn_of(dsn, database), autocommit=True) as conn:
                return await publish_client(conn, networks, posts)

        return sum(await asyncio.gather(*map(client, databases)))


async def publish_client(conn: psycopg.AsyncConnection, networks: Networks, posts: asyncio.Semaphore) -> int:
    async def publish(platform: str, payload: dict[str, Any], account: str) -> tuple[str, str]:
        async with posts:
            return await networks.by_name[platform](account, payload)

    rows = await (await conn.execute(_DUE)).fetchall()
    made = await asyncio.gather(*(publish(platform, payload, account) for _, platform, payload, account in rows))
    await conn.execute(_DONE, ([row[0] for row in rows], [one for one, _ in made], [url for _, url in made]))
    return len(made)


def dsn_of(dsn: str, database: str) -> str:
    return make_conninfo(**{**conninfo_to_dict(dsn), "dbname": database})


if __name__ == "__main__":
    tell(drain)
