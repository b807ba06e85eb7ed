"""Notices on every channel as tests see them: readers with their wishes, a report to tell, and what became of it.

Not here: assertions.
"""

from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.notices import Notice
from tests.workflows.lead_work import tenant_rows
from tests.workflows.post_reviews import OWNER

PHONE = "+27821234567"
WORDS = ("Draggonnb", "16 to 22 November", "12", "3 400", "210", "https://app.example/reports/1")
REPORT = Notice(
    "weekly_report:2026-11-16",
    "weekly_report",
    "Your week: 12 posts",
    ("A good week.",),
    roles=("owner",),
    whatsapp=WORDS,
)


async def prefer(stack: Stack, organization: Organization, event: str, channel: str, mode: str) -> None:
    """The owner chooses."""
    await tenant_rows(
        stack,
        organization,
        "insert into notification_preferences (user_id, event, channel, mode)"
        " select id, %s, %s, %s from users where email = %s",
        *(event, channel, mode, OWNER),
    )


async def set_quiet_hours(stack: Stack, organization: Organization, begin: str | None, end: str | None) -> None:
    """The owner's, as wall times in the organization's zone."""
    query = "update users set quiet_from = %s, quiet_until = %s where email = %s"
    await tenant_rows(stack, organization, query, begin, end, OWNER)


async def add_contact(stack: Stack, organization: Organization, email: str) -> UUID:
    query = "insert into contacts (email, email_normalized) values (%s, lower(%s)) returning id"
    [row] = await tenant_rows(stack, organization, query, email, email)
    return row["id"]


async def record_consent(stack: Stack, organization: Organization, contact: UUID, granted: bool, at: str) -> UUID:
    """A row of the contact's consent to marketing, recorded at that moment (UTC)."""
    query = "insert into consents (contact_id, purpose, granted, wording, source, recorded_at)"
    query += (
        " values (%s, 'marketing', %s, 'News by mail', 'form', cast(%s as timestamp) at time zone 'UTC') returning id"
    )
    [row] = await tenant_rows(stack, organization, query, contact, granted, at)
    return row["id"]


async def outbox(stack: Stack, organization: Organization) -> list[tuple[Any, ...]]:
    """Channel, recipient, status, attempts and error of every row that is sent to somebody, in order."""
    query = "select channel, recipient, status, attempts, last_error from notification_deliveries"
    query += " where channel <> 'in_app' order by channel, recipient, created_at"
    return [tuple(row.values()) for row in await tenant_rows(stack, organization, query)]


async def report_files(stack: Stack, organization: Organization, *files: tuple[str, str]) -> list[UUID]:
    """Ids of stored files of a weekly report, by name and content type."""
    [report] = await tenant_rows(
        stack,
        organization,
        "with snapshot as (insert into analytics_snapshots (period, period_start, period_end, metrics)"
        " values ('week', '2026-11-16', '2026-11-23', '{}') returning id)"
        " insert into weekly_reports (week_start, snapshot_id, content, html)"
        " select '2026-11-16', id, '{}', '-' from snapshot returning id",
    )
    query = "insert into report_files (report_id, name, content_type, content) values (%s, %s, %s, %s) returning id"
    return [
        (await tenant_rows(stack, organization, query, report["id"], name, kind, b"content"))[0]["id"]
        for name, kind in files
    ]
