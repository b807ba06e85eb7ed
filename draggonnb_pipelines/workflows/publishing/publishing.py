"""The publishing workflow: what is due goes out, once each, whatever is killed and whenever.

The steps of the workflow, and where each stands:
    trigger                      schedules.py (every 15 minutes), sensors/publishing.py (what becomes due in between)
    query due posts              plan_run: the agenda, or all clients; then `publishing.sql: claim_due`
    for each post: credentials,  publish_calls.publish_chunk: claim, prepare, intent, call, outcome
      publish, store id, status
    log results                  publish_attempts, and publish_reports.py for the operator
    increment usage counters     publish_records.settle_usage

Clients take turns, and those who become due meanwhile join in (`publish_line.py`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import note_measuring
from draggonnb_pipelines.workflows.content.scheduling import POSTS_AT_ONCE, enqueue_ready
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, showing_life
from draggonnb_pipelines.workflows.publishing.publish_calls import LEASE_SECONDS, publish_chunk
from draggonnb_pipelines.workflows.publishing.publish_line import ClientRun, Line
from draggonnb_pipelines.workflows.publishing.publish_quotas import Quotas, load_quotas
from draggonnb_pipelines.workflows.publishing.publish_records import PUBLISHING, settle_usage
from draggonnb_pipelines.workflows.publishing.publish_recovery import reap, settle_unknown, take_back

log = logging.getLogger(__name__)
CHUNK_ROWS = 50  # of one client between the intent and the answer
# A client with a thousand posts holds up another's one no longer than this.
TURN_SECONDS = 1.0
LOOKS_AT_ONCE = 16
CLIENTS_A_RUN = 1000
MAX_IDLE_TURNS = 3
T = TypeVar("T")


class Work(NamedTuple):
    """What there is to do for a client: rows that are due, posts that were approved and are not on the queue yet."""

    is_due: bool
    has_approved: bool


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


async def publish_due(
    stack: Stack, run_id: str, slugs: Sequence[str], *, shard: int = 0, others_join: bool = False
) -> list[ClientRun]:
    """Publish what is due for these clients, settle what is unknown, take back what is to be taken back.

    A client's trouble is its own: it is in its `problem`, and the others go on.

    Args:
        others_join: clients of the shard that become due meanwhile are served too, and returned after the chosen ones
            where something came of it.
    """
    async with showing_life(stack.master, run_id):
        async with stack.master.connection() as conn:
            if others_join:  # else its sensor goes on to start a run for whoever is not among the chosen
                await AGENDA.take_shard(conn, shard=shard, run_id=run_id)
            rows = AGENDA.agenda_of(conn, slugs=list(slugs), shards=1, shard=0)
            clients = {row["slug"]: _client(row) async for row in rows}
        quotas = await load_quotas(stack.master, clients=len(clients))
        # Before it too: whoever is killed in between leaves posts that are public and a note that they are to be read.
        await note_measuring(stack.master, [client.organization.id for client in clients.values()], stack.now())
        line = Line(
            lambda client: _try_turn(stack, run_id, client, quotas),
            newcomers=lambda: _newcomers(stack, shard, clients, quotas, others_join=others_join),
            hand_over=lambda: _leave_shard(stack, shard, run_id),
            workers=stack.settings.publish_clients_at_once,
        )
        try:
            await line.work_off(list(clients.values()))
        finally:
            await quotas.save(stack.master)
            await _settle_agenda(stack, clients.values())
            public = [one.organization.id for one in clients.values() if one.tally.published or one.tally.read_back]
            await note_measuring(stack.master, public, stack.now())
            await _leave_shard(stack, shard, run_id)
    return [one for one in clients.values() if not one.has_joined or one.problem or one.tally.did_something]


async def _leave_shard(stack: Stack, shard: int, run_id: str) -> None:
    async with stack.master.connection() as conn:
        await AGENDA.leave_shard(conn, shard=shard, run_id=run_id)


async def _newcomers(
    stack: Stack, shard: int, clients: dict[str, ClientRun], quotas: Quotas, *, others_join: bool
) -> list[ClientRun]:
    """Who is due by the agenda and has no turn coming; with what has become known meanwhile: what other runs learned of
    the quotas, and who is being moved to another server."""
    await _settle_agenda(stack, [client for client in clients.values() if not client.is_in_line])
    await quotas.exchange(stack.master)
    async with stack.master.connection() as conn:
        held = {row["slug"] async for row in AGENDA.held_organizations(conn)}
        for slug, client in clients.items():
            client.is_held = slug in held
        if not others_join:
            return []
        place = {"shards": stack.settings.shards, "shard": shard, "row_limit": CLIENTS_A_RUN}
        rows = AGENDA.due_organizations(conn, **place, ahead_seconds=stack.settings.publish_ahead_seconds)
        due = [_client(row, has_joined=True) async for row in rows]
    joining = [fresh for fresh in due if not _is_served(clients.get(fresh.organization.slug), fresh.notes)]
    await note_measuring(stack.master, [client.organization.id for client in joining], stack.now())
    for fresh in joining:
        known = clients.setdefault(fresh.organization.slug, fresh)
        if known is not fresh:
            known.come_again(fresh.organization, fresh.notes)
    return [clients[fresh.organization.slug] for fresh in joining]


def _is_served(client: ClientRun | None, notes: int) -> bool:
    """It has a turn coming; or something of it is due that cannot be done, which is a matter for the next run."""
    return client is not None and (client.is_in_line or (client.idle_turns > MAX_IDLE_TURNS and client.notes == notes))


async def _try_turn(stack: Stack, run_id: str, client: ClientRun, quotas: Quotas) -> float | None:
    """See `_turn`; a client with a problem is done until the agenda brings it again."""
    in_seconds = None
    try:
        in_seconds = await _turn(stack, run_id, client, quotas)
    except (DraggonnbError, psycopg.Error) as error:
        client.problem = reason_of(error)
        log.warning("%s: publishing stopped: %s", client.organization.slug, client.problem)
    except Exception as error:
        client.problem = reason_of(error)
        log.exception("%s: publishing broke", client.organization.slug)
    client.is_in_line = in_seconds is not None
    return in_seconds


async def _turn(stack: Stack, run_id: str, client: ClientRun, quotas: Quotas) -> float | None:
    """Chunks of one client for as long as a turn lasts (its connection is open and warm), then what is unknown or to be
    taken back. Returns in how many seconds it wants another turn; None: it is done in this run."""
    if client.is_held:
        client.was_looked_into = False  # as the agenda has it, it is due: the run after its move begins with it
        return None
    ends, claimed, published = time.monotonic() + TURN_SECONDS, 0, 0
    if client.has_approved:
        made = await enqueue_ready(stack, client.organization, most=POSTS_AT_ONCE)
        client.has_approved = len(made) >= POSTS_AT_ONCE
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
    if client.has_approved:
        return 0.0
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


async def _settle_agenda(stack: Stack, clients: Iterable[ClientRun]) -> None:
    """Note when each client is due next. One with trouble comes again in a minute."""
    settled = [one for one in clients if not one.is_settled and (one.was_looked_into or one.problem)]
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
    for client in settled:
        client.is_settled = True


def _client(row: dict[str, Any], *, has_joined: bool = False) -> ClientRun:
    notes = row.pop("notes")
    return ClientRun(Organization(**row), notes, has_joined)
