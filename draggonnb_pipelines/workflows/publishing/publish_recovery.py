"""What becomes of rows whose run died, whose outcome is unknown, or that a person wants taken back.

The rule: an unknown outcome is settled by reading the platform, never by sending again. Found, the row is published
with the id that was found. Surely not there after the settle time, it is scheduled again. Unreadable in the end, it is
one question to a person.
"""

import asyncio
import mimetypes
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publish_outcomes import MAX_TRIES, Verdict, backoff_seconds, verdict_on_unreadable
from draggonnb_pipelines.domain.publishing import Account, Found, Media, Part, Payload
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.accounts import open_token
from draggonnb_pipelines.workflows.publishing.agenda import dead_runs
from draggonnb_pipelines.workflows.publishing.publish_calls import NOT_OURS
from draggonnb_pipelines.workflows.publishing.publish_records import PUBLISHING, settle_usage

READ_AT_ONCE = 50
# Before our own clock's note of the attempt: the platform's clock may be behind, ours may have been an hour ahead.
READ_BACK = timedelta(hours=2)


async def reap(stack: Stack, tenant: TenantDb) -> int:
    """Free what dead runs held. What was merely claimed is scheduled again; what was being called is unknown."""
    holders = {row["run_id"] async for row in PUBLISHING.held_by(tenant.conn)}
    dead = sorted(await dead_runs(stack.master, holders))
    if not dead:
        return 0
    settle_seconds = stack.settings.publish_settle_seconds
    async with tenant.conn.transaction():
        freed = await PUBLISHING.reap_claimed(tenant.conn, run_ids=dead)
        return freed + await PUBLISHING.reap_calling(tenant.conn, run_ids=dead, settle_seconds=settle_seconds)


@dataclass(frozen=True)
class _Reading:
    """What reading the platform back showed for one row."""

    row: Mapping[str, Any]
    verdict: Verdict
    outcome: str
    found: Found | None = None
    error: str | None = None


async def settle_unknown(stack: Stack, organization: Organization) -> int:
    """Read the platforms back for rows whose fate is not known; returns how many were looked at."""
    total = 0
    while True:
        async with stack.tenants.open(organization) as tenant:
            rows = [row async for row in PUBLISHING.take_unknown(tenant.conn, row_limit=READ_AT_ONCE)]
            if not rows:
                return total
            taken: dict[UUID, set[str]] = defaultdict(set)
            accounts = list({row["account_id"] for row in rows})
            async for owned in PUBLISHING.taken_ids(tenant.conn, account_ids=accounts):
                taken[owned["account_id"]].add(owned["platform_post_id"])
            opened = {row["id"]: _opened(tenant, row) for row in rows}
        by_account: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            by_account[row["account_id"]].append(row)
        readings = await asyncio.gather(
            *(_read_account(stack, of, opened, taken[account_id]) for account_id, of in by_account.items())
        )
        flat = [reading for part in readings for reading in part]
        await _store_readings(stack, organization, flat)
        total += len(flat)


async def _read_account(
    stack: Stack, rows: list[Mapping[str, Any]], opened: Mapping[UUID, Account | VendorError], taken: set[str]
) -> list[_Reading]:
    """The rows of one account one after another, so that two with the same words do not find the same post."""
    readings = []
    for row in rows:
        reading = await _read(stack, row, opened[row["id"]], frozenset(taken))
        if reading.found:
            taken.add(reading.found.platform_post_id)
        readings.append(reading)
    return readings


async def _read(
    stack: Stack, row: Mapping[str, Any], account: Account | VendorError, taken: frozenset[str]
) -> _Reading:
    payload = Payload(Part(row["part_kind"]), row["payload"]["text"], _kinds_of_media(row), row["parent_id"])
    since: datetime = (row["first_attempt_at"] or row["publish_at"]) - READ_BACK
    try:
        if isinstance(account, VendorError):
            raise account
        adapter = stack.platforms[account.platform]
        found = await adapter.find(account, payload, row["progress"], since=since, taken=taken)
        if found is not None:
            found = await adapter.confirm(account, found.platform_post_id) or found
            return _Reading(row, Verdict("published"), "adopted", found)
    except VendorError as error:
        verdict = verdict_on_unreadable(error, tries=row["tries"], jitter=random.random())
        return _Reading(row, verdict, "unreadable", error=error.message[:500])
    return _Reading(
        row, _absent(row, stack.settings.publish_settle_seconds), "not_found", error="read back: it is not there"
    )


def _kinds_of_media(row: Mapping[str, Any]) -> tuple[Media, ...]:
    """Pictures and videos stand in different lists of a page; nothing else of the media matters for reading."""
    return tuple(
        Media("", item.get("content_type") or mimetypes.guess_type(item["path"])[0] or "", item.get("size_bytes") or 0)
        for item in row["payload"].get("media", ())
    )


def _absent(row: Mapping[str, Any], settle_seconds: float) -> Verdict:
    """Not there. That is believed when two looks, a settle time apart, agree: a clock that jumps between the call and
    the first look makes that look too early. Then it is sent again, unless the platform refuses these words as a
    repetition of others."""
    if row["absences"] == 0:
        return Verdict("unknown", settle_seconds, row["tries"])
    if row["error_class"] == ErrorClass.DUPLICATE.value:
        return Verdict("refused")
    tries = row["tries"] + 1
    if tries >= MAX_TRIES:
        question = f"{tries} calls were lost and the post is not there. Try again, or drop it?"
        return Verdict("needs_review", 0.0, tries, question)
    return Verdict("scheduled", backoff_seconds(0, random.random()) if row["tries"] > 0 else 0.0, tries)


async def _store_readings(stack: Stack, organization: Organization, readings: list[_Reading]) -> None:
    def reason(reading: _Reading) -> str | None:
        is_strange = reading.verdict.status == "refused"
        return f"{NOT_OURS}look at the account" if is_strange else reading.error

    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        changed = PUBLISHING.settle_unknown(
            tenant.conn,
            ids=[reading.row["id"] for reading in readings],
            reads=[reading.row["reads"] for reading in readings],
            statuses=[reading.verdict.status for reading in readings],
            delays=[reading.verdict.delay_seconds for reading in readings],
            tries=[reading.verdict.tries for reading in readings],
            post_ids=[reading.found.platform_post_id if reading.found else None for reading in readings],
            urls=[reading.found.url if reading.found else None for reading in readings],
            times=[reading.found.published_at if reading.found else None for reading in readings],
            errors=[reason(reading) for reading in readings],
            questions=[reading.verdict.question for reading in readings],
            outcomes=[reading.outcome for reading in readings],
        )
        await settle_usage(tenant, {row["id"]: row["status"] async for row in changed if row["part"] == 0})


async def take_back(stack: Stack, organization: Organization) -> int:
    """Delete at the platforms what a person wants taken back. Deleting twice does no harm, so it needs no intent."""
    async with stack.tenants.open(organization) as tenant:
        rows = [row async for row in PUBLISHING.take_undos(tenant.conn, row_limit=READ_AT_ONCE)]
        opened = {row["id"]: _opened(tenant, row) for row in rows}
    if not rows:
        return 0
    verdicts = await asyncio.gather(*(_delete(stack, row, opened[row["id"]]) for row in rows))
    async with stack.tenants.open(organization) as tenant:
        await PUBLISHING.settle_undos(
            tenant.conn,
            ids=[row["id"] for row in rows],
            statuses=[verdict.status for verdict, _ in verdicts],
            delays=[verdict.delay_seconds for verdict, _ in verdicts],
            errors=[error for _, error in verdicts],
            questions=[verdict.question for verdict, _ in verdicts],
        )
    return len(rows)


async def _delete(stack: Stack, row: Mapping[str, Any], account: Account | VendorError) -> tuple[Verdict, str | None]:
    try:
        if isinstance(account, VendorError):
            raise account
        await stack.platforms[account.platform].delete(account, row["platform_post_id"])
    except VendorError as error:
        is_passing = error.is_transient or error.error_class is ErrorClass.AMBIGUOUS
        if is_passing and row["tries"] < MAX_TRIES:
            delay = error.retry_after_seconds or backoff_seconds(row["tries"], random.random())
            return Verdict("undo_requested", delay), error.message[:500]
        question = f"The post could not be deleted ({error.message}). Delete it in the platform's app, then answer."
        return Verdict("needs_review", question=question), error.message[:500]
    return Verdict("undone"), None


def _opened(tenant: TenantDb, row: Mapping[str, Any]) -> Account | VendorError:
    """The account, or why it cannot be asked: that belongs to its rows, and the others go on."""
    try:
        return open_token(tenant, row)
    except VendorError as error:
        return error
