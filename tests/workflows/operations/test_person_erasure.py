"""A person is forgotten everywhere in one organization, once, with a certificate; nobody else is touched."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_batches import LEADS
from draggonnb_pipelines.workflows.leads.leads import capture_leads
from draggonnb_pipelines.workflows.operations import person_erasure
from draggonnb_pipelines.workflows.operations.person_erasure import erase_person, survey
from draggonnb_pipelines.workflows.operations.retention import keep_retention
from tests.workflows.lead_work import claim, deliver, enquiry, master_rows, tenant_rows
from tests.workflows.operations.person_work import (
    EMAIL,
    OTHER_EMAIL,
    PERSON,
    PHONE,
    everything,
    lead_id,
    opened_inbox,
    person,
    spoken_of,
    with_business,
    with_leads,
    with_master_rows,
)


@pytest.fixture
async def known(stack: Stack, agency: Organization) -> AsyncIterator[Stack]:
    """A person who stands in every place, and another one who stands in most of them."""
    await with_leads(stack, agency)
    await with_business(stack, agency)
    await with_master_rows(stack, agency)
    yield stack
    await master_rows(stack, "delete from checkouts")


@pytest.fixture
async def met(stack: Stack, agency: Organization) -> Stack:
    """The person and another one as contacts, and nothing else."""
    await with_leads(stack, agency, steps=(capture_leads,))
    return stack


FIGURES = """
    select (select count(*) from leads) as leads, (select count(*) from contacts) as contacts,
           (select sum(value_cents)::int from deals) as deals, (select sum(model_score)::int from leads) as scores,
           (select sum(cost_usd) from ai_generation_log) as cost,
           (select sum(tokens_used) from ai_generation_log) as tokens,
           (select count(*) from lead_analyses) as analyses, (select count(*) from proposals) as proposals,
           (select count(*) from notification_deliveries) as messages,
           (select sum(pages) from company_profiles) as pages
"""


async def test_nothing_of_the_person_is_left_and_the_figures_and_everybody_else_are_as_before(
    known: Stack, agency: Organization, outsider: Organization
):
    [figures] = await tenant_rows(known, agency, FIGURES)
    theirs = await everything(known, outsider)
    other = await lead_id(known, agency, OTHER_EMAIL)
    others = "select * from leads where id = %s"
    before = await tenant_rows(known, agency, others, other)

    certificate = await erase_person(known, agency, PERSON, by="test")

    assert certificate is not None
    assert spoken_of(await everything(known, agency)) == {}
    assert await tenant_rows(known, agency, FIGURES) == [figures]
    assert await tenant_rows(known, agency, others, other) == before
    assert await opened_inbox(known, agency) == [("form-1", "done", False), ("form-2", "done", True)]
    [checkout] = await master_rows(
        known, "select company, contact_name, contact_email, contact_phone, state from checkouts"
    )
    assert list(checkout.values()) == ["erased", "erased", "erased", None, "expired"]
    assert await master_rows(known, "select reviewer from review_links") == [{"reviewer": OTHER_EMAIL}]
    assert await everything(known, outsider) == theirs


async def test_the_certificate_counts_what_went_names_nobody_and_is_the_same_when_asked_again(
    known: Stack, agency: Organization
):
    certificate = await erase_person(known, agency, PERSON, by="test")
    again = await erase_person(known, agency, PERSON, by="somebody else")

    assert certificate is not None
    erased = {one["what"]: one["rows"] for one in certificate["erased"]}
    wanted = {"contacts": 1, "leads": 1, "enquiries": 1, "consents": 1, "deals": 1, "activities": 1, "custom_fields": 1,
              "company_profiles": 1, "analyses": 2, "proposals": 1, "alerts": 1, "refused_addresses": 1, "inbox": 1,
              "messages_to_the_person": 1, "review_links": 1, "checkouts": 1}  # fmt: skip
    assert wanted.items() <= erased.items()
    assert erased["prompts_and_answers"] == 3
    assert spoken_of({"certificate": [str(certificate)]}) == {}
    assert again == certificate
    [row] = await master_rows(known, "select state, subject_sealed, requested_by from person_erasures")
    assert row == {"state": "erased", "subject_sealed": None, "requested_by": "test"}
    entries = "select actor, resource from audit_log where action = 'person.erased'"
    own = {"actor": "test", "resource": f"person_erasure:{certificate['id']}"}
    in_tenant, in_master = await tenant_rows(known, agency, entries), await master_rows(known, entries)
    assert [in_tenant[-1], in_master[-1]] == [own, own]


async def test_cut_off_before_and_after_every_step_it_is_completed_by_saying_it_again(
    known: Stack, agency: Organization, monkeypatch: pytest.MonkeyPatch
):
    for step in ("_empty_master", "_empty_tenant", "_end"):
        real: Any = getattr(person_erasure, step)
        for is_after in (False, True) if step != "_end" else (False,):

            async def cut(*arguments: Any, real: Any = real, is_after: bool = is_after) -> None:
                if is_after:
                    await real(*arguments)
                raise asyncio.CancelledError

            with monkeypatch.context() as patched:
                patched.setattr(person_erasure, step, cut)
                with pytest.raises(asyncio.CancelledError):
                    await erase_person(known, agency, PERSON, by="test")
    certificate = await erase_person(known, agency, PERSON, by="test")

    assert certificate is not None
    erased = {one["what"]: one["rows"] for one in certificate["erased"]}
    assert (erased["contacts"], erased["leads"], erased["inbox"], erased["checkouts"]) == (1, 1, 1, 1)
    assert spoken_of(await everything(known, agency)) == {}
    assert [row["state"] for row in await master_rows(known, "select state from person_erasures")] == ["erased"]


async def test_what_was_cut_off_goes_on_at_night(met: Stack, agency: Organization, monkeypatch: pytest.MonkeyPatch):
    async def cut(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(person_erasure, "_empty_tenant", cut)
        with pytest.raises(asyncio.CancelledError):
            await erase_person(met, agency, PERSON, by="test")
    night = await keep_retention(met)

    assert (night.forgotten, night.troubles) == (1, {})
    assert spoken_of(await everything(met, agency)) == {}
    assert await master_rows(met, "select state, requested_by from person_erasures") == [
        {"state": "erased", "requested_by": "test"}
    ]


async def test_whom_a_backup_brings_back_is_forgotten_again_and_who_wrote_anew_is_not(met: Stack, agency: Organization):
    insert = "insert into contacts (name, email, email_normalized, created_at) values ('Walmer', %s, %s, %s)"
    await erase_person(met, agency, PERSON, by="test")
    await tenant_rows(met, agency, insert, EMAIL, EMAIL, "2026-01-01T00:00Z")

    brought_back = await keep_retention(met)
    after = spoken_of(await everything(met, agency))
    await tenant_rows(met, agency, insert, EMAIL, EMAIL, "2100-01-01T00:00Z")
    anew = await keep_retention(met)

    assert (brought_back.forgotten, after) == (1, {})
    assert anew.forgotten == 0
    assert spoken_of(await everything(met, agency)) == {"contacts": sorted([EMAIL, "Walmer", "walmer"])}


async def test_a_delivery_that_a_run_has_in_hand_is_waited_for(met: Stack, agency: Organization):
    await deliver(met, agency, enquiry("walmer-dental.example", phone=PHONE, message="Me again"), "form-3")
    await claim(met, "run-2")

    with pytest.raises(OperatorError, match="1 deliveries and 0 message batches with this person are being worked on"):
        await erase_person(met, agency, PERSON, by="test")

    assert "contacts" in spoken_of(await everything(met, agency))
    await master_rows(met, "update inbox set state = 'done', finished_at = now() where delivery_id = 'form-3'")
    assert await erase_person(met, agency, PERSON, by="test")
    assert spoken_of(await everything(met, agency)) == {}
    assert [row[2] for row in await opened_inbox(met, agency)] == [False, True, False]


async def test_a_delivery_that_waits_is_emptied_and_never_worked_on(met: Stack, agency: Organization):
    await deliver(met, agency, enquiry("walmer-dental.example", message="Me again"), "form-3")

    assert await erase_person(met, agency, PERSON, by="test")

    assert ("form-3", "done", False) in await opened_inbox(met, agency)
    assert (await (await claim(met, "run-2")).rows()) == []


async def test_the_only_owner_of_a_client_is_not_erased(met: Stack, agency: Organization):
    before = await everything(met, agency)

    with pytest.raises(OperatorError, match="the only owner of draggonnb"):
        await erase_person(met, agency, person("SALES@draggonnb.example"), by="test")

    assert await everything(met, agency) == before
    assert await master_rows(met, "select id from person_erasures") == []


async def test_a_contact_that_shares_the_owners_number_takes_nothing_of_the_owner_along(
    known: Stack, agency: Organization
):
    owner = "select email, is_active, phone_e164 from users where role = 'owner'"
    told = "select count(*) as n from notification_deliveries where recipient = '+27821234567' and user_id is not null"
    contact = "update contacts set phone_e164 = '+27821234567' where email_normalized = %s"
    before = [await tenant_rows(known, agency, query) for query in (owner, told)]
    await tenant_rows(known, agency, contact, EMAIL)

    seen = await survey(known, agency, PERSON)
    await erase_person(known, agency, PERSON, by="test")

    assert seen.subject.identity.phones == {"+27821234567", "+27841112222"}
    assert [await tenant_rows(known, agency, query) for query in (owner, told)] == before
    assert before[1][0]["n"] > 0


async def test_somebody_of_the_organization_can_be_forgotten_when_another_owner_is_there(
    met: Stack, agency: Organization, people: None
):
    [row] = await tenant_rows(met, agency, "select email from users where role = 'editor' limit 1")

    certificate = await erase_person(met, agency, person(row["email"]), by="test")

    assert certificate is not None
    assert {"what": "users", "rows": 1} in certificate["erased"]
    assert spoken_of(await everything(met, agency), (row["email"],)) == {}
    active = "select count(*) as n from users where is_active and email like '%%@erased.invalid'"
    assert await tenant_rows(met, agency, active) == [{"n": 0}]


async def test_no_work_is_done_any_more_for_the_lead_of_somebody_who_was_forgotten(met: Stack, agency: Organization):
    other = await lead_id(met, agency, OTHER_EMAIL)
    today = [row["received_on"] for row in await tenant_rows(met, agency, "select distinct received_on from leads")]

    await erase_person(met, agency, PERSON, by="test")

    async with met.tenants.open(agency) as tenant:
        rows = [row["lead_id"] async for row in LEADS.leads_of_days(tenant.conn, days=today)]
    assert rows == [other]
    status = "select status from leads where id <> %s"
    assert await tenant_rows(met, agency, status, other) == [{"status": "lost"}]


async def test_an_accepted_proposal_is_kept_and_named_with_the_law(known: Stack, agency: Organization):
    lead = await lead_id(known, agency)
    query = "update proposals set status = 'accepted', accepted_at = now() where lead_id = %s"
    await tenant_rows(known, agency, query, lead)

    certificate = await erase_person(known, agency, PERSON, by="test")

    assert certificate is not None
    [kept] = [one for one in certificate["kept"] if one["what"] == "accepted_proposals"]
    assert (kept["rows"], kept["why"].split(":")[0]) == (1, "an agreement, and who made it")
    assert set(spoken_of(await everything(known, agency))) == {"proposals"}


async def test_who_is_unknown_leaves_no_trace(met: Stack, agency: Organization):
    before = await everything(met, agency)

    assert await erase_person(met, agency, person("nobody@nowhere.example"), by="test") is None

    assert await everything(met, agency) == before
    assert await master_rows(met, "select id from person_erasures") == []


async def test_a_second_address_of_the_same_person_is_found_by_the_first_and_the_reverse(
    met: Stack, agency: Organization
):
    body = enquiry("walmer-dental.example", phone=PHONE, email="info@second.example", website=None)
    await deliver(met, agency, body, "form-3")

    seen = await survey(met, agency, PERSON)

    assert seen.subject.identity.emails == {EMAIL}
    assert await erase_person(met, agency, person("info@second.example"), by="test")
    assert ("form-3", "done", False) in await opened_inbox(met, agency)
