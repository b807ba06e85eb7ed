"""The reading of numbers: what the platforms count of each public post, added to and never changed.

The steps for each client, many at once:
    claim         posts that are due get a lease (`metrics.sql: claim_posts`); two runs never hold the same post
    ask           account by account, in the platform's own batches (`collection_reading.py`), no connection held
    store         readings and the posts' next times in one statement; what was not given is missing, not zero
    report        what is stored of the day by now, what is missing and why (`collection_reports.py`)

A run shows that it lives; what a dead one had claimed is read by the next one at once. A past day is never asked for:
the platforms count up to now.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.measuring import DAILY_DAYS
from draggonnb_pipelines.domain.metrics import Reading
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Account
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey, StepReport
from draggonnb_pipelines.errors import DraggonnbError, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics.analytics_agenda import ANALYTICS_AGENDA, Look, settle
from draggonnb_pipelines.workflows.analytics.collection_reading import LEASE, AccountAnswer, Gate, read_account
from draggonnb_pipelines.workflows.analytics.collection_reports import AccountLeft, Measured, StoredDay, report_client
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of
from draggonnb_pipelines.workflows.publishing.accounts import mark_account, open_token
from draggonnb_pipelines.workflows.publishing.agenda import dead_runs, showing_life
from draggonnb_pipelines.workflows.publishing.publish_quotas import load_quotas
from draggonnb_pipelines.workflows.step_reports import write_ledger

METRICS = load_queries("metrics")
ASSET = "platform_metrics"
CLIENTS_AT_ONCE = 16
CLAIM_POSTS = 500  # of one client between claim and store
FRESH_FOR = timedelta(minutes=15)
log = logging.getLogger(__name__)


@dataclass
class _Run:
    """What the clients of one run share."""

    stack: Stack
    run_id: str
    gate: Gate
    fresh: bool
    notes: Mapping[UUID, int]
    permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CLIENTS_AT_ONCE))
    looks: list[Look] = field(default_factory=list)


async def collect_metrics(
    stack: Stack, run_id: str, keys: Sequence[PartitionKey], *, fresh: bool = False
) -> StepReport:
    """Read the posts that are due of these clients. Of past days nothing is asked; the report says what is stored.

    A platform that gave a client nothing fails the client's key, which goes on all the same: the others' numbers stand.

    Args:
        fresh: posts of the last 7 days too whose last reading is older than 15 minutes, for a client who asks for it.
    """
    by_slug: dict[str, list[PartitionKey]] = defaultdict(list)
    for key in keys:
        by_slug[key.slug].append(key)
    organizations = await organizations_by_slug(stack, list(by_slug))
    async with stack.master.connection() as conn:
        notes = {row["id"]: row["notes"] async for row in ANALYTICS_AGENDA.notes_of(conn, slugs=list(by_slug))}
    began_at, clock = stack.now(), stack.now
    # A clock that is set back meanwhile must not make due again what was read a moment ago.
    stack = replace(stack, now=lambda: max(clock(), began_at))
    run = _Run(stack, run_id, Gate(await load_quotas(stack.master, clients=len(by_slug))), fresh, notes)
    async with showing_life(stack.master, run_id):
        try:
            work = [_try_client(run, organizations.get(slug), of_client) for slug, of_client in by_slug.items()]
            parts = await asyncio.gather(*work)
        finally:
            await run.gate.quotas.save(stack.master)
            async with stack.master.connection() as conn:
                await settle(conn, stack.now(), run.looks)
    report = StepReport.joined(parts)
    await write_ledger(stack, ASSET, run_id, {key: {ASSET: done.rows} for key, done in report.done.items()})
    return report


async def _try_client(run: _Run, organization: Organization | None, keys: Sequence[PartitionKey]) -> StepReport:
    """One client's trouble is its own."""
    if organization is None:
        return StepReport(failed=dict.fromkeys(keys, "there is no such organization"))
    if organization.status == "provisioning":
        return StepReport(waiting=dict.fromkeys(keys, "its system is still being set up"))
    if not organization.is_active:
        return StepReport(done=dict.fromkeys(keys, KeyReport(0, {"organization": organization.status})))
    today = run.stack.now().astimezone(UTC).date()
    is_asked = any(key.day == today for key in keys)
    async with run.permits:
        try:
            measured = Measured()
            left, stored = await (
                _measure(run, organization, keys, measured) if is_asked else _look(run, organization, keys)
            )
        except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
            log.warning("run %s: the numbers of %s were not read: %s", run.run_id, organization.slug, reason_of(error))
            problem = reason_of(error)
        except Exception as error:
            log.exception("run %s: the numbers of %s broke", run.run_id, organization.slug)
            problem = reason_of(error)
        else:
            report = report_client(keys, run.stack.now(), measured, left, stored)
            if is_asked:
                next_at = min((one.again_at for one in left if one.again_at), default=None)
                run.looks.append(Look(organization.id, next_at, bool(report.failed), run.notes[organization.id]))
            return report
    if is_asked:
        run.looks.append(Look(organization.id, None, True, run.notes[organization.id]))
    return StepReport(failed=dict.fromkeys(keys, problem))


async def _measure(
    run: _Run, organization: Organization, keys: Sequence[PartitionKey], measured: Measured
) -> tuple[list[AccountLeft], list[StoredDay]]:
    """All that is due when this begins, chunk by chunk, and what dead runs had in hand; then what there is by now."""
    began_at, free_runs = run.stack.now(), [run.run_id]
    while True:
        count = await _measure_chunk(run, organization, began_at, free_runs, measured)
        if count == CLAIM_POSTS:
            continue
        left, stored = await _look(run, organization, keys)
        held_by = {holder for one in left for holder in one.holders or ()}.difference(free_runs)
        dead = await dead_runs(run.stack.master, held_by)
        measured.held_by = held_by - dead
        if not dead:
            return left, stored
        free_runs += sorted(dead)


async def _measure_chunk(
    run: _Run, organization: Organization, began_at: datetime, free_runs: Sequence[str], measured: Measured
) -> int:
    """Claim, ask, store; returns how many posts were claimed."""
    stack, lease_until = run.stack, run.stack.now() + LEASE
    async with stack.tenants.open(organization) as tenant:
        claimed = METRICS.claim_posts(
            tenant.conn,
            run_id=run.run_id,
            now=began_at,
            lease_until=lease_until,
            free_runs=list(free_runs),
            fresh=run.fresh,
            young_since=began_at - timedelta(days=DAILY_DAYS),
            fresh_since=began_at - FRESH_FOR,
            row_limit=CLAIM_POSTS,
        )
        of_account: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        async for post in claimed:
            of_account[post["account_id"]].append(post)
        opened = {account_id: _opened(tenant, posts[0]) for account_id, posts in of_account.items()}
    if not of_account:
        return 0
    day = began_at.astimezone(UTC).date()
    answers = await asyncio.gather(
        *(read_account(stack, run.gate, opened[key], posts, day) for key, posts in of_account.items())
    )
    async with stack.tenants.open(organization) as tenant:
        measured.add(answers, await _store(run, tenant, answers, lease_until))
    for answer in answers:
        if answer.refusal:
            await mark_account(stack, organization, answer.account_id, answer.refusal, token=answer.token)
    return sum(map(len, of_account.values()))


def _opened(tenant: TenantDb, post: Mapping[str, Any]) -> Account | VendorError:
    try:
        return open_token(tenant, post)
    except VendorError as error:
        return error


async def _store(run: _Run, tenant: TenantDb, answers: Sequence[AccountAnswer], lease_until: datetime) -> set[UUID]:
    """Readings and next times of all posts at once; returns the posts of which a reading was stored."""
    verdicts = [verdict for answer in answers for verdict in answer.verdicts]
    versions = [answer.readings.api_version for answer in answers for _ in answer.verdicts]
    readings = [verdict.reading or Reading("") for verdict in verdicts]
    stored = METRICS.store_readings(
        tenant.conn,
        run_id=run.run_id,
        now=run.stack.now(),
        lease_until=lease_until,
        ids=[verdict.post["id"] for verdict in verdicts],
        next_times=[verdict.next_at for verdict in verdicts],
        problems=[verdict.problem for verdict in verdicts],
        are_read=[verdict.reading is not None for verdict in verdicts],
        counts=[Jsonb(dict(reading.values)) for reading in readings],
        missing=[Jsonb(dict(reading.missing)) for reading in readings],
        are_gone=[reading.is_gone for reading in readings],
        api_versions=versions,
    )
    return {row["queue_id"] async for row in stored}


async def _look(
    run: _Run, organization: Organization, keys: Sequence[PartitionKey]
) -> tuple[list[AccountLeft], list[StoredDay]]:
    """What is left to be read, and what is stored of the keys' days, whichever runs stored it."""
    async with run.stack.tenants.open(organization) as tenant:
        left = METRICS.accounts_left(tenant.conn, run_id=run.run_id, now=run.stack.now())
        accounts = [AccountLeft(**row) async for row in left]
        stored = METRICS.stored_by_day(tenant.conn, days=sorted({key.day for key in keys}))
        return accounts, [StoredDay(**row) async for row in stored]
