"""Provisioning, the last step: a half hour for the first call, the invitation, the news that the system stands.

Lives here: taking the half hour, inviting the client and the agency's sales, the call among the client's activities,
the checklist. Not here: which half hours there are and how an invitation reads (`domain/kickoff.py`), the outbox
(`client_mails.py`).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from draggonnb_pipelines.domain.kickoff import CALL, invitation, next_half_hour
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Client, Resource, stable_id
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.notices import Notice, tell
from draggonnb_pipelines.workflows.pages import render
from draggonnb_pipelines.workflows.provisioning.client_mails import (
    ClientMail,
    agency_of,
    is_planned,
    plan_mails,
    send_planned,
)
from draggonnb_pipelines.workflows.provisioning.onboarding_email import app_url
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NotYet

KICKOFF = load_queries("kickoff")
ONBOARDING = load_queries("onboarding")
TENANT = load_queries("tenant")
STEP = "kickoff_call"
INVITATION = "invitation"
# So many half hours may others take in the moment between looking and taking.
TRIES = 10


@dataclass(frozen=True)
class Call:
    """The half hour that a client has."""

    starts_at: datetime
    ends_at: datetime
    uid: str
    created_at: datetime


async def kickoff_call(ledger: Ledger) -> Resource:
    """Client and sales are invited to one call and know that the system stands; the invitation's row.

    1. the half hour, unique among all clients  2. the invitation in both outboxes, sent  3. the call among the client's
    activities  4. the checklist, as far as the client's database shows it  5. the news

    Raises:
        NotYet: a mail waits for the mail server, or others take their half hours at the same moment.
        NeedsReview: a mail was refused for good, no half hour is free, or the agency has no organization.
    """

    async def invite(resource: Resource) -> Made:
        agency = await agency_of(ledger.stack)
        call = await _call_of(ledger, agency)
        await _invite(ledger, agency, call)
        return Made(call.uid, details={"starts_at": call.starts_at.isoformat(), "ends_at": call.ends_at.isoformat()})

    row = await ledger.plan(STEP, "mail", INVITATION)
    if not row.is_ready:
        row = await ledger.put(row, invite)
    await _note_activity(ledger)
    await tell_that_it_stands(ledger)
    return row


async def tell_that_it_stands(ledger: Ledger) -> None:
    """The client's owners and the agency's sales learn it once, however often this is called."""
    client, stack = ledger.client, ledger.stack
    agency, app, name = await agency_of(stack), app_url(stack, client), client.organization.name
    lines = (f"The system of {name} is set up and running.", f"The app answers at {app}.")
    key = f"system_ready:{client.organization.id}"
    for_client = Notice(key, "system_ready", f"{name}: your system is running", lines, link=app, roles=("owner",))
    await _tell(ledger, client.organization, for_client)
    people = tuple(person["email"] for person in await _sales(ledger, agency))
    for_sales = Notice(key, "system_ready", f"New client: {name} is running", lines, link=app, emails=people)
    await _tell(ledger, agency, for_sales)


async def _tell(ledger: Ledger, organization: Organization, notice: Notice) -> None:
    await tell(ledger.stack, organization, [notice])
    with suppress(NeedsReview):  # whom no mail reaches reads it in the app
        await send_planned(ledger.stack, organization, notice.event_key)


async def _call_of(ledger: Ledger, agency: Organization) -> Call:
    """The client's half hour; a new one if the last went by before anybody was invited to it."""
    client, stack = ledger.client, ledger.stack
    organization_id, now = client.organization.id, stack.now()
    invited = await is_planned(stack, client.organization, _event_key(client), client.owner_email)
    async with stack.master.connection() as conn:
        if not invited:
            await KICKOFF.give_up_missed(conn, organization_id=organization_id, now=now)
        for _ in range(TRIES):
            if row := await KICKOFF.kickoff_of(conn, organization_id=organization_id):
                return Call(**row)
            taken = {row["starts_at"] async for row in KICKOFF.taken_starts(conn, now=now)}
            starts_at = next_half_hour(now, agency.timezone, taken)
            if starts_at is None:
                raise NeedsReview("no half hour is free for the first call: agree on one with the client")
            await KICKOFF.take_half_hour(
                conn,
                organization_id=organization_id,
                starts_at=starts_at,
                ends_at=starts_at + CALL,
                uid=f"{stable_id(client, STEP)}@{stack.mailer.domain}",
                now=now,
            )
    raise NotYet("others take their half hours at this moment", stack.settings.provision_poll_seconds)


async def _invite(ledger: Ledger, agency: Organization, call: Call) -> None:
    """One invitation for all, in the outbox of each side: the people of one are no rows of the other."""
    client, stack = ledger.client, ledger.stack
    sales = [person["email"] for person in await _sales(ledger, agency)]
    event_key = _event_key(client)
    text = _words(ledger, call)
    calendar = invitation(
        uid=call.uid,
        starts_at=call.starts_at,
        ends_at=call.ends_at,
        written_at=call.created_at,
        summary=_summary(ledger),
        description=text["description"],
        organizer=(stack.settings.seller_name, stack.mailer.address),
        attendees=[(client.owner_name, client.owner_email), *(("", email) for email in sales)],
    )
    for organization, recipients in ((client.organization, [client.owner_email]), (agency, sales)):
        zone = organization.timezone
        values = {**text, "when": _when(call, zone), "is_client": organization is client.organization}
        html, plain = (render(f"kickoff_mail.{kind}.j2", **values) for kind in ("html", "txt"))
        mails = [ClientMail(event_key, email, _summary(ledger), plain, html, calendar) for email in recipients]
        await plan_mails(stack, organization, mails)
        await send_planned(stack, organization, event_key, recipients)


def _words(ledger: Ledger, call: Call) -> Mapping[str, Any]:
    client, seller = ledger.client, ledger.stack.settings.seller_name
    how = (
        f"{seller} calls {client.owner_phone}."
        if client.owner_phone
        else f"Please answer with the number at which {seller} reaches you."
    )
    about = (
        f"Thirty minutes: how {client.organization.name} works with its new system, and what you want from it first."
    )
    return {
        "subject": _summary(ledger),
        "client": client,
        "agency": seller,
        "about": about,
        "how": how,
        "description": f"{about} {how}",
    }


def _summary(ledger: Ledger) -> str:
    return f"First call: {ledger.client.organization.name} and {ledger.stack.settings.seller_name}"


def _when(call: Call, zone: str) -> str:
    starts_at, ends_at = (moment.astimezone(ZoneInfo(zone)) for moment in (call.starts_at, call.ends_at))
    return f"{starts_at:%A}, {starts_at.day} {starts_at:%B %Y}, {starts_at:%H:%M} to {ends_at:%H:%M} ({zone})"


async def _note_activity(ledger: Ledger) -> None:
    """The call as the client's own app shows it, with the agency as the contact; and the checklist."""
    client, stack = ledger.client, ledger.stack
    organization_id = client.organization.id
    async with stack.master.connection() as conn:
        row = await KICKOFF.kickoff_of(conn, organization_id=organization_id)
    async with stack.tenants.open(client.organization) as tenant, tenant.conn.transaction():
        if row:
            contact = await ONBOARDING.put_agency_contact(
                tenant.conn,
                id=stable_id(client, "agency_contact"),
                name=stack.settings.seller_name,
                email=stack.mailer.address,
            )
            await ONBOARDING.put_kickoff_activity(
                tenant.conn,
                id=stable_id(client, STEP),
                contact_id=contact["id"],
                owner_email=client.owner_email,
                notes=_summary(ledger),
                due_at=row["starts_at"],
            )
        await ONBOARDING.tick_checklist(tenant.conn)


async def _sales(ledger: Ledger, agency: Organization) -> list[dict[str, Any]]:
    async with ledger.stack.tenants.open(agency) as tenant:
        return [row async for row in TENANT.lead_recipients(tenant.conn)]


def _event_key(client: Client) -> str:
    return f"{STEP}:{client.organization.id}"
