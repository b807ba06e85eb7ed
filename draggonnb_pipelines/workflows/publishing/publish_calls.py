"""One chunk of the publish ledger, from claimed rows to recorded outcomes.

The order is the promise: (1) what is late is asked about or dropped, (2) uploads and containers are made ready and
each step of that is stored, (3) the intent is committed, (4) the one irreversible call is made, (5) its outcome is
stored. Killed before 3, nothing happened; between 3 and 5 the platform is read back (`publish_recovery.py`).
"""

import asyncio
import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publish_outcomes import Verdict, verdict_on
from draggonnb_pipelines.domain.publishing import (
    Account,
    Part,
    Payload,
    Platform,
    Prepared,
    Published,
    fingerprint,
)
from draggonnb_pipelines.domain.staleness import LateDecision, decide_late
from draggonnb_pipelines.errors import ErrorClass, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.accounts import open_token
from draggonnb_pipelines.workflows.publishing.publish_media import with_media
from draggonnb_pipelines.workflows.publishing.publish_quotas import Quotas
from draggonnb_pipelines.workflows.publishing.publish_records import PUBLISHING, Row, record, settle_usage

LEASE_SECONDS = 180  # longer than any call with all its time-outs
# Preparing that takes longer is given back and goes on in a later run, from the step that is stored.
PREPARE_SECONDS = 20.0
RECORD_WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
UPLOADS_GONE = "invalid-media"
GHOST = "The platform refuses these words as a repetition of {}, which cannot be opened. Is the post there?"
NOT_OURS = "the platform has these very words already, and no call of ours put them there: "
OURS = "the platform refuses these words as a repetition of another post of this account: "
log = logging.getLogger(__name__)


async def publish_chunk(
    stack: Stack, organization: Organization, run_id: str, claimed: Sequence[Mapping[str, Any]], quotas: Quotas
) -> list[Row]:
    """Work one chunk off; every claimed row has a verdict in the end."""
    held = [(row, decision) for row in claimed if (decision := _lateness(row)).action != "publish"]
    async with stack.tenants.open(organization) as tenant:
        if held:
            await _hold(tenant, run_id, held)
        away = {row["id"] for row, _ in held}
        rows = [_open_row(stack, tenant, values) for values in claimed if values["id"] not in away]
    # Instagram's containers take their time, and its posts go out in line: nobody else waits for that.
    in_line = [row for row in rows if row.platform is Platform.INSTAGRAM]
    others = [row for row in rows if row.platform is not Platform.INSTAGRAM]
    groups = (_publish_rows(stack, organization, run_id, group, quotas) for group in (others, in_line) if group)
    for trouble in await asyncio.gather(*groups, return_exceptions=True):
        if trouble is not None:
            raise trouble
    return rows


async def _publish_rows(
    stack: Stack, organization: Organization, run_id: str, rows: Sequence[Row], quotas: Quotas
) -> None:
    await _prepare_all(stack, organization, run_id, rows)
    ready = [row for row in rows if row.verdict is None]
    if ready:
        await _begin(stack, organization, run_id, ready)
        await _call_all(stack, organization, [row for row in ready if row.verdict is None])
    await _record_surely(stack, organization, run_id, rows, quotas)
    await _find_links(stack, organization, rows)


async def _record_surely(
    stack: Stack, organization: Organization, run_id: str, rows: Sequence[Row], quotas: Quotas
) -> None:
    """Store the outcomes, also when the database is away for a moment: what is not stored must be read back."""
    for wait in RECORD_WAITS_SECONDS:
        try:
            return await record(stack, organization, run_id, rows, quotas)
        except TenantUnavailable as error:
            log.warning("outcomes wait %s s to be stored: %s", wait, error)
            await asyncio.sleep(wait)
    return await record(stack, organization, run_id, rows, quotas)


async def _find_links(stack: Stack, organization: Organization, rows: Sequence[Row]) -> None:
    """Instagram gives an address only when asked for it. The post is recorded by then: nothing hangs on the answer."""

    async def link(row: Row) -> tuple[UUID, str] | None:
        assert row.published is not None
        try:
            found = await stack.platforms[row.platform].confirm(row.account, row.published.platform_post_id)
        except VendorError:
            return None
        return (row.id, found.url) if found and found.url else None

    wanted = [row for row in rows if row.published and row.published.url is None]
    found = [one for one in await asyncio.gather(*map(link, wanted)) if one]
    if found:
        async with stack.tenants.open(organization) as tenant:
            await PUBLISHING.store_links(tenant.conn, ids=[key for key, _ in found], urls=[url for _, url in found])


def _lateness(row: Mapping[str, Any]) -> LateDecision:
    """By the organization's rule; whatever has been begun is brought to its end, and a person's word stands."""
    is_new = row["part"] == 0 and row["attempts"] == 0 and not row["late_ok"]
    policy = row["late_posts"] if is_new else "publish"
    return decide_late(policy, row["late_after_minutes"], row["publish_at"], row["db_now"])


async def _hold(tenant: TenantDb, run_id: str, held: Sequence[tuple[Mapping[str, Any], LateDecision]]) -> None:
    question = "It is {}. Publish it all the same, or drop it?"
    async with tenant.conn.transaction():
        await PUBLISHING.hold_rows(
            tenant.conn,
            run_id=run_id,
            ids=[row["id"] for row, _ in held],
            statuses=["needs_review" if decision.action == "ask" else "dropped" for _, decision in held],
            questions=[question.format(decision.reason) if decision.action == "ask" else None for _, decision in held],
            reasons=[decision.reason for _, decision in held],
        )
        await settle_usage(tenant, {row["id"]: "dropped" for row, decision in held if decision.action == "drop"})


def _open_row(stack: Stack, tenant: TenantDb, values: Mapping[str, Any]) -> Row:
    content = values["payload"]
    payload = Payload(
        Part(values["part_kind"]),
        content["text"],
        parent_id=values["parent_id"],
        made_with_ai=content.get("made_with_ai", False),
    )
    try:
        return Row(values, open_token(tenant, values), payload, values["progress"], values["attempts"])
    except VendorError as error:
        nobody = Account(Platform(values["platform_id"]), values["external_id"], "")
        row = Row(values, nobody, payload, values["progress"], values["attempts"])
        _fail(stack, row, error)
        return row


async def _prepare_all(stack: Stack, organization: Organization, run_id: str, rows: Sequence[Row]) -> None:
    """Make uploads and containers ready, all rows at once, each step stored before the next."""
    pending = [row for row in rows if row.verdict is None and _needs_preparation(stack, row)]
    deadline = time.monotonic() + PREPARE_SECONDS
    stored = {row.id: row.progress for row in pending}
    while pending:
        prepared = await asyncio.gather(*(_prepare(stack, row) for row in pending))
        steps = [(row, step) for row, step in zip(pending, prepared, strict=True) if step is not None]
        wait = max((step.look_again_seconds for _, step in steps if not step.is_ready), default=0.0)
        is_over = time.monotonic() + wait > deadline
        new = [(row, step) for row, step in steps if is_over or step.progress != stored[row.id]]
        await _store_steps(stack, organization, run_id, new, give_back=is_over)
        stored |= {row.id: step.progress for row, step in new}
        pending = [row for row, step in steps if not step.is_ready]
        if is_over:
            for row, step in steps:
                if not step.is_ready:
                    row.verdict = Verdict("scheduled", step.look_again_seconds)
                    row.attempt = -1  # given back already: nothing is left to record
            return
        if pending:
            await asyncio.sleep(wait)


def _needs_preparation(stack: Stack, row: Row) -> bool:
    has_media = bool(row.values["payload"].get("media"))
    return has_media or stack.platforms[row.platform].needs_preparation(row.payload)


async def _prepare(stack: Stack, row: Row) -> Prepared | None:
    try:
        if not row.payload.media and row.values["payload"].get("media"):
            row.payload = await with_media(stack, row)
        adapter = stack.platforms[row.platform]
        if not adapter.needs_preparation(row.payload):
            return Prepared(row.progress, is_ready=True)
        prepared = await adapter.prepare(row.account, row.payload, row.progress)
        row.progress = prepared.progress
        return prepared
    except VendorError as error:
        if error.error_class is ErrorClass.AMBIGUOUS:  # nothing of this is public: at worst an upload is wasted
            error.error_class = ErrorClass.RETRY
        _fail(stack, row, error)
        return None
    except Exception as error:  # it must not take its neighbours with it; after eight tries a person is asked
        log.exception("row %s broke while it was prepared", row.id)
        _fail(stack, row, _own_fault(row, ErrorClass.RETRY, error))
        return None


async def _store_steps(
    stack: Stack, organization: Organization, run_id: str, steps: Sequence[tuple[Row, Prepared]], *, give_back: bool
) -> None:
    """Progress of each row; of those that are not ready, given back to come again where the run waits no longer."""
    if not steps:
        return
    async with stack.tenants.open(organization) as tenant:
        await PUBLISHING.store_progress(
            tenant.conn,
            run_id=run_id,
            ids=[row.id for row, _ in steps],
            progress=[Jsonb(dict(step.progress)) for _, step in steps],
            ready=[step.is_ready or not give_back for _, step in steps],
            delays=[step.look_again_seconds for _, step in steps],
        )


async def _begin(stack: Stack, organization: Organization, run_id: str, rows: Sequence[Row]) -> None:
    """Commit the intent. Rows that were taken away meanwhile are left alone."""
    async with stack.tenants.open(organization) as tenant:
        begun = PUBLISHING.begin_calls(
            tenant.conn,
            run_id=run_id,
            ids=[row.id for row in rows],
            payload_hashes=[_payload_hash(row) for row in rows],
            lease_seconds=LEASE_SECONDS,
        )
        attempts = {found["id"]: found["attempts"] async for found in begun}
    for row in rows:
        if row.id in attempts:
            row.attempt = attempts[row.id]
        else:
            row.verdict, row.attempt = Verdict("cancelled"), -1


def _payload_hash(row: Row) -> str:
    return fingerprint(json.dumps(row.values["payload"], sort_keys=True))


async def _call_all(stack: Stack, organization: Organization, rows: Sequence[Row]) -> None:
    """Side by side; but Instagram wants one publication of an account at a time."""
    lines: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        lines[row.values["account_id"] if row.platform is Platform.INSTAGRAM else row.id].append(row)

    async def one_after_another(line: Sequence[Row]) -> None:
        for row in line:
            await _call(stack, organization, row)

    await asyncio.gather(*map(one_after_another, lines.values()))


async def _call(stack: Stack, organization: Organization, row: Row) -> None:
    started = time.monotonic()
    try:
        row.published = await stack.platforms[row.platform].publish(row.account, row.payload, row.progress)
        row.verdict = Verdict("published")
    except VendorError as error:
        _fail(stack, row, error)
        if error.existing_id is not None:
            await _look_at_duplicate(stack, organization, row, error.existing_id)
    except Exception as error:
        log.exception("row %s broke during its call", row.id)
        _fail(stack, row, _own_fault(row, ErrorClass.AMBIGUOUS, error))
    row.latency_ms = round((time.monotonic() - started) * 1000)


async def _look_at_duplicate(stack: Stack, organization: Organization, row: Row, existing_id: str) -> None:
    """The platform has these words already and says where. After a lost call of ours that is our post, unless another
    row owns it; a post that nobody can open (LinkedIn keeps such ghosts of deleted ones) is a question to a person."""
    try:
        found = await stack.platforms[row.platform].confirm(row.account, existing_id)
    except VendorError:
        return  # unknown, as it was: reading back settles it
    async with stack.tenants.open(organization) as tenant:
        owner = await PUBLISHING.owner_of(
            tenant.conn, account_id=row.values["account_id"], platform_post_id=existing_id
        )
    if found is None:
        row.verdict = Verdict("needs_review", question=GHOST.format(existing_id))
    elif row.values["attempts"] == 0 or owner not in (None, row.id):
        row.verdict = Verdict("refused")
        reason = NOT_OURS if owner is None else OURS
        row.error = VendorError(row.platform, ErrorClass.INPUT, f"{reason}{found.url or existing_id}")
    else:
        row.published, row.error = Published(found.platform_post_id, found.url), None
        row.verdict = Verdict("published")


def _own_fault(row: Row, error_class: ErrorClass, error: Exception) -> VendorError:
    return VendorError(row.platform, error_class, f"our own code failed: {type(error).__name__}")


def _fail(stack: Stack, row: Row, error: VendorError) -> None:
    if error.code == UPLOADS_GONE:  # they waited too long for the call; `record_outcomes` forgets them
        error.error_class = ErrorClass.RETRY
    row.error = error
    settle = stack.settings.publish_settle_seconds
    row.verdict = verdict_on(error, tries=row.values["tries"], settle_seconds=settle, jitter=random.random())
