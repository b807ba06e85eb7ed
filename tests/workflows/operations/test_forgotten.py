"""Whom a backup brings back is known by any of their addresses, and one who cannot be forgotten stops nobody else."""

from pathlib import Path
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import identity_of
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import create_empty, drop
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.workflows.leads.leads import capture_leads
from draggonnb_pipelines.workflows.operations.backup_sources import folder_of
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.client_copies import KEPT, mark_of
from draggonnb_pipelines.workflows.operations.erasure_slips import ReadBack
from draggonnb_pipelines.workflows.operations.person_erasure import erase_person
from draggonnb_pipelines.workflows.operations.retention import keep_retention
from draggonnb_pipelines.workflows.operations.server_restores import restore_server
from tests.conftest import MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.backup_work import BY, dsn_of, rows, settings_of
from tests.workflows.lead_work import deliver, enquiry, master_rows, tenant_rows, work_through
from tests.workflows.operations.person_work import EMAIL, PERSON, PHONE, everything, spoken_of, with_leads
from tests.workflows.operations.test_server_restores import lose

SECOND = "info@second.example"
OWNERS = "+27821234567"
CONTACT = """insert into contacts (name, email, email_normalized, phone_e164, created_at)
             values ('Walmer', %s, %s, %s, '2026-01-01T00:00Z')"""


@pytest.fixture
async def met(stack: Stack, agency: Organization) -> Stack:
    """The person, who wrote from a second address too, and another one."""
    await with_leads(stack, agency, steps=(capture_leads,))
    await deliver(stack, agency, enquiry("walmer-dental.example", phone=PHONE, email=SECOND, website=None), "form-3")
    await work_through(stack, steps=(capture_leads,))
    await master_rows(stack, "update inbox set state = 'done', finished_at = now(), lease_until = null")
    return stack


@pytest.mark.parametrize(("email", "phone"), [(EMAIL, None), (None, "+27841112222")])
async def test_a_backup_that_knows_another_address_than_the_typed_one_brings_nobody_back(
    met: Stack, agency: Organization, outsider: Organization, email: str | None, phone: str | None
):
    await erase_person(met, agency, identity_of(SECOND), by="test")
    await tenant_rows(met, agency, CONTACT, email, email, phone)
    await tenant_rows(met, outsider, CONTACT, email, email, phone)
    theirs = await everything(met, outsider)

    night = await keep_retention(met)

    assert (night.forgotten, night.troubles) == (1, {})
    assert spoken_of(await everything(met, agency)) == {}
    assert await everything(met, outsider) == theirs
    assert (await keep_retention(met)).forgotten == 0
    fingerprints = await master_rows(met, "select count(distinct fingerprint) as n from person_erasures")
    assert fingerprints == [{"n": 1}]


async def test_an_enquiry_alone_is_enough_and_counts_from_the_day_on_which_it_came(met: Stack, agency: Organization):
    await erase_person(met, agency, PERSON, by="test")
    # After a restore the inbox brought it again, so that all its rows are younger than the erasure.
    script = """
        with c as (insert into contacts (name, email, email_normalized, created_at)
                   values ('Walmer', 'x@third.example', 'x@third.example', '2100-01-01') returning id),
             l as (insert into leads (contact_id, source, status, received_at)
                   select id, 'web', 'new', '2100-01-01' from c returning id)
        insert into lead_events (lead_id, source, delivery_id, occurred_at, payload)
        select id, 'web', 'again', '2026-01-01', '{"email_key": "info@second.example"}' from l"""
    await tenant_rows(met, agency, script)

    night = await keep_retention(met)

    assert (night.forgotten, night.troubles) == (1, {})
    assert spoken_of(await everything(met, agency)) == {}


async def test_an_address_of_the_person_alone_in_a_list_is_forgotten_again(met: Stack, agency: Organization):
    await erase_person(met, agency, PERSON, by="test")
    refused = "insert into refused_addresses (address, reason, refused_at) values (%s, 'gone', %s)"
    await tenant_rows(met, agency, refused, SECOND, "2026-01-01T00:00Z")
    await tenant_rows(met, agency, refused, "somebody@else.example", "2026-01-01T00:00Z")

    night = await keep_retention(met)

    assert (night.forgotten, night.troubles) == (1, {})
    assert await tenant_rows(met, agency, "select address from refused_addresses") == [
        {"address": "somebody@else.example"}
    ]
    await tenant_rows(met, agency, "delete from refused_addresses")


async def test_somebody_of_the_organization_who_shares_a_number_stays(met: Stack, agency: Organization):
    owner = "select email, is_active, phone_e164 from users where role = 'owner'"
    before = await tenant_rows(met, agency, owner)
    assert OWNERS in {row["phone_e164"] for row in before}
    await tenant_rows(met, agency, "update contacts set phone_e164 = %s where email_normalized = %s", OWNERS, EMAIL)
    await erase_person(met, agency, PERSON, by="test")

    nothing = await keep_retention(met)
    await tenant_rows(met, agency, CONTACT, None, None, OWNERS)
    night = await keep_retention(met)

    assert (nothing.forgotten, night.forgotten, night.troubles) == (0, 1, {})
    assert await tenant_rows(met, agency, owner) == before
    assert spoken_of(await everything(met, agency)) == {}


async def test_one_who_cannot_be_forgotten_stops_nobody_else_and_is_named_every_night(met: Stack, agency: Organization):
    other = "info@kloof-street-coffee.example"
    await erase_person(met, agency, identity_of(other), by="test")
    await tenant_rows(met, agency, CONTACT, other, other, None)
    # What was cut off comes first: a run has a delivery of this person in hand.
    await deliver(met, agency, enquiry("walmer-dental.example"), "form-4")
    claimed = """update inbox set state = 'claimed', batch_id = gen_random_uuid(),
                                  lease_until = now() + interval '1 hour' where delivery_id = 'form-4'"""
    await master_rows(met, claimed)
    with pytest.raises(OperatorError, match="are being worked on"):
        await erase_person(met, agency, PERSON, by="test")

    night = await keep_retention(met)

    assert list(night.troubles) == [agency.slug]
    assert night.troubles[agency.slug].startswith("1 of 2 persons are not forgotten yet: 1 deliveries and 0 message")
    left = await tenant_rows(met, agency, "select email from contacts where erased_at is null")
    assert left == [{"email": EMAIL}]


async def test_a_copy_that_a_restore_left_is_named_by_the_certificate(met: Stack, agency: Organization):
    kept, copy = f"{agency.database_name}{KEPT}", f"{agency.database_name}_looked_into"
    await create_empty(met.master.dsn, kept)
    await create_empty(met.master.dsn, copy, mark=mark_of(agency.id))
    try:
        certificate = await erase_person(met, agency, PERSON, by="test")
    finally:
        for name in (kept, copy):
            await drop(met.master.dsn, name)

    assert certificate is not None
    named = [one["where"] for one in certificate["elsewhere"] if one["where"].startswith("database ")]
    assert named == [f"database {kept}", f"database {copy}"]


async def test_erasures_after_the_masters_backup_come_back_with_a_lost_server(
    master_dsn: str, make_organization: MakeOrganization, sandbox: Sandbox, tmp_path: Path
):
    settings = settings_of(master_dsn, tmp_path, sandbox.port)
    client = await make_organization("kloof-coffee")
    async with open_stack(settings) as stack:
        rows(dsn_of(stack, client), CONTACT, EMAIL, EMAIL, None)
        await back_up_all(stack, by=BY)
        certificate = await erase_person(stack, client, PERSON, by="test")
    slips = folder_of(settings) / "erasures"
    (slips / "9d5f6a0e-8a39-4b66-9d51-1d4c5a0a7f10.erasure").write_bytes(b"forged")
    assert all(EMAIL.encode() not in path.read_bytes() for path in slips.iterdir())
    await lose(settings, [client])
    told: list[Any] = []

    await restore_server(settings, by=BY, on_erasures=lambda at, read: told.append(read))
    await restore_server(settings, by=BY, on_erasures=lambda at, read: told.append(read))

    assert told == [ReadBack(1, 1), ReadBack(0, 1)]
    found = rows(master_dsn, "select state, certificate from person_erasures")
    assert found == [{"state": "erased", "certificate": certificate}]
    async with open_stack(settings) as stack:
        assert (await keep_retention(stack)).forgotten == 1
        assert rows(dsn_of(stack, client), "select name, email from contacts") == [{"name": None, "email": None}]


async def test_an_erasure_whose_slip_cannot_be_written_stays_open_and_goes_on(met: Stack, agency: Organization):
    folder_of(met.settings).write_text("not a folder")

    with pytest.raises(OperatorError, match="cannot be written"):
        await erase_person(met, agency, PERSON, by="test")

    assert await master_rows(met, "select state from person_erasures") == [{"state": "erasing"}]
    folder_of(met.settings).unlink()
    assert (await keep_retention(met)).forgotten == 1
    assert await master_rows(met, "select state from person_erasures") == [{"state": "erased"}]
