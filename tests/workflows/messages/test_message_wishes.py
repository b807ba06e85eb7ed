"""What readers chose: channels, quiet hours, the digest, consent to marketing; and how they end mails of a kind."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting, tell
from draggonnb_pipelines.workflows.messages.unsubscribing import subscription_of, unsubscribe
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, tenant_rows, variant
from tests.workflows.message_work import (
    PHONE,
    REPORT,
    add_contact,
    outbox,
    prefer,
    record_consent,
    set_quiet_hours,
)
from tests.workflows.post_reviews import OWNER, mailed

READER = "Reader@kloof.example"
SAST = ZoneInfo("Africa/Johannesburg")
CAMPAIGN = Notice("campaign:1", "client_campaign", "Half price", ("Only today.",), emails=(READER,))


def local(days: int, hour: int, minute: int = 0) -> datetime:
    """A wall time in Johannesburg, so many days after today there."""
    day = datetime.now(UTC).astimezone(SAST).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SAST).astimezone(UTC)


def at(stack: Stack, moment: datetime) -> Stack:
    return variant(stack, now=lambda: moment)


@pytest.fixture
async def sleeper(stack: Stack, agency: Organization) -> AsyncIterator[None]:
    """The owner is not to be woken between ten at night and half past six."""
    await set_quiet_hours(stack, agency, "22:00", "06:30")
    yield
    await set_quiet_hours(stack, agency, None, None)


async def test_who_wants_neither_mail_nor_whatsapp_reads_it_in_the_app(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "off")
    await prefer(stack, agency, "weekly_report", "whatsapp", "off")

    await tell(stack, agency, [REPORT])

    assert await outbox(stack, agency) == []
    assert await count(stack, agency, "notifications") == {"notifications": 1}
    assert (sandbox.journal("mail"), sandbox.journal("whatsapp")) == ([], [])


async def test_what_one_owes_or_must_know_comes_by_mail_whatever_one_chose(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    for channel in ("email", "in_app"):
        await prefer(stack, agency, "*", channel, "off")

    await tell(stack, agency, [Notice("invoice:1", "invoice_issued", "Invoice 7", ("Paid.",), roles=("owner",))])

    assert mailed(sandbox) == [(OWNER, "Invoice 7")]
    [mail] = sandbox.public("mail")
    assert "list-unsubscribe" not in mail["headers"]
    assert await count(stack, agency, "notifications") == {"notifications": 0}


@pytest.mark.usefixtures("sleeper")
async def test_at_night_only_the_bell_rings_and_the_rest_comes_in_the_morning_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    night = at(stack, local(1, 23))

    await tell(night, agency, [REPORT])
    await tell(at(stack, local(2, 1)), agency, [REPORT])
    assert await send_waiting(at(stack, local(2, 6, 29)), agency) == 0
    assert (sandbox.journal("mail"), sandbox.journal("whatsapp")) == ([], [])
    assert await count(stack, agency, "notifications") == {"notifications": 1}
    assert await send_waiting(at(stack, local(2, 6, 30)), agency) == 2
    assert await send_waiting(at(stack, local(2, 6, 31)), agency) == 0

    assert await outbox(stack, agency) == [("email", OWNER, "sent", 1, None), ("whatsapp", PHONE, "sent", 1, None)]


@pytest.mark.usefixtures("sleeper")
async def test_what_cannot_wait_wakes_its_reader(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await tell(
        at(stack, local(1, 23)), agency, [Notice("p:1", "publish_failed", "Not out", ("Refused.",), roles=("owner",))]
    )

    assert mailed(sandbox) == [(OWNER, "Not out")]


async def test_the_day_in_one_mail_at_eight_once_and_what_comes_later_tomorrow(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "digest")
    first = Notice("c:1", "content_scheduled", "Scheduled: <beans>", ("Fine.",), link="https://app/1", roles=("owner",))
    evening = at(stack, local(0, 20))
    await tell(evening, agency, [first, Notice("c:2", "content_blocked", "Blocked: tea", ("Edit.",), roles=("owner",))])
    assert await send_waiting(evening, agency) == 0

    morning = at(stack, local(1, 8))
    assert await send_waiting(at(stack, local(1, 7, 59)), agency) == 0
    assert await send_waiting(morning, agency) == 1
    await tell(morning, agency, [Notice("c:3", "content_scheduled", "Later", ("Fine.",), roles=("owner",))])
    assert await send_waiting(at(stack, local(1, 9)), agency) == 0
    await send_waiting(morning, outsider)

    [mail] = sandbox.public("mail")
    assert (mail["recipient"], mail["subject"], mail["transmissions"]) == (OWNER, "Draggonnb: 2 messages", 1)
    assert "Scheduled: <beans>\nhttps://app/1" in mail["text"]
    assert '<a href="https://app/1">Scheduled: &lt;beans&gt;</a>' in mail["html"]
    query = "select event_key, status, digest_id is not null as digested from notification_deliveries"
    assert await tenant_rows(stack, agency, f"{query} where channel = 'email' and event <> 'digest' order by 1") == [
        {"event_key": "c:1", "status": "sent", "digested": True},
        {"event_key": "c:2", "status": "sent", "digested": True},
        {"event_key": "c:3", "status": "pending", "digested": False},
    ]
    assert await send_waiting(at(stack, local(2, 8)), agency) == 1
    assert [mail["subject"] for mail in sandbox.public("mail")] == ["Draggonnb: 2 messages", "Draggonnb: 1 message"]
    assert await count(stack, outsider, "notification_deliveries") == {"notification_deliveries": 0}


async def test_marketing_goes_to_those_alone_whose_newest_word_is_yes_and_names_the_record(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    yes, no, silent = [await add_contact(stack, agency, f"{who}@kloof.example") for who in ("yes", "no", "silent")]
    await record_consent(stack, agency, yes, False, "2026-01-01")
    allowed = await record_consent(stack, agency, yes, True, "2026-02-01")
    await record_consent(stack, agency, no, True, "2026-01-01")
    await record_consent(stack, agency, no, False, "2026-02-01")
    campaign = dataclasses.replace(CAMPAIGN, emails=("stranger@kloof.example",), contacts=(yes, no, silent))

    await tell(stack, agency, [campaign])

    assert mailed(sandbox) == [("yes@kloof.example", "Half price")]
    assert [row[1:] for row in await outbox(stack, agency)] == [
        ("no@kloof.example", "skipped", 0, "consent to marketing was refused on 2026-02-01"),
        ("silent@kloof.example", "skipped", 0, "no consent to marketing is on record"),
        ("stranger@kloof.example", "skipped", 0, "no consent to marketing is on record"),
        ("yes@kloof.example", "sent", 1, None),
    ]
    query = "select consent_id from notification_deliveries where status = 'sent'"
    assert await tenant_rows(stack, agency, query) == [{"consent_id": allowed}]
    assert await count(stack, outsider, "notification_deliveries") == {"notification_deliveries": 0}


async def test_consent_that_is_withdrawn_while_a_mail_waits_stops_it(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    contact = await add_contact(stack, agency, READER)
    await record_consent(stack, agency, contact, True, "2026-01-01")
    sandbox.faults("SMTP CONNECT", {"kind": "drop_before_accept"})
    await tell(stack, agency, [CAMPAIGN])
    assert [row[2] for row in await outbox(stack, agency)] == ["pending"]

    await record_consent(stack, agency, contact, False, "2026-02-01")
    assert await send_waiting(stack, agency) == 0

    assert sandbox.public("mail") == []
    [row] = await outbox(stack, agency)
    assert row[2:] == ("skipped", 1, "consent to marketing was refused on 2026-02-01")


async def test_looking_at_the_link_changes_nothing_and_following_it_ends_the_mails_of_this_event(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await tell(stack, agency, [REPORT])
    [mail] = sandbox.public("mail")
    link = mail["headers"]["list-unsubscribe"].strip("<>")
    assert mail["headers"]["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert link in mail["text"]
    assert f'href="{link}"' in mail["html"]
    token = link.rpartition("/")[2]

    found = await subscription_of(stack.master, stack.tenants, token)
    assert found
    assert (found.title, found.is_marketing, found.is_ended) == ("The weekly report", False, False)
    assert await count(stack, agency, "notification_preferences") == {"notification_preferences": 0}
    for _ in range(2):
        await unsubscribe(stack.tenants, found)

    again = await subscription_of(stack.master, stack.tenants, token)
    assert again
    assert again.is_ended
    await tell(stack, agency, [dataclasses.replace(REPORT, event_key="weekly_report:2026-11-23")])
    await tell(stack, agency, [Notice("c:1", "content_scheduled", "Scheduled", ("Fine.",), roles=("owner",))])
    assert mailed(sandbox) == [(OWNER, "Scheduled"), (OWNER, REPORT.subject)]
    assert len(sandbox.public("whatsapp")) == 1
    assert await count(stack, outsider, "notification_preferences") == {"notification_preferences": 0}


async def test_following_the_link_withdraws_the_consent_to_marketing_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    contact = await add_contact(stack, agency, READER)
    await record_consent(stack, agency, contact, True, "2026-01-01")
    await tell(stack, agency, [CAMPAIGN])
    [mail] = sandbox.public("mail")
    token = mail["headers"]["list-unsubscribe"].strip("<>").rpartition("/")[2]

    found = await subscription_of(stack.master, stack.tenants, token)
    assert found
    assert found.is_marketing
    for _ in range(2):
        await unsubscribe(stack.tenants, found)
    await tell(stack, agency, [dataclasses.replace(CAMPAIGN, event_key="campaign:2")])

    query = "select granted, source from consents order by recorded_at"
    assert await tenant_rows(stack, agency, query) == [
        {"granted": True, "source": "form"},
        {"granted": False, "source": "unsubscribe"},
    ]
    assert len(sandbox.public("mail")) == 1


async def test_a_link_that_was_changed_or_belongs_to_another_organization_is_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await tell(stack, agency, [REPORT])
    [mail] = sandbox.public("mail")
    slug, delivery, proof = mail["headers"]["list-unsubscribe"].strip("<>").rpartition("/")[2].split(".")

    for token in (
        "",
        slug,
        f"{slug}.{delivery}.",
        f"{slug}.{delivery}.{proof[:-1]}",
        f"{slug}.{'0' * 32}.{proof}",
        f"{outsider.slug}.{delivery}.{proof}",
        f"nobody.{delivery}.{proof}",
        f"{slug}.not-an-id.{proof}",
    ):
        assert await subscription_of(stack.master, stack.tenants, token) is None
