"""The content workflow: what was asked for becomes a checked post, in review or on the queue.

The nine steps of the workflow, in order, and where each stands:
    trigger                                   api/content.py, recurring_requests.py -> inbox
    validate organization and limits          accept_requests (here)
    the client's templates, Claude, formats   content_writing.generate_posts
    store                                     content_writing.generate_posts
    approval or schedule, usage, notice       settle_requests (here)
A request is refused before anything is charged; its row in `content_requests` then says which field, limit and value.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.content import ContentStage, ContentWork, usage_key
from draggonnb_pipelines.domain.content_requests import ContentSubmission
from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import Fault
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing import usage
from draggonnb_pipelines.workflows.content.content_batches import ContentBatch, Outcome
from draggonnb_pipelines.workflows.content.content_checks import CONTENT, Checked, check_request, read_desk
from draggonnb_pipelines.workflows.content.content_notices import notices_of
from draggonnb_pipelines.workflows.content.reviews import request_reviews
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.inbox_steps import Walk, gather_outcomes
from draggonnb_pipelines.workflows.messages.notices import tell

METRIC = "ai_generations"
# A place is held while a request waits for Claude, through a bad day of the vendor's; a killed run's frees itself.
HELD_FOR = timedelta(hours=12)
log = logging.getLogger(__name__)


async def accept_requests(stack: Stack, batch: ContentBatch) -> list[Outcome]:
    """Check each new request and reserve its generation; what cannot be done is refused here, with the reasons."""
    deliveries = {row["inbox_id"]: row for row in await batch.rows()}

    async def of_tenant(organization: Organization, works: list[ContentWork]) -> list[Outcome]:
        ids = [work.request_id for work in works]
        async with stack.tenants.open(organization) as tenant:
            desk = await read_desk(tenant)
            known = {row["id"]: row["status"] async for row in CONTENT.known_requests(tenant.conn, ids=ids)}
        checked: dict[UUID, Checked] = {}

        async def one(work: ContentWork) -> Outcome:
            if work.request_id not in known:
                row = deliveries[work.request_id]
                parsed = stack.tenants.key(organization).open(row["parsed_sealed"], parsed_context(organization.id))
                submission = ContentSubmission.model_validate_json(parsed)
                checked[work.request_id] = await check_request(stack, desk, submission, row["received_at"])
            return Outcome(work)

        outcomes = await gather_outcomes(works, one)
        async with stack.tenants.open(organization) as tenant:
            values = [_request_values(deliveries[request_id], one) for request_id, one in checked.items()]
            if values:
                await CONTENT.store_request(tenant.conn, values)
            replayed = [known_id for known_id in known if deliveries[known_id]["stage"] == ContentStage.RECEIVED]
            await CONTENT.reopen_request(tenant.conn, ids=replayed)
            await reserve_generations(stack, tenant, ids)
            rows = await request_rows(tenant, ids)
        for outcome in outcomes:
            if outcome.problem is None:
                outcome.columns = _columns(rows[outcome.work.request_id])
        return outcomes

    await batch.begin(ContentStage.ACCEPTED)
    # Nothing is stored yet that could be parked: what the storage's trouble outlasts is buried in the inbox.
    walk = Walk(stack, batch, ContentStage.ACCEPTED, park=None)
    return await walk.over(await batch.works(), of_tenant)


async def settle_requests(stack: Stack, batch: ContentBatch) -> list[Outcome]:
    """Put what is approved on the queue, ask for approval of the rest, and tell whoever asked what became of it."""

    async def of_tenant(organization: Organization, works: list[ContentWork]) -> list[Outcome]:
        ids = [work.request_id for work in works]
        async with stack.tenants.open(organization) as tenant:
            rows = await request_rows(tenant, ids)
        if in_review := [row["post_id"] for row in rows.values() if row["post_status"] == "in_review"]:
            await request_reviews(stack, organization, in_review)
        if any(row["post_status"] == "approved" for row in rows.values()):
            await enqueue_ready(stack, organization)
            async with stack.tenants.open(organization) as tenant:
                rows = await request_rows(tenant, ids)
        await tell(stack, organization, [notice for row in rows.values() for notice in notices_of(row)])
        return [
            Outcome(work, columns=_columns(rows[work.request_id]), needs_review=_needs_a_person(rows[work.request_id]))
            for work in works
        ]

    await batch.begin(ContentStage.SETTLED)
    walk = Walk(stack, batch, ContentStage.SETTLED, park=park, is_last=True)
    return await walk.over(await batch.works(), of_tenant)


async def reserve_generations(stack: Stack, tenant: TenantDb, request_ids: Sequence[UUID]) -> None:
    """Hold a place of the limit for each open request; those that find none are refused. Safe to repeat."""
    rows = await request_rows(tenant, request_ids)
    keys = {row["id"]: usage_key(row["id"]) for row in rows.values() if row["status"] == "received"}
    if not keys:
        return
    now = stack.now()
    reserved = await usage.reserve(stack, tenant, METRIC, list(keys.values()), at=now, expires_at=now + HELD_FOR)
    for request_id, key in keys.items():
        if key not in reserved.granted:
            detail = f"{reserved.used} of {reserved.limit} generations of this month are used; the plan allows no more"
            await refuse(tenant, request_id, [Fault(field=METRIC, detail=detail)])


async def refuse(tenant: TenantDb, request_id: UUID, faults: Sequence[Fault]) -> None:
    """Refuse an open request, and free what it held."""
    async with tenant.conn.transaction():
        await CONTENT.refuse_request(tenant.conn, id=request_id, faults=_faults(faults))
        await usage.release(tenant, METRIC, [usage_key(request_id)])


async def park(stack: Stack, work: ContentWork, reason: str) -> None:
    """Leave the request to a person, with the reason, and free what it held; the last step tells who asked."""
    async with stack.tenants.open(work.organization) as tenant, tenant.conn.transaction():
        await CONTENT.park_request(tenant.conn, id=work.request_id, reason=reason)
        await usage.release(tenant, METRIC, [usage_key(work.request_id)])
    log.warning("%s: content request %s needs a person: %s", work.organization.slug, work.request_id, reason)


async def request_rows(tenant: TenantDb, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The requests with their posts, by id."""
    return {row["id"]: row async for row in CONTENT.request_rows(tenant.conn, ids=list(ids))}


def _request_values(delivery: Mapping[str, Any], checked: Checked) -> dict[str, Any]:
    submission = checked.submission
    return {
        "id": delivery["inbox_id"],
        "source": submission.source,
        "delivery_id": delivery["delivery_id"],
        "received_at": delivery["received_at"],
        "brief": submission.brief,
        "template_id": checked.template_id,
        "platform_ids": [str(platform) for platform in checked.platforms],
        "media": Jsonb(list(checked.media)),
        "schedule": Jsonb(submission.schedule.model_dump(exclude_defaults=True)),
        "requested_by": submission.requested_by,
        "status": "refused" if checked.faults else "received",
        "faults": _faults(checked.faults or _left_out(checked)),
    }


def _left_out(checked: Checked) -> list[Fault]:
    return [Fault(field="platforms", detail=f"{name} is left out: {why}") for name, why in checked.left_out.items()]


def _faults(faults: Sequence[Fault]) -> Jsonb:
    return Jsonb([fault.model_dump() for fault in faults])


def _columns(row: Mapping[str, Any]) -> dict[str, object]:
    faults = "; ".join(f"{fault['field']}: {fault['detail']}" for fault in row["faults"])
    return {
        "request": row["status"],
        "post": row["post_status"] or "none",
        "platforms": ", ".join(row["platform_ids"]) or "none",
        "goes out": row["scheduled_local"] or "",
        "why not": faults or row["review_reason"] or "",
    }


def _needs_a_person(row: Mapping[str, Any]) -> bool:
    return row["status"] == "needs_review" or row["post_status"] == "blocked"
