"""Accounts that nobody can refresh: their daily check, and the reminders of people who can."""

from datetime import UTC, datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.escalation import escalate
from draggonnb_pipelines.workflows.publishing.account_checks import check_accounts, remind_reconnects
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import account_row, connect, mails, refreshes, schedule_post
from tests.workflows.lead_work import tenant_rows, variant

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


async def test_the_daily_check_keeps_the_dates_and_finds_the_dead(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    good = await connect(stack, agency, Platform.FACEBOOK, "1001")
    sandbox.social_account("facebook", "1002", "ends", seconds=3600)
    ending = await connect(stack, agency, Platform.FACEBOOK, "1002", token="ends")
    dead = await connect(stack, agency, Platform.INSTAGRAM, "1003", token="never-given-out")
    refreshed = await connect(stack, agency, Platform.X, "kloof")

    report = await check_accounts(stack, agency)
    again = await check_accounts(stack, agency)

    assert (sorted(report.good), list(report.dead), report.unread) == (sorted([good, ending]), [dead], {})
    assert (again.good, again.dead, again.unread) == ([], {}, {})
    assert (await account_row(stack, agency, good))["expires_at"] is None
    ends_at = (await account_row(stack, agency, ending))["expires_at"]
    assert abs(ends_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=20)
    assert (await account_row(stack, agency, refreshed))["last_checked_at"] is None
    assert (await account_row(stack, agency, dead))["status"] == "reconnect_needed"
    assert [subject for _, subject in mails(sandbox)] == [
        "The Instagram account 1003 must be connected again: no posts at risk"
    ]


async def test_a_check_that_gets_no_answer_is_no_verdict(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    account_id = await connect(stack, agency, Platform.X, "kloof", refresh_token=None)
    sandbox.faults("GET /x/2/users/me", {"kind": "status", "status": 503}, repeat=True)

    report = await check_accounts(stack, agency)

    assert (report.good, report.dead, list(report.unread)) == ([], {}, [account_id])
    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["last_checked_at"]) == ("connected", None)
    assert mails(sandbox) == []


async def test_owners_are_reminded_fourteen_and_three_days_ahead_once_each(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    start: dict[str, Any] = {"now": lambda: NOW}
    ends_at = NOW + timedelta(days=60)
    account_id = await connect(
        variant(stack, **start), agency, Platform.LINKEDIN, "77", handle="Kloof", expires_in_seconds=60 * 86400
    )
    await connect(variant(stack, **start), agency, Platform.X, "kloof")
    await schedule_post(stack, agency, account_id, "Still in time", ends_at - timedelta(hours=1))
    await schedule_post(stack, agency, account_id, "Too late", ends_at + timedelta(hours=1))

    told = []
    for days in (45, 46, 47, 50, 56, 57, 58, 60, 61):
        for _ in range(2):
            await remind_reconnects(variant(stack, now=lambda days=days: NOW + timedelta(days=days)), agency)
        told.append((days, len(mails(sandbox))))

    assert told == [(45, 0), (46, 1), (47, 1), (50, 1), (56, 1), (57, 2), (58, 2), (60, 2), (61, 2)]
    subject = "Connect the LinkedIn page Kloof again before Fri 22 Jan 2027 11:00"
    assert mails(sandbox) == [("sales@draggonnb.example", subject)] * 2
    text = sandbox.public("mail")[0]["text"]
    assert "1 post at risk:" in text
    assert "Fri 22 Jan 2027 12:00: Too late" in text
    assert "Still in time" not in text
    assert refreshes(sandbox) == 0
    alerts = "select event_key, acknowledged_by from alerts"
    ended = {"event_key": f"account:{account_id}:ends:2027-01-22:3", "acknowledged_by": "the system: it is settled"}
    assert await tenant_rows(stack, agency, alerts) == [ended]


async def test_three_days_ahead_it_is_an_alert_that_goes_to_the_agency_and_closes_once_it_is_connected_again(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    account_id = await connect(stack, outsider, Platform.FACEBOOK, "1001", display_name="Kloof")
    set_end = "update social_accounts set data_access_expires_at = %s where id = %s"
    await tenant_rows(stack, outsider, set_end, NOW + timedelta(days=2), account_id)
    later = variant(stack, now=lambda: NOW + timedelta(hours=4))

    await remind_reconnects(variant(stack, now=lambda: NOW), outsider)
    await escalate(later, outsider)
    told = sorted((mail["recipient"], mail["subject"]) for mail in sandbox.public("mail"))
    await tenant_rows(stack, outsider, set_end, NOW + timedelta(days=90), account_id)
    await remind_reconnects(later, outsider)

    subject = "Connect the Facebook page Kloof again before Wed 25 Nov 2026 11:00"
    assert told == [
        ("sales@draggonnb.example", f"Not seen to: Outsider: {subject}"),
        ("sales@outsider.example", subject),
    ]
    closed = await tenant_rows(stack, outsider, "select event, acknowledged_by from alerts")
    assert closed == [{"event": "account_ends", "acknowledged_by": "the system: it is settled"}]
    assert len(sandbox.public("mail")) == 2


async def test_metas_end_of_data_access_is_reminded_of_too(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001", display_name="Kloof")
    ends_at = NOW + timedelta(days=2)
    await tenant_rows(
        stack, agency, "update social_accounts set data_access_expires_at = %s where id = %s", ends_at, account_id
    )

    reminded = await remind_reconnects(variant(stack, now=lambda: NOW), agency)

    assert reminded == 1
    assert [subject for _, subject in mails(sandbox)] == [
        "Connect the Facebook page Kloof again before Wed 25 Nov 2026 11:00"
    ]
