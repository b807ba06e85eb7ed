"""A person with rows in every place, for the tests of data protection. Not here: assertions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity, identity_of
from draggonnb_pipelines.resources.stack import Stack
from tests.workflows.lead_work import STEPS, deliver, enquiry, master_rows, tenant_rows, work_through

HOST = "walmer-dental.example"
EMAIL = f"info@{HOST}"
PERSON = identity_of(EMAIL)
PHONE = "084 111 2222"
NAME = "Walmer reception"
OTHER_EMAIL = "info@kloof-street-coffee.example"
WORDS = (EMAIL, "84 111 2222", "841112222", "Walmer", "walmer", "info@second.example")


def person(text: str) -> Identity:
    return identity_of(text)


async def with_leads(stack: Stack, organization: Organization, steps: Sequence[Any] = STEPS) -> None:
    """The person and another one, each with a lead that went through these steps, and every row that hangs on it."""
    await deliver(stack, organization, enquiry(HOST, name=NAME, phone=PHONE), "form-1")
    await deliver(stack, organization, enquiry(phone="083 765 4321"), "form-2")
    worked = await work_through(stack, steps=steps)
    assert worked.problems == {}
    await master_rows(stack, "update inbox set state = 'done', finished_at = now(), lease_until = null")


async def contact_id(stack: Stack, organization: Organization, email: str = EMAIL) -> UUID:
    [row] = await tenant_rows(stack, organization, "select id from contacts where email_normalized = %s", email)
    return row["id"]


async def lead_id(stack: Stack, organization: Organization, email: str = EMAIL) -> UUID:
    contact = await contact_id(stack, organization, email)
    [row] = await tenant_rows(stack, organization, "select id from leads where contact_id = %s", contact)
    return row["id"]


async def with_business(stack: Stack, organization: Organization) -> None:
    """What people of the organization have written down about the person."""
    contact, lead = await contact_id(stack, organization), await lead_id(stack, organization)
    for query, values in (
        ("insert into deals (contact_id, lead_id, title, value_cents) values (%s, %s, 'Walmer', 5000)",
         (contact, lead)),
        ("insert into activities (type, contact_id, notes) values ('note', %s, 'Walmer called')", (contact,)),
        ("insert into client_custom_fields (entity, entity_id, data) values ('contact', %s, %s::jsonb)",
         (contact, '{"nick": "walmer"}')),
        ("insert into refused_addresses (address, reason) values (%s, 'no such mailbox')", (EMAIL,)),
        ("insert into alerts (event_key, event, subject, lines)"
         " values (%s, 'address_refused', 'Mail came back', %s::jsonb)",
         (f"address_refused:{EMAIL}:2026-11-20", f'["To:\\n{EMAIL}"]')),
        ("insert into notification_deliveries (event_key, event, recipient, channel, category, contact_id, payload)"
         " values ('client:campaign:1', 'client_campaign', %s, 'email', 'marketing', %s, %s::jsonb)",
         (EMAIL, contact, '{"subject": "Dear Walmer reception"}')),
    ):  # fmt: skip
        await tenant_rows(stack, organization, query, *values)


async def with_master_rows(stack: Stack, organization: Organization) -> None:
    """Links and checkouts in the master database, of the person and of another one."""
    lead = await lead_id(stack, organization)
    query = """
        insert into review_links (token_sha256, organization_id, post_id, content_hash, reviewer, expires_at)
        select sha256(one::bytea), %(organization)s, gen_random_uuid(), 'h', one, now()
        from unnest(array[%(email)s, %(other)s]) as one;
        """
    values = {"organization": organization.id, "email": EMAIL, "other": OTHER_EMAIL, "lead": lead}
    checkouts = """
        insert into checkouts (token_sha256, m_payment_id, seller_id, lead_id, plan_key, amount_cents, recurring_cents,
                               company, contact_name, contact_email, contact_phone, approved_at, expires_at)
        select sha256(('checkout' || one)::bytea), 'DRG-' || one, %(organization)s,
               %(lead)s::uuid, 'growth', 350000, 350000, 'Walmer', 'Walmer reception', one, '084 111-2222', now(),
               now() + interval '7 days'
        from unnest(array[%(email)s]) as one;
        """
    async with stack.master.connection() as conn:
        await conn.execute(query.encode(), values)
        await conn.execute(checkouts.encode(), values)


async def everything(stack: Stack, organization: Organization) -> dict[str, list[str]]:
    """Each row of each table of the client's database as one text; the audit log, which names rows alone, as well."""
    names = await tenant_rows(
        stack,
        organization,
        "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
    )
    found = {}
    for row in names:
        rows = await tenant_rows(stack, organization, f"select t::text as text from {row['name']} t")
        found[row["name"]] = [one["text"] for one in rows]
    return found


def spoken_of(texts: dict[str, list[str]], words: tuple[str, ...] = WORDS) -> dict[str, list[str]]:
    """Which of the words are still said in which table."""
    found = {name: sorted({word for word in words for text in rows if word in text}) for name, rows in texts.items()}
    return {name: said for name, said in found.items() if said}


async def opened_inbox(stack: Stack, organization: Organization) -> list[tuple[str, str, bool]]:
    """Delivery, state and whether its bodies are there, oldest first."""
    rows = await master_rows(
        stack,
        "select delivery_id, state, parsed_sealed is not null or raw_sealed is not null as has_body from inbox"
        " where organization_id = %s order by received_at, delivery_id",
        organization.id,
    )
    return [(row["delivery_id"], row["state"], row["has_body"]) for row in rows]


async def age(stack: Stack, organization: Organization | None, table: str, column: str, at: datetime) -> None:
    """All rows of a table become that old."""
    ask: Any = master_rows if organization is None else tenant_rows
    arguments = (stack,) if organization is None else (stack, organization)
    await ask(*arguments, f"update {table} set {column} = %s", at)
