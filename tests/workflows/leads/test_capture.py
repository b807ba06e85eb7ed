"""Deliveries become leads: one person one lead, one delivery one event, whoever comes twice or at once."""

import asyncio
from uuid import UUID

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.leads import capture_leads
from tests.workflows.lead_work import (
    INBOX,
    STEPS,
    claim,
    count,
    deliver,
    enquiry,
    inbox_states,
    master_rows,
    tenant_rows,
    variant,
    work_through,
)

CAPTURE = (capture_leads,)


async def test_the_same_delivery_twice_is_one_row_one_lead_and_one_event(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    first = await deliver(stack, agency, enquiry(), "form-1")
    again = await deliver(stack, agency, enquiry(), "form-1")

    await work_through(stack, steps=CAPTURE)

    assert first == again
    assert await count(stack, agency, "leads", "contacts", "lead_events") == {
        "leads": 1,
        "contacts": 1,
        "lead_events": 1,
    }
    assert await count(stack, outsider, "leads", "contacts") == {"leads": 0, "contacts": 0}


async def test_a_row_that_is_worked_a_second_time_changes_nothing(stack: Stack, agency: Organization) -> None:
    await deliver(stack, agency, enquiry(), "form-1")
    await work_through(stack, steps=CAPTURE)
    before = await tenant_rows(stack, agency, "select id, status, contact_id, received_at from leads")

    # As after a kill between the tenant's commit and the row's: the inbox knows nothing of the lead.
    await master_rows(stack, "update inbox set state = 'received', stage = 0, lead_id = null, batch_id = null")
    worked = await work_through(stack, "run-2", steps=CAPTURE)

    assert worked.problems == {}
    assert await tenant_rows(stack, agency, "select id, status, contact_id, received_at from leads") == before
    assert await count(stack, agency, "leads", "contacts", "lead_events", "consents") == {
        "leads": 1,
        "contacts": 1,
        "lead_events": 1,
        "consents": 1,
    }
    assert [row["lead_id"] for row in await master_rows(stack, "select lead_id from inbox")] == [before[0]["id"]]


async def test_a_person_who_comes_by_two_ways_is_one_lead_with_two_events_and_a_completed_contact(
    stack: Stack, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(email="Pat@Old-Mill.example", website=None), "form-1")
    await work_through(stack, steps=CAPTURE)

    by_phone = enquiry(email="pat@old-mill.example", phone="082 123 4567", website="http://old-mill.example")
    await deliver(stack, agency, by_phone, "ad-9", source="meta_lead_ads")
    worked = await work_through(stack, "run-2", steps=CAPTURE)

    assert worked.problems == {}
    assert await tenant_rows(stack, agency, "select email, email_normalized, phone_e164, website from contacts") == [
        {
            "email": "Pat@Old-Mill.example",
            "email_normalized": "pat@old-mill.example",
            "phone_e164": "+27821234567",
            "website": "http://old-mill.example",
        }
    ]
    assert await tenant_rows(stack, agency, "select count(*) as n, min(source) as source from leads") == [
        {"n": 1, "source": "web_form"}
    ]
    assert await tenant_rows(stack, agency, "select source, delivery_id from lead_events order by occurred_at") == [
        {"source": "web_form", "delivery_id": "form-1"},
        {"source": "meta_lead_ads", "delivery_id": "ad-9"},
    ]


async def test_two_deliveries_of_one_person_in_one_batch_are_one_piece_of_work(
    stack: Stack, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(), "form-1")
    await deliver(stack, agency, enquiry(phone="082 123 4567"), "form-2")

    worked = await work_through(stack, steps=CAPTURE)

    [outcome] = worked.outcomes["capture_leads"]
    assert len(outcome.work.inbox_ids) == 2
    assert outcome.columns["deliveries"] == 2
    assert await count(stack, agency, "leads", "contacts", "lead_events") == {
        "leads": 1,
        "contacts": 1,
        "lead_events": 2,
    }


async def test_an_address_and_a_number_of_two_known_people_leave_both_people_as_they_are(
    stack: Stack, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(email="one@old-mill.example"), "form-1")
    await deliver(stack, agency, enquiry(email="two@old-mill.example", phone="082 123 4567"), "form-2")
    await work_through(stack, steps=CAPTURE)

    await deliver(stack, agency, enquiry(email="one@old-mill.example", phone="082 123 4567"), "form-3")
    worked = await work_through(stack, "run-2", steps=CAPTURE)

    assert worked.problems == {}
    assert await tenant_rows(
        stack,
        agency,
        "select c.email, c.phone_e164, count(e.id) as events from contacts c join leads l on l.contact_id = c.id"
        " join lead_events e on e.lead_id = l.id group by 1, 2 order by 1",
    ) == [
        {"email": "one@old-mill.example", "phone_e164": None, "events": 2},
        {"email": "two@old-mill.example", "phone_e164": "+27821234567", "events": 1},
    ]


async def test_two_people_are_two_leads(stack: Stack, agency: Organization) -> None:
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")

    await work_through(stack, steps=CAPTURE)

    assert await count(stack, agency, "leads", "contacts", "lead_events") == {
        "leads": 2,
        "contacts": 2,
        "lead_events": 2,
    }


async def test_a_person_who_returns_after_the_lead_was_won_opens_a_new_lead(stack: Stack, agency: Organization) -> None:
    await deliver(stack, agency, enquiry(), "form-1")
    await work_through(stack, steps=CAPTURE)
    await tenant_rows(stack, agency, "update leads set status = 'won'")

    await deliver(stack, agency, enquiry(message="Now we want a second shop."), "form-2")
    await work_through(stack, "run-2", steps=CAPTURE)

    assert await tenant_rows(stack, agency, "select status, message from leads order by received_at") == [
        {"status": "won", "message": "We want more wholesale customers and do not know where to start."},
        {"status": "new", "message": "Now we want a second shop."},
    ]
    assert await count(stack, agency, "contacts") == {"contacts": 1}


async def test_a_person_who_writes_again_to_a_lead_in_review_reopens_it(stack: Stack, agency: Organization) -> None:
    await deliver(stack, agency, enquiry(website=None, company=None), "form-1")
    await work_through(stack, steps=CAPTURE)
    await tenant_rows(stack, agency, "update leads set status = 'needs_review', review_reason = 'no answer'")

    await deliver(stack, agency, enquiry(company="Kloof Street Coffee"), "form-2")
    await work_through(stack, "run-2", steps=CAPTURE)

    assert await tenant_rows(stack, agency, "select status, review_reason, website, company_name from leads") == [
        {
            "status": "new",
            "review_reason": None,
            "website": "http://kloof-street-coffee.example",
            "company_name": "Kloof Street Coffee",
        }
    ]


async def test_runs_that_capture_the_same_person_at_once_make_one_lead(stack: Stack, agency: Organization) -> None:
    batches = []
    for number in range(8):
        await deliver(stack, agency, enquiry(phone="082 123 4567"), f"form-{number}")
        batches.append(await claim(stack, f"run-{number}"))

    parts = await asyncio.gather(*(capture_leads(stack, batch) for batch in batches))

    assert [str(outcome.problem) for part in parts for outcome in part if outcome.problem] == []
    assert len({outcome.work.lead_id for part in parts for outcome in part}) == 1
    assert await count(stack, agency, "leads", "contacts", "lead_events") == {
        "leads": 1,
        "contacts": 1,
        "lead_events": 8,
    }


async def test_consent_is_kept_with_its_wording_and_a_later_refusal_beside_it(
    stack: Stack, agency: Organization
) -> None:
    first = await deliver(stack, agency, enquiry(), "form-1")
    second = await deliver(stack, agency, enquiry(consent=False, consent_text="Please do not call."), "form-2")

    await work_through(stack, steps=CAPTURE)

    assert await tenant_rows(
        stack, agency, "select purpose, granted, wording, source, inbox_id from consents order by granted desc"
    ) == [
        {
            "purpose": "contact",
            "granted": True,
            "wording": "You may contact me about this.",
            "source": "web_form",
            "inbox_id": first,
        },
        {
            "purpose": "contact",
            "granted": False,
            "wording": "Please do not call.",
            "source": "web_form",
            "inbox_id": second,
        },
    ]


async def test_a_row_that_cannot_be_opened_dies_alone_with_its_reason_and_replay_brings_it_back(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    stack = variant(stack, max_attempts=2)
    poison = await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    healthy = await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")
    [sealed] = await master_rows(stack, "select parsed_sealed from inbox where id = %s", poison)
    await master_rows(stack, "update inbox set parsed_sealed = %s where id = %s", b"\x01 not an envelope", poison)

    first = await work_through(stack, steps=CAPTURE)
    await work_through(stack, "run-2", steps=CAPTURE)

    assert [outcome.work.inbox_ids for outcome in first.outcomes["capture_leads"]] == [(healthy,)]
    assert list(first.broken.values()) == ["sealed value is cut short"]
    assert await _states(stack) == {poison: ("dead", 2), healthy: ("claimed", 0)}
    assert await count(stack, agency, "leads", "contacts") == {"leads": 1, "contacts": 1}

    await master_rows(stack, "update inbox set parsed_sealed = %s where id = %s", sealed["parsed_sealed"], poison)
    await _replay(stack, poison)
    await work_through(stack, "run-3", steps=CAPTURE)

    assert await count(stack, agency, "leads", "contacts") == {"leads": 2, "contacts": 2}
    assert await count(stack, outsider, "leads") == {"leads": 0}


async def test_a_row_that_the_database_refuses_does_not_take_its_neighbours_along(
    stack: Stack, agency: Organization
) -> None:
    stack = variant(stack, max_attempts=1)
    poison = await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    healthy = await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")
    key = stack.tenants.key(agency)
    context = parsed_context(agency.id)
    [row] = await master_rows(stack, "select parsed_sealed from inbox where id = %s", poison)
    with_nul = key.open(row["parsed_sealed"], context).replace(b"Front desk", b"Front\\u0000desk")
    await master_rows(stack, "update inbox set parsed_sealed = %s where id = %s", key.seal(with_nul, context), poison)

    worked = await work_through(stack, steps=CAPTURE)

    assert worked.problems == {}
    assert await _states(stack) == {poison: ("dead", 1), healthy: ("claimed", 0)}
    assert [
        row["last_error"] for row in await master_rows(stack, "select last_error from inbox where state = 'dead'")
    ] == ["database: DataError"]
    assert await tenant_rows(stack, agency, "select company_name from leads") == [{"company_name": "Old Mill House"}]


async def test_a_lead_that_was_erased_meanwhile_leaves_the_others_of_its_batch_alone(
    stack: Stack, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")

    async def erase(stack: Stack, batch: object) -> list[object]:
        await tenant_rows(stack, agency, "delete from contacts where company = 'Walmer Dental'")
        return []

    worked = await work_through(stack, steps=(*STEPS[:5], erase, STEPS[5]))

    assert worked.problems == {}
    assert await inbox_states(stack) == [("done", 6, 0), ("done", 6, 0)]


async def _states(stack: Stack) -> dict[UUID, tuple[str, int]]:
    rows = await master_rows(stack, "select id, state, attempts from inbox")
    return {row["id"]: (row["state"], row["attempts"]) for row in rows}


async def _replay(stack: Stack, *ids: UUID) -> None:
    async with stack.master.connection() as conn:
        replayed = [row["id"] async for row in INBOX.replay_rows(conn, ids=list(ids), slug=None)]
    assert replayed == list(ids)
