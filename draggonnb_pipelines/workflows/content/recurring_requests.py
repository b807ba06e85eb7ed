"""Requests for content that come again: each occurrence goes into the inbox like one that somebody sent, once.

The delivery's id names the rule and the day, so however often this runs and wherever it is killed, an occurrence is
one request. Not here: which occurrence is next (`domain/recurrence.py`), what becomes of it (`content.py`).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from draggonnb_pipelines.domain.content_requests import RECURRING_SOURCE, TOPIC, read_recurring
from draggonnb_pipelines.domain.inbox import DeliveryKey
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.recurrence import Planned, RecurrenceRule, next_to_make
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.domain.wall_time import as_text, zone_named
from draggonnb_pipelines.resources.inbox import InboxWriter, sealed_delivery
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.inbox_batches import INBOX

CONTENT = load_queries("content")
log = logging.getLogger(__name__)
# Early enough for approval, late enough that the post is still news.
MAKE_AHEAD = timedelta(days=14)
# Posts of these are over: the next occurrence may come. A blocked one must not stop those after it.
_CLOSED = frozenset({"published", "partly_published", "failed", "rejected", "archived", "blocked"})


@dataclass(frozen=True)
class Occurrence:
    """What came of one rule: the day and the inbox row of its request, or why there is none."""

    recurring_id: UUID
    name: str
    day: date | None = None
    inbox_id: UUID | None = None
    missed: int = 0
    problem: str | None = None


async def make_recurring(stack: Stack, organization: Organization) -> list[Occurrence]:
    """Ask for what the client's rules want next: at most one open occurrence each, and of missed ones the newest.

    Raises:
        TenantUnavailable: the client's database is away.
        InboxUnavailable: the master database is; repeating is safe.
    """
    async with stack.tenants.open(organization) as tenant:
        rows = [row async for row in CONTENT.recurring_requests(tenant.conn)]
    return [made for row in rows if (made := await _make_next(stack, organization, row))]


async def _make_next(stack: Stack, organization: Organization, row: Mapping[str, Any]) -> Occurrence | None:
    try:
        rule = _rule(row)
        planned = await _planned(stack, organization, row, rule)
        if planned is None:
            return None
        submission = read_recurring(row["request"], organization, as_text(planned.at))
    except (ValidationError, SubmissionRefused) as error:
        log.warning("%s: recurring request %s cannot be made: %s", organization.slug, row["id"], type(error).__name__)
        return Occurrence(row["id"], row["name"], problem=_fault(error))
    day = planned.at.local.date()
    delivery_key = DeliveryKey(organization.id, TOPIC, RECURRING_SOURCE, _delivery_id(row["id"], day))
    raw = json.dumps(row["request"]).encode()
    key = stack.tenants.key(organization)
    writer = InboxWriter(stack.master)
    [stored] = await writer.store([sealed_delivery(key, delivery_key, "application/json", raw, submission)])
    async with stack.tenants.open(organization) as tenant:
        await CONTENT.note_occurrence(tenant.conn, id=row["id"], day=day)
    return Occurrence(row["id"], row["name"], day, stored.id, planned.missed)


async def _planned(
    stack: Stack, organization: Organization, row: Mapping[str, Any], rule: RecurrenceRule
) -> Planned | None:
    since = row["created_at"]
    if last := row["last_occurrence"]:
        due = datetime.combine(last, rule.at, zone_named(organization.timezone)).astimezone(UTC)
        since = max(since, due, row["published_at"] or due)
    has_open = await _has_open(stack, organization, row)
    now = stack.now()
    planned = next_to_make(rule, organization.timezone, since=since, now=now, has_open=has_open)
    return planned if planned and planned.at.utc - now <= MAKE_AHEAD else None


async def _has_open(stack: Stack, organization: Organization, row: Mapping[str, Any]) -> bool:
    """Whether the last occurrence is still under way: in the inbox, being written, or not yet out."""
    if row["last_occurrence"] is None:
        return False
    if row["request_status"] is not None:
        return row["request_status"] == "received" or (
            row["request_status"] == "generated" and row["post_status"] not in _CLOSED
        )
    async with stack.master.connection() as conn:
        found = INBOX.find_deliveries(
            conn,
            organization_ids=[organization.id],
            topics=[TOPIC],
            sources=[RECURRING_SOURCE],
            delivery_ids=[_delivery_id(row["id"], row["last_occurrence"])],
        )
        states = [(await INBOX.one_row(conn, id=one["id"]))["state"] async for one in found]
    return any(state in ("received", "claimed") for state in states)


def _rule(row: Mapping[str, Any]) -> RecurrenceRule:
    return RecurrenceRule(
        every=row["every"],
        unit="weeks" if row["unit"] == "week" else "days",
        weekdays=frozenset(row["weekdays"]),
        at=row["at_local"].replace(second=0, microsecond=0),
        starts_on=row["starts_on"],
        until=row["until"],
    )


def _delivery_id(recurring_id: UUID, day: date) -> str:
    return f"recurring:{recurring_id}:{day.isoformat()}"


def _fault(error: ValidationError | SubmissionRefused) -> str:
    if isinstance(error, SubmissionRefused):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'rule'}: {fault['msg']}" for fault in error.errors())
