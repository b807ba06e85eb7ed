"""The publishing workflow: what is due goes out, once each, whatever is killed and whenever.

The steps of the workflow, and where each stands:
    trigger                      schedules.py (every 15 minutes), sensors/publishing.py (what becomes due in between)
    query due posts              plan_run: the agenda, or all clients; then `publishing.sql: claim_due`
    for each post: credentials,  publish_calls.publish_chunk: claim, prepare, intent, call, outcome
      publish, store id, status
    log results                  publish_attempts, and publish_reports.py for the operator
    increment usage counters     publish_records.settle_usage

Clients take turns, so that one with a thousand posts does not hold up another's one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import note_measuring
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, showing_life
from draggonnb_pipelines.workflows.publishing.publish_calls import LEASE_SECONDS, publish_chunk
from draggonnb_pipelines.workflows.publishing.publish_quotas import Quotas, load_quotas
from draggonnb_pipelines.workflows.publishing.publish_records import PUBLISHING, Tally, settle_usage
from draggonnb_pipelines.workflows.publishing.publish_recovery import reap, settle_unknown, take_back

log = logging.getLogger(__name__)
CHUNK_ROWS = 50  # of one client between the intent and the answer
# A client with a thousand posts holds up another's one no longer than this.
TURN_SECONDS = 1.0
# A run ends after about this long, so that clients who became due meanwhile are served by the next one, which starts
# at once for whatever is left.
RUN_SECONDS = 120.0
LOOKS_AT_ONCE = 16
CLIENTS_A_RUN = 1000
MAX_IDLE_TURNS = 3
T = TypeVar("T")


class Work(NamedTuple):
    """What there is to do for a client: rows that are due, posts that were approved and are not on the queue yet."""

    is_due: bool
    has_approved: bool


@dataclass
class ClientRun:
    """One client in one run: what was done for it, or why it could not be."""

    organization: Organization
    notes: int
    tally: Tally = field(default_factory=Tally)
    problem: str | None = None
    next_due_at: datetime | None = None
    was_begun: bool = False
    was_looked_into: bool = False
    idle_turns: int = 0


async def plan_run(stack: Stack, run_id: str, *, shard: int = 0, everyone: bool = False) -> dict[str, Work]:
    """The clients for whom a run has something to do, by slug: those of the agenda, or by a look into each client.

    Clients that were looked into in vain leave the agenda until something is noted again.
    """
    shards = stack.settings.shards
    async with stack.master.connection() as conn:
        query = AGENDA.agenda_of if everyone else AGENDA.due_organizations
        more = (
            {"slugs": None}
            if everyone
            else {"row_limit": CLIENTS_A_RUN, "ahead_seconds": stack.settings.publish_ahead_seconds}
        )
        rows = [row async for row in query(conn, shards=shards, shard=shard, **more)]
    clients = [_client(row) for row in rows]
    permits = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def look(client: ClientRun) -> Work:
        async with permits:
            try:
                async with stack.tenants.open(client.organization) as tenant:
                    ahead = stack.settings.publish_ahead_seconds
                    return Work(**await PUBLISHING.work_waiting(tenant.conn, run_id=run_id, ahead_seconds=ahead))
            except (DraggonnbError, psycopg.Error):
                return Work(is_due=True, has_approved=False)  # the step meets the trouble again and reports it

    found = {client.organization.slug: work for client, work in zip(clients, await _all(look, clients), strict=True)}
    busy = {slug: work for slug, work in found.items() if work.is_due or work.has_approved}
    idle = [client for client in clients if client.organization.slug not in busy]
    quotas = await load_quotas(stack.master, clients=max(len(busy), 1))
    await _all(lambda client: _look_ahead(stack, client, quotas, permits), idle)
    await _settle_agenda(stack, idle)
    if not busy:
        async with stack.master.connection() as conn:
            await AGENDA.drop_request(conn, shard=shard)
    return busy


async def _all(work: Callable[[ClientRun], Awaitable[T]], clients: Sequence[ClientRun]) -> list[T]:
    return await asyncio.gather(*map(work, clients))


async def publish_due(stack: Stack, run_id: str, slugs: Sequence[str], *, shard: int = 0) -> list[ClientRun]:
    """Publish what is due for these clients, settle what is unknown, take back what is to be taken back.

    A client's trouble is its own: it is in its `problem`, and the others go on.
    """
    async with showing_life(stack.master, run_id):
        async with stack.master.connection() as conn:
            await AGENDA.take_shard(conn, shard=shard, run_id=run_id)
            rows = AGENDA.agenda_of(conn, slugs=list(slugs), shards=1, shard=0)
            clients = [_client(row) async for row in rows]
        quotas = await load_quotas(stack.master, clients=len(clients))
        # Before it too: whoever is killed in between leaves posts that are public and a note that they are to be read.
        await note_measuring(stack.master, [client.organization.id for client in clients], stack.now())
        try:
            await _work_off(stack, run_id, clients, quotas)
        finally:
            await quotas.save(stack.master)
            await _settle_agenda(stack, clients)
            public = [one.organization.id for one in clients if one.tally.published or one.tally.read_back]
            await note_measuring(stack.master, public, stack.now())
            async with stack.master.connection() as conn:
                await AGENDA.leave_shard(conn, shard=shard, run_id=run_id)
    return clients


async def _work_off(stack: Stack, run_id: str, clients: Sequence[ClientRun], quotas: Quotas) -> None:
    """Workers take the clients in turn, and put those to the end of the line again that have more to do; one whose
    next post is due in seconds comes back then, and no worker waits for it."""
    waiting: asyncio.Queue[ClientRun] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    ends = time.monotonic() + RUN_SECONDS
    for client in clients:
        waiting.put_nowait(client)

    def come_back(client: ClientRun) -> None:
        waiting.put_nowait(client)
        waiting.task_done()

    async def worker() -> None:
        while True:
            client = await waiting.get()
            in_seconds = await _try_turn(stack, run_id, client, quotas)
            if in_seconds is None or time.monotonic() + in_seconds > ends:
                waiting.task_done()
            else:
                loop.call_later(in_seconds, come_back, client)

    workers = [
        asyncio.create_task(worker()) for _ in range(min(stack.settings.publish_clients_at_once, max(len(clients), 1)))
    ]
    try:
        await waiting.join()
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _try_turn(stack: Stack, run_id: str, client: ClientRun, quotas: Quotas) -> float | None:
    """See `_turn`; a client with a problem is done in this run."""
    try:
        return await _turn(stack, run_id, client, quotas)
    except (DraggonnbError, psycopg.Error) as error:
        client.problem = reason_of(error)
        log.warning("%s: publishing stopped: %s", client.organization.slug, client.problem)
    except Exception as error:
        client.problem = reason_of(error)
        log.exception("%s: publishing broke", client.organization.slug)
    return None


async def _turn(stack: Stack, run_id: str, client: ClientRun, quotas: Quotas) -> float | None:
    """Chunks of one client for as long as a turn lasts (its connection is open and warm), then what is unknown or to be
    taken back. Returns in how many seconds it wants another turn; None: it is done in this run."""
    ends, claimed, published = time.monotonic() + TURN_SECONDS, 0, 0
    if not client.was_begun:
        # Approved since the step before looked, and noted before we read the notes: else nobody would look again.
        await enqueue_ready(stack, client.organization)
    while chunk := await _claim(stack, run_id, client, quotas):
        rows = await publish_chunk(stack, client.organization, run_id, chunk, quotas)
        client.tally.add(rows)
        claimed += len(chunk)
        published += sum(row.published is not None for row in rows)
        if len(chunk) < CHUNK_ROWS:
            break
        if time.monotonic() > ends:
            return 0.0
    in_seconds = await _rest(stack, client, quotas, is_tidy=0 < claimed == published)
    if in_seconds is None or in_seconds > stack.settings.publish_ahead_seconds:
        return None
    looked_at = 0
    if in_seconds <= 0:
        looked_at = await settle_unknown(stack, client.organization) + await take_back(stack, client.organization)
        client.tally.read_back += looked_at
    client.idle_turns = 0 if claimed or looked_at else client.idle_turns + 1
    return None if client.idle_turns > MAX_IDLE_TURNS else max(in_seconds, 0.05)


async def _claim(stack: Stack, run_id: str, client: ClientRun, quotas: Quotas) -> list[dict[str, Any]]:
    """The next chunk. Before the client's first one, what earlier runs left is put in order."""
    organization = client.organization
    async with stack.tenants.open(organization) as tenant:
        if not client.was_begun:
            await reap(stack, tenant)
            await cancel_outdated(tenant)
            client.was_begun = True
        now = stack.now()
        claimed = PUBLISHING.claim_due(
            tenant.conn,
            run_id=run_id,
            platforms=[str(platform) for platform in quotas.open_platforms(organization.id, now)],
            row_limit=min(CHUNK_ROWS, quotas.most_at_once(organization.id, now)),
            lease_seconds=LEASE_SECONDS,
        )
        return [row async for row in claimed]


async def _rest(stack: Stack, client: ClientRun, quotas: Quotas, *, is_tidy: bool) -> float | None:
    """Nothing more can be claimed now. Closes what is finished; returns in how many seconds the next thing is due.

    Args:
        is_tidy: all that was claimed is public, so that no part waits for one that will never be.
    """
    async with stack.tenants.open(client.organization) as tenant:
        if not is_tidy:
            await cancel_outdated(tenant)
        await PUBLISHING.close_posts(tenant.conn)
        return await _next_due(stack, tenant, client, quotas)


async def cancel_outdated(tenant: TenantDb) -> None:
    """Take rows off the queue whose post was edited or withdrawn since, and give their places back."""
    async with tenant.conn.transaction():
        cancelled = {row["id"]: "cancelled" async for row in PUBLISHING.cancel_outdated(tenant.conn)}
        await settle_usage(tenant, cancelled)


async def _look_ahead(stack: Stack, client: ClientRun, quotas: Quotas, permits: asyncio.Semaphore) -> None:
    async with permits:
        try:
            async with stack.tenants.open(client.organization) as tenant:
                await _next_due(stack, tenant, client, quotas)
        except (DraggonnbError, psycopg.Error) as error:
            client.problem = reason_of(error)


async def _next_due(stack: Stack, tenant: TenantDb, client: ClientRun, quotas: Quotas) -> float | None:
    """Notes when the client is due next, and returns in how many seconds that is; None: nothing is left to do."""
    now = stack.now()
    opened = quotas.open_platforms(client.organization.id, now)
    closed = [str(platform) for platform in stack.platforms if platform not in opened]
    reopens_in = (quotas.reopens_at(now) - now).total_seconds()  # our clock may differ from the database's
    found = await PUBLISHING.next_due(tenant.conn, closed=closed, reopens_in=reopens_in)
    client.next_due_at, client.was_looked_into = found["at"], True
    return found["in_seconds"]


async def _settle_agenda(stack: Stack, clients: Sequence[ClientRun]) -> None:
    """Note when each client is due next. One with trouble comes again in a minute."""
    settled = [client for client in clients if client.was_looked_into or client.problem]
    if not settled:
        return
    async with stack.master.connection() as conn:
        await AGENDA.settle_agenda(
            conn,
            organization_ids=[client.organization.id for client in settled],
            times=[client.next_due_at for client in settled],
            troubles=[client.problem is not None for client in settled],
            seen_notes=[client.notes for client in settled],
        )


def _client(row: dict[str, Any]) -> ClientRun:
    notes = row.pop("notes")
    return ClientRun(Organization(**row), notes)
