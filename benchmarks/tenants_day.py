"""The day in fast motion: leads and requests come in by webhook, reviewers approve what is written, posts are due.

Lives here: what the world does to the stack, evenly over the day, and waiting until it has answered everything. Not
here: what was prepared (`tenants_seed.py`), counting (`tenants_count.py`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from benchmarks.server import console
from benchmarks.tenants_seed import LEADS, REQUESTS, times_of
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import Tenants
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.workflows.content.reviews import review_token
from tests.stories.system import System, company_of, opened

PLATFORMS = tuple(Platform)
SQUARE = {"path": "square.jpg", "alt": "A cup on a counter"}
BRIEFS = (
    "Our new filter roast from Ethiopia is here. Come and taste it.",
    "We close at noon on Saturday for the street market in our road.",
    "On Thursday evening we show how a cup is brewed by hand. Places are free, write to us.",
)
LOOK_SECONDS = 3.0
SAY_SECONDS = 30.0
LATER = (429, 503)
REVIEWS_AT_ONCE = 4
OPEN_REVIEWS = """
select o.slug, r.post_id, r.content_hash, r.reviewer
from review_links r join organizations o on o.id = r.organization_id where r.decided_at is null
"""
# What is not finished of the day's work.
LEFT = """
select (select count(*) from inbox where topic = 'leads' and state in ('received', 'claimed')) as leads,
       (select count(*) from inbox where topic = 'content' and state in ('received', 'claimed')) as requests,
       (select count(*) from review_links where decided_at is null) as reviews,
       (select count(*) from publishing_agenda where next_due_at < 'infinity') as due
"""


@dataclass
class Told:
    """What the senders were answered; `again` counts answers that told them to come again, as they did."""

    posted: int = 0
    approved: int = 0
    again: int = 0
    refused: list[str] = field(default_factory=list)


class Day:
    """One day of these clients in so many seconds."""

    def __init__(self, system: System, slugs: Sequence[str], begins: datetime, seconds: float) -> None:
        self._system, self._slugs, self._seconds = system, slugs, seconds
        self._began = time.monotonic() + (begins - datetime.now(UTC)).total_seconds()
        self._tenants = Tenants(system.settings.dsn, Vault(system.settings.keys))
        self._said = self._began
        self.told = Told()

    def live(self, *, patience_seconds: float) -> float:
        """Until all that came in is finished; the seconds from the day's begin until then.

        Raises:
            AssertionError: it is not finished so long after the day's end.
        """
        asyncio.run(self._live(patience_seconds))
        self._wait_until_finished(patience_seconds)
        return time.monotonic() - self._began

    async def _live(self, patience_seconds: float) -> None:
        limits = httpx.Limits(max_connections=20)
        url = self._system.settings.base_url
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False) as client:
            reviewing = asyncio.create_task(self._review(client, patience_seconds))
            await asyncio.gather(*(self._at(second, post) for second, post in self._posts(client)))
            await reviewing

    def _posts(self, client: httpx.AsyncClient) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        found = []
        for place, slug in enumerate(self._slugs):
            for number, second in enumerate(times_of(place, len(self._slugs), LEADS, self._seconds)):
                body = company_of(slug, number)
                found.append((second, lambda a=(client, slug, "leads", f"lead-{number}", body): self._post(*a)))
            for number, second in enumerate(times_of(place, len(self._slugs), REQUESTS, self._seconds)):
                body = self._request(place, number)
                sent = (client, slug, "generate-content", f"request-{number}", body)
                found.append((second, lambda a=sent: self._post(*a)))
        return found

    def _request(self, place: int, number: int) -> dict[str, Any]:
        platform = PLATFORMS[(place + number) % len(PLATFORMS)]
        media = [SQUARE] if platform is Platform.INSTAGRAM else []
        return {"brief": BRIEFS[number], "platforms": [platform], "media": media, "as_soon_as_approved": True}

    async def _at(self, second: float, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(max(0.0, self._began + second - time.monotonic()))
        await work()

    async def _post(self, client: httpx.AsyncClient, slug: str, kind: str, delivery: str, body: Any) -> None:
        headers = {"X-Webhook-Token": self._system.clients[slug].webhook_token, "X-Delivery-Id": delivery}
        while (answer := await client.post(f"/webhook/{slug}/{kind}", json=body, headers=headers)).status_code in LATER:
            self.told.again += 1
            await asyncio.sleep(float(answer.headers.get("retry-after", LOOK_SECONDS)))
        if answer.status_code == 202:
            self.told.posted += 1
        else:
            self.told.refused.append(f"{slug} {kind} {delivery}: {answer.status_code} {answer.text[:200]}")

    async def _review(self, client: httpx.AsyncClient, patience_seconds: float) -> None:
        """Every reviewer opens its link as soon as it is there, and approves."""
        wanted, permits = REQUESTS * len(self._slugs), asyncio.Semaphore(REVIEWS_AT_ONCE)

        async def approve(link: dict[str, Any]) -> None:
            key = self._tenants.key(opened(self._system, link["slug"]))
            token = review_token(key, link["post_id"], link["content_hash"], link["reviewer"])
            async with permits:
                answer = await client.post(f"/reviews/{token}", data={"decision": "approve", "comment": ""})
            if answer.status_code == 303:
                self.told.approved += 1
            elif answer.status_code in LATER:
                self.told.again += 1  # it is among the open ones at the next look
            else:
                self.told.refused.append(f"{link['slug']} review: {answer.status_code} {answer.text[:200]}")

        while self.told.approved < wanted:
            await asyncio.sleep(LOOK_SECONDS)
            left = await asyncio.to_thread(self._look)
            links = await asyncio.to_thread(self._system.master, OPEN_REVIEWS)
            await asyncio.gather(*map(approve, links))
            since_end = time.monotonic() - self._began - self._seconds
            if since_end > patience_seconds or (since_end > 0 and not left["requests"] and not links):
                return  # what is missing is named by the count

    def _wait_until_finished(self, patience_seconds: float) -> None:
        def is_finished() -> bool:
            time.sleep(LOOK_SECONDS)
            return not any(self._look().values())

        self._system.wait_until("the day's work is finished", is_finished, seconds=patience_seconds)

    def _look(self) -> dict[str, int]:
        """What is left; said from time to time."""
        [left] = self._system.master(LEFT)
        if time.monotonic() > self._said + SAY_SECONDS:
            self._said = time.monotonic()
            second = self._said - self._began
            console.print(f"second {second:.0f} of {self._seconds:.0f}: {self.told.approved} approved, left: {left}")
        return left
