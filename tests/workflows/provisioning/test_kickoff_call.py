"""The first call: one half hour, one invitation for everybody, and the news that the system stands, once."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest

from draggonnb_pipelines.domain.provisioning import Client
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.workflows.provisioning.kickoff_call import _call_of, kickoff_call
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, NotYet
from tests.conftest import MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import OWNER, Desk, cut_at_each_reading, master_count, settled
from tests.workflows.lead_work import count, master_rows, tenant_rows
from tests.workflows.paid_clients import open_client

SALES = "sales@draggonnb.example"
MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
TUESDAY_9 = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
ACTIVITIES = (
    "select a.type, a.due_at, a.completed_at, a.notes, c.name, c.email, u.email as of from activities a"
    " join contacts c on c.id = a.contact_id left join users u on u.id = a.user_id"
)


def invitations(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [mail for mail in sandbox.public("mail") if mail["calendar"]]


def event_of(mail: dict[str, Any]) -> Any:
    [event] = icalendar.Calendar.from_ical(mail["calendar"]).walk("VEVENT")
    return event


async def assert_one_call(desk: Desk, sandbox: Sandbox) -> None:
    assert await master_count(desk, "kickoff_calls") == 1
    assert sorted(mail["recipient"] for mail in invitations(sandbox)) == [OWNER, SALES]
    assert len({str(event_of(mail)["UID"]) for mail in invitations(sandbox)}) == 1
    news = [mail for mail in sandbox.public("mail") if not mail["calendar"]]
    assert sorted(mail["recipient"] for mail in news) == [OWNER, SALES]
    assert await count(desk.stack, desk.client.organization, "activities") == {"activities": 1}


async def test_client_and_sales_get_the_same_invitation_and_the_call_stands_among_the_activities(
    desk: Desk, sandbox: Sandbox
) -> None:
    resource = await kickoff_call(desk.at(MONDAY).ledger)
    again = await kickoff_call(desk.at(MONDAY + timedelta(days=3)).ledger)

    assert again == resource
    await assert_one_call(desk, sandbox)
    to_client, to_sales = invitations(sandbox)
    assert (to_client["recipient"], to_sales["recipient"]) == (OWNER, SALES)
    event = event_of(to_client)
    assert to_client["calendar"] == to_sales["calendar"]
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (TUESDAY_9, TUESDAY_9 + timedelta(minutes=30))
    assert {str(one) for one in event["ATTENDEE"]} == {f"mailto:{OWNER}", f"mailto:{SALES}"}
    assert "Tuesday, 24 November 2026, 09:00 to 09:30 (Africa/Johannesburg)" in to_client["text"]
    assert "DraggonnB calls 082 123 4567." in to_client["text"]
    assert resource.vendor_id == str(event["UID"])
    assert resource.details["starts_at"] == TUESDAY_9.isoformat()
    assert await tenant_rows(desk.stack, desk.client.organization, ACTIVITIES) == [
        {
            "type": "call",
            "due_at": TUESDAY_9,
            "completed_at": None,
            "notes": "First call: Kloof Coffee and DraggonnB",
            "name": "DraggonnB",
            "email": "hello@draggonnb.example",
            "of": OWNER,
        }
    ]
    assert await tenant_rows(desk.stack, desk.agency, ACTIVITIES) == []


async def test_client_and_sales_are_told_once_that_the_system_stands(desk: Desk, sandbox: Sandbox) -> None:
    await kickoff_call(desk.ledger)
    await kickoff_call(desk.ledger)

    news = {mail["recipient"]: mail for mail in sandbox.public("mail") if not mail["calendar"]}
    assert (news[OWNER]["subject"], news[SALES]["subject"]) == (
        "Kloof Coffee: your system is running",
        "New client: Kloof Coffee is running",
    )
    assert f"{sandbox.url}/vercel/sites/kloof-coffee.draggonnb.app" in news[OWNER]["text"]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1, 1, 1]
    outbox = "select recipient from notification_deliveries where channel = 'email' order by recipient"
    assert await tenant_rows(desk.stack, desk.client.organization, outbox) == [{"recipient": OWNER}] * 2
    assert await tenant_rows(desk.stack, desk.agency, outbox) == [{"recipient": SALES}] * 2


async def test_many_clients_at_once_get_a_half_hour_each(
    desk: Desk, sandbox: Sandbox, make_organization: MakeOrganization
) -> None:
    others = [await make_organization(f"client-{number}") for number in range(3)]
    clients = [Client(one, None, "", f"owner@{one.slug}.example") for one in others]
    desks = [desk.at(MONDAY), *(dataclasses.replace(desk.at(MONDAY), client=client) for client in clients)]

    await asyncio.gather(*(settled(one, kickoff_call) for one in desks))

    rows = await master_rows(desk.stack, "select starts_at from kickoff_calls order by starts_at")
    assert [row["starts_at"] for row in rows] == [TUESDAY_9 + number * timedelta(minutes=30) for number in range(4)]
    assert len(invitations(sandbox)) == 8
    assert len({str(event_of(mail)["UID"]) for mail in invitations(sandbox)}) == 4
    [without_phone] = [mail for mail in invitations(sandbox) if mail["recipient"] == "owner@client-0.example"]
    assert "answer with the number" in without_phone["text"]


async def test_the_checklist_is_ticked_as_far_as_the_database_shows_it(desk: Desk) -> None:
    ticked = "select step from onboarding_checklist where completed order by step"
    client = desk.client.organization
    await kickoff_call(desk.ledger)
    before = await tenant_rows(desk.stack, client, ticked)

    await tenant_rows(desk.stack, client, "insert into users (email, role) values ('two@kloof.example', 'approver')")
    await tenant_rows(
        desk.stack,
        client,
        "with c as (insert into contacts (name) values ('Front desk') returning id)"
        " insert into leads (contact_id, source, received_at) select id, 'web', now() from c",
    )
    await kickoff_call(desk.ledger)

    assert before == []
    assert await tenant_rows(desk.stack, client, ticked) == [{"step": "invite_team"}, {"step": "lead_form"}]


@pytest.mark.parametrize("turn", [1, 2, 3, 4])
async def test_a_mail_whose_answer_was_lost_is_the_same_mail_again(desk: Desk, sandbox: Sandbox, turn: int) -> None:
    sandbox.faults("SMTP DATA", {"kind": "latency", "times": turn - 1}, {"kind": "drop_after_data"})

    await settled(desk, kickoff_call)
    await settled(desk, kickoff_call)

    await assert_one_call(desk, sandbox)


async def test_runs_that_are_cut_anywhere_leave_one_call_and_one_invitation(desk: Desk, sandbox: Sandbox) -> None:
    cuts = await cut_at_each_reading(desk, kickoff_call)
    await settled(desk, kickoff_call)

    assert cuts > 5

    await assert_one_call(desk, sandbox)


async def test_a_half_hour_that_went_by_before_anybody_was_invited_is_replaced(desk: Desk, sandbox: Sandbox) -> None:
    await master_rows(
        desk.stack,
        "insert into kickoff_calls (organization_id, starts_at, ends_at, uid) values (%s, %s, %s, 'old')",
        desk.client.organization.id,
        MONDAY - timedelta(days=1),
        MONDAY - timedelta(hours=23),
    )

    await kickoff_call(desk.at(MONDAY).ledger)

    [row] = await master_rows(desk.stack, "select starts_at from kickoff_calls")
    assert row["starts_at"] == TUESDAY_9
    await assert_one_call(desk, sandbox)


async def test_an_invitation_that_waits_for_the_mail_server_keeps_its_half_hour(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.faults("SMTP CONNECT", {"kind": "drop_before_accept"})
    with pytest.raises(NotYet):
        await kickoff_call(desk.at(MONDAY).ledger)

    await kickoff_call(desk.at(MONDAY + timedelta(hours=5)).ledger)

    [row] = await master_rows(desk.stack, "select starts_at from kickoff_calls")
    assert row["starts_at"] == TUESDAY_9
    await assert_one_call(desk, sandbox)


async def test_news_that_wait_for_the_mail_server_are_waited_for_and_a_refused_address_is_not(
    desk: Desk, sandbox: Sandbox
) -> None:
    sandbox.faults(
        "SMTP DATA",
        {"kind": "latency", "times": 2},
        {"kind": "status", "status": 451},
        {"kind": "latency"},
        {"kind": "status", "status": 550},
    )

    with pytest.raises(NotYet, match="system_ready"):
        await kickoff_call(desk.ledger)
    await kickoff_call(desk.at(datetime.now(UTC) + timedelta(minutes=6)).ledger)

    assert [mail["recipient"] for mail in sandbox.public("mail") if not mail["calendar"]] == [OWNER]
    assert await desk.rows("kickoff_call") == [("invitation", "ready", str(event_of(invitations(sandbox)[0])["UID"]))]


async def test_without_an_agency_a_person_is_asked_and_nobody_is_invited(desk: Desk, sandbox: Sandbox) -> None:
    await master_rows(desk.stack, "update organizations set slug = 'renamed' where slug = 'draggonnb'")

    with pytest.raises(NeedsReview, match="agency"):
        await kickoff_call(desk.ledger)

    assert sandbox.public("mail") == []
    assert await master_count(desk, "kickoff_calls") == 0
    assert await desk.rows("kickoff_call") == [("invitation", "needs_review", None)]


async def test_fifty_clients_at_once_get_fifty_half_hours(desk: Desk) -> None:
    """Who meets others ten times over comes again; nobody is told that there is none."""
    ids = [await open_client(desk.stack, f"client-{number}") for number in range(10, 60)]
    organizations = await master_rows(
        desk.stack, "select id, data_key_wrapped from organizations where id = any(%s)", ids
    )
    ledgers = [
        dataclasses.replace(
            desk.ledger,
            client=dataclasses.replace(
                desk.client, organization=dataclasses.replace(desk.client.organization, **row, slug=f"client-{number}")
            ),
        )
        for number, row in enumerate(organizations)
    ]

    async def take(ledger: Ledger) -> Any:
        while True:
            try:
                return (await _call_of(ledger, desk.agency)).starts_at
            except NotYet:
                await asyncio.sleep(0.01)

    starts = await asyncio.gather(*map(take, ledgers))

    assert len(set(starts)) == 50
    assert await master_count(desk, "kickoff_calls") == 50
