"""The clients of the day in fast motion: their databases, accounts, what is public already, and what is due today.

Lives here: everything before the day begins. Not here: the day itself (`tenants_day.py`), what must have come of it
(`tenants_count.py`).
"""

import asyncio
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg

from benchmarks.analytics_seed import AT_ONCE, fill, make_public, posts_of
from benchmarks.publish_seed import queue_posts
from draggonnb_pipelines.domain.measuring import next_day_begins
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from tests.stories.system import System, opened

LEADS, REQUESTS, DUE_POSTS, MEASURED = 2, 3, 5, 20
OLDER_POSTS = MEASURED - REQUESTS - DUE_POSTS  # what is written and what is due today is measured next morning too
OLDEST = timedelta(days=12)  # so that the week before has posts, whatever day it is today
CREATED_AT_ONCE = 3
SEED_SECONDS = 0.06  # to queue the day's posts of one client, generously
# Clients of long standing, whose numbers and reports nobody asks for before the next morning.
STANDING = """
with old as (update organizations set created_at = now() - interval '60 days' where slug = any(%s) returning id)
insert into analytics_agenda (organization_id, figures_at) select id, %s from old
on conflict (organization_id) do update set figures_at = excluded.figures_at
"""
MEASURED_NEXT = "update content_queue set measure_at = %s where status = 'published'"
# A round of the stack may have looked into a client meanwhile.
AGENDA = """
insert into publishing_agenda (organization_id, next_due_at, notes)
select *, 1 from unnest(%s::uuid[], %s::timestamptz[])
on conflict (organization_id) do update
set next_due_at = excluded.next_due_at, notes = publishing_agenda.notes + 1
"""


def morning_after(now: datetime) -> datetime:
    """06:00:30 UTC, the next one: when the day's numbers are read."""
    return next_day_begins(now) + timedelta(seconds=30)


def create_clients(system: System, slugs: Sequence[str]) -> None:
    """So many organizations, each with its own database out of the template."""
    prefix = f"story_{uuid.uuid4().hex[:8]}_"

    async def create_all() -> None:
        permits = asyncio.Semaphore(CREATED_AT_ONCE)
        vault = Vault(system.settings.keys)
        async with MasterDb(system.settings.dsn, max_connections=CREATED_AT_ONCE) as master:

            async def create(slug: str) -> None:
                new = NewOrganization(slug, slug.replace("-", " ").title(), f"sales@{slug}.example", "+27821234567")
                async with permits:
                    system.clients[slug] = await create_organization(
                        new, master=master, vault=vault, server_dsn=system.settings.dsn, prefix=prefix
                    )

            await asyncio.gather(*map(create, slugs))

    asyncio.run(create_all())


def make_established(system: System, slugs: Sequence[str], now: datetime) -> None:
    """Accounts on four networks, and the posts of the days before, which are measured in the next morning again."""
    clients, morning = [opened(system, slug) for slug in slugs], morning_after(now)
    with psycopg.connect(system.settings.dsn) as conn:
        conn.execute(STANDING, (list(slugs), morning))

    def establish(client: Organization) -> None:
        fill(system.settings, client, posts_of(client, OLDER_POSTS, now, oldest=OLDEST))
        with _tenant(system, client) as conn:
            conn.execute(MEASURED_NEXT, (morning,))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(establish, clients))
    make_public(system.sandbox.url, clients, OLDER_POSTS, now, oldest=OLDEST)


def queue_day(system: System, slugs: Sequence[str], seconds: float) -> tuple[datetime, dict[str, list[str]]]:
    """Posts that are due through a day of so many seconds; when it begins, and the posts' texts by client.

    Raises:
        RuntimeError: it took longer than the time until the day begins.
    """
    clients = [opened(system, slug) for slug in slugs]
    begins = datetime.now(UTC) + timedelta(seconds=5 + len(clients) * SEED_SECONDS)
    moments = {
        client.slug: [begins + timedelta(seconds=at) for at in times_of(place, len(clients), DUE_POSTS, seconds)]
        for place, client in enumerate(clients)
    }

    def queue(place: int, client: Organization) -> list[str]:
        with _tenant(system, client) as conn:
            # Beyond those that are public: a network takes no text a second time.
            numbers = range(OLDER_POSTS + place % 4, OLDER_POSTS + place % 4 + DUE_POSTS)
            return queue_posts(conn, client, numbers, moments[client.slug])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        texts = list(pool.map(queue, range(len(clients)), clients))
    with psycopg.connect(system.settings.dsn) as conn:
        conn.execute(AGENDA, ([client.id for client in clients], [moments[client.slug][0] for client in clients]))
    if datetime.now(UTC) > begins:
        raise RuntimeError("queueing the day's posts took longer than was thought")
    return begins, dict(zip(slugs, texts, strict=True))


def times_of(place: int, clients: int, each: int, seconds: float) -> list[float]:
    """Seconds after the day's begin at which a client's things happen: all clients' together lie evenly over it."""
    return [(number + place / clients) * seconds / each for number in range(each)]


def _tenant(system: System, client: Organization) -> psycopg.Connection:
    assert client.database_name
    return psycopg.connect(dsn_for(system.settings.dsn, client.database_name))
