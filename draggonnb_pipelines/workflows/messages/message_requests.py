"""Messages that an organization's own automation asked for: taken from the inbox, and told through its outbox once.

Only whom the organization knows is written to, its active people and its contacts: with a stolen token nobody makes a
spammer of our mail server. A row that cannot be told, or not to everybody, is closed as dead with the reason; replayed
after the cause is mended, it reaches those who were missing. Not here: the webhook (`api/notifications.py`), consent
and preferences (the outbox).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from pydantic import ValidationError

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.message_requests import TOPIC, MessageRequest
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_id, reason_of
from draggonnb_pipelines.workflows.messages.message_statuses import INBOX, ROW_FAULTS
from draggonnb_pipelines.workflows.messages.notices import TENANT, Notice, tell

CLIENTS_AT_ONCE = 8
TURN_ROWS = 50
# Then the sensor starts the next run: one of the two places for what comes in is nobody's for ever.
RUN_SECONDS = 120.0
EVENT_OF = {"service": "client_message", "marketing": "client_campaign"}
log = logging.getLogger(__name__)


@dataclass
class Delivered:
    """How many requests were told to everybody, how many not, and why those of some organizations wait, by slug."""

    told: int = 0
    dead: int = 0
    waiting: dict[str, str] = field(default_factory=dict)


async def deliver_requests(stack: Stack) -> Delivered:
    """Tell what waits, of every active organization, who take turns; who asks meanwhile joins the next one. Where that
    does not end it stops after two minutes, everybody having had as many turns as the others. Repeatable, and killed at
    any moment: each recipient is told once.

    Raises:
        psycopg.OperationalError: the master database is away.
    """
    done, permits = Delivered(), asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def turn(organization: Organization) -> None:
        async with permits:
            try:
                await _deliver_some(stack, organization, done)
            except psycopg.OperationalError:
                raise  # the master's own: a tenant's comes as TenantUnavailable
            except (DraggonnbError, psycopg.Error) as error:
                done.waiting[organization.slug] = reason_of(error)

    ends = time.monotonic() + RUN_SECONDS
    while waiting := [one for one in await _who_waits(stack) if one.slug not in done.waiting]:
        await asyncio.gather(*map(turn, waiting))
        if time.monotonic() > ends:
            break
    return done


async def _who_waits(stack: Stack) -> list[Organization]:
    async with stack.master.connection() as conn:
        rows = INBOX.organizations_waiting(conn, topic=TOPIC, before=stack.now(), active_only=True)
        ids = {row["organization_id"] async for row in rows}
    return list((await organizations_by_id(stack, ids)).values())


async def _deliver_some(stack: Stack, organization: Organization, done: Delivered) -> None:
    """One turn: the oldest requests of this organization."""
    async with stack.master.connection() as conn:
        found = INBOX.waiting_deliveries(conn, topic=TOPIC, organization_id=organization.id, row_limit=TURN_ROWS)
        rows = [row async for row in found]
    for row in rows:
        reason = await _deliver(stack, organization, row)
        async with stack.master.connection() as conn:
            if reason is None:
                await INBOX.close_deliveries(conn, ids=[row["id"]])
                done.told += 1
            else:
                await INBOX.bury_deliveries(conn, ids=[row["id"]], errors=[reason])
                log.error("message request %s of %s: %s", row["id"], organization.slug, reason)
                done.dead += 1


async def _deliver(stack: Stack, organization: Organization, row: Mapping[str, Any]) -> str | None:
    """Tell one request; why it did not reach everybody, None if it did."""
    key = stack.tenants.key(organization)
    try:
        request = MessageRequest.model_validate_json(key.open(row["parsed_sealed"], parsed_context(organization.id)))
    except (SealBroken, ValidationError, TypeError) as error:
        return f"it cannot be read: {type(error).__name__}"
    async with stack.tenants.open(organization) as tenant:
        emails, contacts, unknown = await _known(tenant, request)
    notice = Notice(
        event_key=f"client:{request.event}:{row['id']}",
        type=EVENT_OF[request.category],
        subject=request.title,
        lines=(request.message,),
        link=request.link,
        emails=emails,
        roles=request.to.roles,
        contacts=contacts,
    )
    try:
        await tell(stack, organization, [notice])
    except ROW_FAULTS as error:
        return f"the database does not take it: {type(error).__name__}"
    if not unknown:
        return None
    return f"not told: {'; '.join(unknown)}. Whoever else was named is told; add the missing and replay it"


async def _known(tenant: TenantDb, request: MessageRequest) -> tuple[tuple[str, ...], tuple[UUID, ...], list[str]]:
    """The addresses and contacts that the organization knows, and the places of the others. An address is named by its
    place in the request: this reason is stored unsealed."""
    to = request.to
    people = [row async for row in TENANT.active_people(tenant.conn)]
    keys = [email.lower() for email in to.emails]
    contacts = [row async for row in TENANT.contacts_with_mail(tenant.conn, ids=list(to.contacts), emails=keys)]
    known = {row["email"].lower() for row in (*people, *contacts)}
    ids, roles = {row["id"] for row in contacts}, {row["role"] for row in people}
    unknown = [f"to.emails[{i}] (nobody here has this address)" for i, key in enumerate(keys) if key not in known]
    unknown += [f"to.roles[{i}] (nobody has this role)" for i, role in enumerate(to.roles) if role not in roles]
    unknown += [
        f"to.contacts[{i}] (no such contact, or without an address)"
        for i, key in enumerate(to.contacts)
        if key not in ids
    ]
    emails = tuple(email for email, key in zip(to.emails, keys, strict=True) if key in known)
    return emails, tuple(key for key in to.contacts if key in ids), unknown[:20]
