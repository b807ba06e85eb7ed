"""Messages that an organization's automation asked for: told once, to those whom it knows, and to nobody else."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.message_requests import TOPIC, read_message
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages import message_requests
from draggonnb_pipelines.workflows.messages.message_requests import Delivered, deliver_requests
from draggonnb_pipelines.workflows.messages.message_statuses import INBOX
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, master_rows, tenant_rows
from tests.workflows.move_work import held
from tests.workflows.post_reviews import APPROVER, EDITOR, OWNER, mailed

CONTACT = "thandi@buyer.example"
NOTHING = {"notification_deliveries": 0, "notifications": 0}
REQUEST = {
    "event": "stock_low",
    "title": "The beans run out",
    "message": "Only two bags are left.\nOrder more.",
    "link": "https://shop.example/stock",
    "to": {"roles": ["owner"]},
}
pytestmark = pytest.mark.usefixtures("people")


async def ask(stack: Stack, organization: Organization, **changes: Any) -> UUID:
    """A request as the API stores it."""
    request = read_message(REQUEST | changes)
    return await store(stack, organization, request.model_dump_json().encode())


async def store(stack: Stack, organization: Organization, parsed: bytes) -> UUID:
    sealed = stack.tenants.key(organization).seal(parsed, parsed_context(organization.id))
    [row] = await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed)"
        " values (%s, 'notifications', 'api', %s, %s) returning id",
        organization.id,
        str(uuid4()),
        sealed,
    )
    return row["id"]


async def states(stack: Stack) -> list[tuple[str, str | None]]:
    rows = await master_rows(stack, "select state, last_error from inbox order by received_at")
    return [(row["state"], row["last_error"]) for row in rows]


async def waiting(stack: Stack, *, active_only: bool) -> list[UUID]:
    """As the sensors see it."""
    async with stack.master.connection() as conn:
        rows = INBOX.organizations_waiting(conn, topic=TOPIC, before=stack.now(), active_only=active_only)
        return [row["organization_id"] async for row in rows]


async def contact(stack: Stack, organization: Organization, email: str, *, agrees: bool | None = None) -> UUID:
    [row] = await tenant_rows(
        stack, organization, "insert into contacts (email, email_normalized) values (%s, %s) returning id", email, email
    )
    if agrees is not None:
        await tenant_rows(
            stack,
            organization,
            "insert into consents (contact_id, purpose, granted, wording, source)"
            " values (%s, 'marketing', %s, '', 'form')",
            row["id"],
            agrees,
        )
    return row["id"]


async def test_a_message_reaches_roles_addresses_and_contacts_once(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    known = await contact(stack, agency, CONTACT)
    await ask(stack, agency, to={"roles": ["owner"], "emails": [EDITOR.upper()], "contacts": [str(known)]})

    first, second = await deliver_requests(stack), await deliver_requests(stack)

    assert (first, second) == (Delivered(told=1), Delivered())
    assert mailed(sandbox) == sorted((who, "The beans run out") for who in (EDITOR, OWNER, CONTACT))
    mail = next(one for one in sandbox.public("mail") if one["recipient"] == OWNER)
    assert "Order more." in mail["text"]
    assert "https://shop.example/stock" in mail["text"]
    assert await count(stack, agency, "notifications") == {"notifications": 2}
    assert await states(stack) == [("done", None)]
    assert await count(stack, outsider, *NOTHING) == NOTHING


async def test_workers_at_the_same_time_tell_it_once(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await ask(stack, agency)

    await asyncio.gather(*(deliver_requests(stack) for _ in range(5)))

    assert mailed(sandbox) == [(OWNER, "The beans run out")]
    assert await states(stack) == [("done", None)]


async def test_who_asks_for_many_messages_and_who_asks_for_one_take_turns(
    stack: Stack, agency: Organization, outsider: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_requests, "TURN_ROWS", 2)
    for number in range(7):
        await ask(stack, agency, title=f"The beans run out, {number}")
    await ask(stack, outsider)

    assert await deliver_requests(stack) == Delivered(told=8)

    rows = await master_rows(stack, "select organization_id from inbox where state = 'done' order by finished_at")
    # In the first turn, whatever the order within it.
    assert outsider.id in [row["organization_id"] for row in rows[:3]]


async def test_a_run_ends_though_more_is_asked_for_and_the_next_one_goes_on(
    stack: Stack, agency: Organization, outsider: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_requests, "TURN_ROWS", 2)
    monkeypatch.setattr(message_requests, "RUN_SECONDS", 0.0)
    for number in range(5):
        await ask(stack, agency, title=f"The beans run out, {number}")
    await ask(stack, outsider)

    turns = [await deliver_requests(stack) for _ in range(4)]

    assert turns == [Delivered(told=3), Delivered(told=2), Delivered(told=1), Delivered()]
    assert await states(stack) == [("done", None)] * 6


async def test_who_is_about_to_be_moved_and_who_is_suspended_wait_and_nobody_else(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await ask(stack, agency)
    async with held(stack, agency):
        assert await deliver_requests(stack) == Delivered()
        assert await waiting(stack, active_only=False) == []

    await master_rows(stack, "update organizations set status = 'suspended' where id = %s returning id", agency.id)
    try:
        await ask(stack, outsider)
        assert await deliver_requests(stack) == Delivered(told=1)
        assert await waiting(stack, active_only=True) == []
        assert await waiting(stack, active_only=False) == [agency.id]
    finally:
        await master_rows(stack, "update organizations set status = 'active' where id = %s returning id", agency.id)
    assert await states(stack) == [("received", None), ("done", None)]
    assert await deliver_requests(stack) == Delivered(told=1)
    assert mailed(sandbox) == [(OWNER, "The beans run out"), ("sales@outsider.example", "The beans run out")]


async def test_strangers_are_not_written_to_and_the_row_says_which_and_can_be_replayed(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    inbox_id = await ask(stack, agency, to={"emails": [APPROVER, CONTACT], "contacts": [str(uuid4())]})

    assert await deliver_requests(stack) == Delivered(dead=1)

    assert mailed(sandbox) == [(APPROVER, "The beans run out")]
    [(state, reason)] = await states(stack)
    assert state == "dead"
    assert reason == (
        "not told: to.emails[1] (nobody here has this address); to.contacts[0] (no such contact, or without an "
        "address). Whoever else was named is told; add the missing and replay it"
    )
    await contact(stack, agency, CONTACT)
    await master_rows(stack, "update inbox set state = 'received', finished_at = null where id = %s", inbox_id)
    await deliver_requests(stack)
    assert mailed(sandbox) == [(APPROVER, "The beans run out"), (CONTACT, "The beans run out")]


async def test_marketing_reaches_those_alone_who_agreed_and_the_record_is_kept(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    agreed = await contact(stack, agency, CONTACT, agrees=True)
    refused = await contact(stack, agency, "no@buyer.example", agrees=False)
    never = await contact(stack, agency, "never@buyer.example")
    await ask(stack, agency, category="marketing", to={"contacts": [str(one) for one in (agreed, refused, never)]})

    await deliver_requests(stack)

    assert mailed(sandbox) == [(CONTACT, "The beans run out")]
    rows = await tenant_rows(
        stack,
        agency,
        "select d.recipient, d.status, c.granted from notification_deliveries d"
        " left join consents c on c.id = d.consent_id order by d.recipient",
    )
    assert [(row["recipient"], row["status"]) for row in rows] == [
        ("never@buyer.example", "skipped"),
        ("no@buyer.example", "skipped"),
        (CONTACT, "sent"),
    ]
    assert rows[2]["granted"] is True


async def test_a_row_that_cannot_be_read_is_buried_and_the_next_one_is_told(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await store(stack, agency, json.dumps({"event": "x"}).encode())
    await ask(stack, agency)

    assert await deliver_requests(stack) == Delivered(told=1, dead=1)

    assert await states(stack) == [("dead", "it cannot be read: ValidationError"), ("done", None)]
    assert mailed(sandbox) == [(OWNER, "The beans run out")]


async def test_a_client_whose_database_is_away_waits_and_the_others_do_not(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, world: World
) -> None:
    await ask(stack, outsider)
    await ask(stack, agency)
    database = Identifier(str(outsider.database_name))
    with psycopg.connect(world.dsn, autocommit=True) as conn:
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        try:
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [outsider.database_name]
            )
            delivered = await deliver_requests(stack)
        finally:
            conn.execute(SQL("alter database {} allow_connections true").format(database))

    assert (delivered.told, list(delivered.waiting)) == (1, ["outsider"])
    assert mailed(sandbox) == [(OWNER, "The beans run out")]
    assert await deliver_requests(stack) == Delivered(told=1)
    assert len(mailed(sandbox)) == 2
