"""Erased everywhere, and nothing left that could bring it back; what the law wants kept is kept."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.database_names import create_empty, drop, drop_tenant_database
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.workflows.operations.client_copies import mark_of
from draggonnb_pipelines.workflows.provisioning.erasure import erase
from draggonnb_pipelines.workflows.provisioning.export_bundle import exports_folder
from draggonnb_pipelines.workflows.provisioning.offboarding import GRACE, offboard
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import OWNER, Desk, cut_at_each_reading
from tests.workflows.lead_work import master_rows
from tests.workflows.stood_up import NOTHING, SLUG, cancellations, impatient, stand_up, things_left

LATER = datetime.now(UTC) + GRACE + timedelta(days=1)


@pytest.fixture
async def left(desk: Desk, supabase_sandbox: Sandbox, tmp_path: Path) -> Desk:
    """A client whose days of grace are over, and the agency's records of how it became one."""
    desk.stack.settings.state_dir = tmp_path
    desk = await stand_up(desk, supabase_sandbox)
    await with_records(desk)
    await offboard(desk.stack, SLUG, by="test", reason="moves away")
    await master_execute(desk, "update offboardings set erase_after = now() - interval '1 minute'")
    return desk


async def master_execute(desk: Desk, query: Any, *values: Any) -> None:
    async with desk.stack.master.connection() as conn:
        await conn.execute(query, values)


async def with_records(desk: Desk) -> None:
    """A paid checkout by an accepted proposal, a subscription, a payment with its invoice, a received message."""
    ours, agency = desk.client.organization.id, desk.agency.id
    script = """
        insert into proposal_links (token_sha256, organization_id, proposal_id, lead_id, version, expires_at,
                                    accepted_at, accepted_by_name, accepted_by_email)
        select sha256(given.key::bytea), given.seller, gen_random_uuid(), gen_random_uuid(), 1, now(), now(),
               given.name, given.email
        from (values ('a', {agency}::uuid, 'The owner', {owner}), ('b', {ours}::uuid, 'A buyer', 'buyer@x.example'),
                     ('c', {agency}::uuid, 'Another', 'other@x.example')) as given (key, seller, name, email);
        insert into subscriptions (organization_id, plan_key, status, m_payment_id, amount_cents)
        values ({ours}, 'growth', 'cancelled', 'DRG-1', 350000);
        insert into checkouts (token_sha256, m_payment_id, seller_id, proposal_id, plan_key, amount_cents,
                               recurring_cents, company, contact_name, contact_email, contact_phone, approved_at, state,
                               subscription_id, paid_at, expires_at)
        select sha256('d'), 'DRG-1', {agency}, p.proposal_id, 'growth', 350000, 350000, 'Kloof', 'The owner', {owner},
               '082 123 4567', now(), 'paid', s.id, now(), now()
        from proposal_links p, subscriptions s where p.token_sha256 = sha256('a');
        insert into payments (organization_id, subscription_id, raw_sealed, raw_sha256, state, applied_at)
        select {ours}, id, 'sealed', sha256('e'), 'applied', now() from subscriptions;
        insert into invoices (organization_id, subscription_id, payment_id, number, period_start, period_end, net_cents,
                              vat_cents, amount_cents)
        select {ours}, s.id, p.id, 1, '2026-11-01', '2026-12-01', 304348, 45652, 350000
        from subscriptions s, payments p;
        insert into review_links (token_sha256, organization_id, post_id, content_hash, reviewer, expires_at)
        values (sha256('f'), {ours}, gen_random_uuid(), 'h', 'boss@x.example', now());
        insert into inbox (organization_id, topic, source, delivery_id, raw_sealed)
        values ({ours}, 'leads', 'form', '1', 'x');
    """
    values = {"agency": f"'{agency}'", "ours": f"'{ours}'", "owner": f"'{OWNER}'"}
    async with desk.stack.master.connection() as conn:
        await conn.execute(script.format(**values).encode())


async def gone(ledger: Ledger) -> Any:
    return await erase(ledger.stack, SLUG, by="test")


async def personal(desk: Desk) -> list[str]:
    """Every name, address and number of a person of the client that the master database still holds in the clear."""
    tables = (
        "checkouts",
        "proposal_links",
        "provisionings",
        "review_links",
        "kickoff_calls",
        "offboardings",
        "organizations",
    )
    found = []
    for table in tables:
        for row in await master_rows(desk.stack, f"select t::text as text from {table} t"):
            needles = (OWNER, "The owner", "082 123", "buyer@x.example", "A buyer", "boss@x.example")
            found += [f"{table}: {needle}" for needle in needles if needle in row["text"]]
    return found


def databases(dsn: str, name: str | None) -> int:
    with psycopg.connect(dsn) as conn:
        return len(conn.execute("select 1 from pg_database where datname = %s", (name,)).fetchall())


async def assert_erased(desk: Desk, sandbox: Sandbox, postgres_dsn: str) -> None:
    assert things_left(sandbox) == NOTHING
    assert databases(postgres_dsn, desk.client.organization.database_name) == 0
    assert await personal(desk) == []
    query = (
        "select status, database_name, data_key_wrapped, dsn_sealed, webhook_token_sha256, webhook_secret_sealed"
        " from organizations where slug = %s"
    )
    [row] = await master_rows(desk.stack, query, SLUG)
    assert {name: value for name, value in row.items() if value is not None} == {"status": "closed"}
    sealed = await master_rows(desk.stack, "select 1 from stack_resources where secrets_sealed is not null")
    assert sealed == []
    assert await master_rows(desk.stack, "select state, raw_sealed from inbox") == [
        {"state": "dead", "raw_sealed": None}
    ]
    assert [row["state"] for row in await master_rows(desk.stack, "select state from offboardings")] == ["erased"]
    names = sorted(path.name for path in exports_folder(desk.stack).iterdir())
    assert names == [f"{SLUG}-erasure-certificate.json", f"{SLUG}-erasure-certificate.md"]


async def test_it_is_erased_everywhere_and_what_the_law_wants_is_kept(
    left: Desk, supabase_sandbox: Sandbox, postgres_dsn: str
):
    await gone(left.ledger)

    await assert_erased(left, supabase_sandbox, postgres_dsn)
    for table in ("payments", "invoices", "subscriptions"):
        assert (
            len(
                await master_rows(
                    left.stack, f"select 1 from {table} where organization_id = %s", left.client.organization.id
                )
            )
            == 1
        )
    [other] = await master_rows(
        left.stack, "select accepted_by_email as email from proposal_links where token_sha256 = sha256('c')"
    )
    assert other == {"email": "other@x.example"}
    assert databases(postgres_dsn, left.agency.database_name) == 1
    with pytest.raises(TenantUnavailable, match="erased"):
        left.stack.tenants.key((await ledger_of(left.stack, SLUG)).client.organization)


async def test_the_certificate_says_what_was_erased_where_and_when_and_names_no_person(left: Desk):
    certificate = await gone(left.ledger)

    folder = exports_folder(left.stack)
    texts = {path.suffix: path.read_text() for path in sorted(folder.iterdir())}
    assert json.loads(texts[".json"]) == certificate
    where = {(one["where"], one["how"].partition(":")[0]) for one in certificate["erased"]}
    assert where >= {
        ("supabase", "deleted"), ("github", "deleted"), ("vercel", "deleted"), ("n8n", "archived"),
        ("mail", "cancelled"), ("our server", "dropped"), ("our server", "deleted"), ("our database", "destroyed"),
        ("our database", "blanked"),
    }  # fmt: skip
    assert all(datetime.fromisoformat(one["at"]).utcoffset() is not None for one in certificate["erased"])
    assert [one["what"].partition(":")[0] for one in certificate["kept"]][:2] == ["payments", "invoices"]
    assert len(bytes.fromhex(certificate["export_sha256"])) == 32
    for text in texts.values():
        assert OWNER not in text
        assert "The owner" not in text
        assert "Tax Administration Act 28 of 2011" in text
    assert "| our database | the key of everything sealed for the client | destroyed |" in texts[".md"]


async def test_a_second_time_only_the_certificate_is_written_again(left: Desk, supabase_sandbox: Sandbox):
    first = await gone(left.ledger)
    for path in list(exports_folder(left.stack).iterdir()):
        path.unlink()
    asked = len(supabase_sandbox.journal())

    assert await gone(left.ledger) == first

    assert len(supabase_sandbox.journal()) == asked
    assert len(list(exports_folder(left.stack).iterdir())) == 2
    audit = "select 1 from audit_log where action = 'organization.erased'"
    assert len(await master_rows(left.stack, audit)) == 1


async def test_cut_off_wherever_it_reads_the_clock_it_ends_the_same(
    left: Desk, supabase_sandbox: Sandbox, postgres_dsn: str
):
    assert await cut_at_each_reading(left, gone) > 5

    await assert_erased(left, supabase_sandbox, postgres_dsn)
    assert len(cancellations(supabase_sandbox)) == 2


async def test_a_silent_vendor_keeps_the_key_and_the_data_until_it_answers(
    left: Desk, supabase_sandbox: Sandbox, postgres_dsn: str
):
    supabase_sandbox.faults("DELETE /github/repos/{owner}/{name}", {"kind": "drop_before_accept"}, repeat=True)
    async with impatient(left) as hasty:
        with pytest.raises(VendorError):
            await gone(hasty.ledger)
    assert databases(postgres_dsn, left.client.organization.database_name) == 1
    [row] = await master_rows(left.stack, "select state, last_error from offboardings")
    assert (row["state"], bool(row["last_error"])) == ("erasing", True)

    supabase_sandbox.clear_faults()
    await gone(left.ledger)

    await assert_erased(left, supabase_sandbox, postgres_dsn)


async def test_a_database_that_says_it_is_somebody_elses_is_not_dropped(
    postgres_dsn: str, agency: Organization, outsider: Organization
):
    assert agency.database_name is not None

    with pytest.raises(OperatorError, match=f"belongs to organization {agency.id}"):
        await drop_tenant_database(postgres_dsn, agency.database_name, outsider.id)

    assert databases(postgres_dsn, agency.database_name) == 1
    assert await drop_tenant_database(postgres_dsn, "not_there", outsider.id) is False


async def test_every_copy_of_its_database_goes_with_it_and_nobody_elses(left: Desk, master_dsn: str, postgres_dsn: str):
    organization = left.client.organization
    name = f"test_copies_{uuid4().hex[:8]}"
    await master_execute(left, "update organizations set database_name = %s where slug = %s", name, SLUG)
    copies = {name: None, f"{name}_before_restore": None, f"{name}_looked_into": mark_of(organization.id)}
    for copy, mark in copies.items():
        await create_empty(master_dsn, copy, mark=mark)
        with psycopg.connect(dsn_for(master_dsn, copy)) as conn:
            conn.execute("create table organizations as select %s as id", (organization.id,))
    with psycopg.connect(dsn_for(master_dsn, name)) as conn:  # the one that serves is asked whether it wrote to anybody
        conn.execute(
            "create table notification_deliveries (event_key text, channel text, recipient text, status text,"
            " last_error text, message_id text, lease_until timestamptz, not_before timestamptz)"
        )
    await create_empty(master_dsn, f"{name}_restoring")  # a restore was killed before it was filled
    await create_empty(master_dsn, f"{name}_of_agency", mark=mark_of(left.agency.id))

    certificate = await gone(await ledger_of(left.stack, SLUG))

    there = [databases(postgres_dsn, one) for one in (*copies, f"{name}_restoring", f"{name}_of_agency")]
    assert there == [0, 0, 0, 0, 1]
    dropped = [line["what"] for line in certificate["erased"] if line["how"] == "dropped"]
    assert dropped == [f"database {one}" for one in (*copies, f"{name}_restoring")]
    await drop(master_dsn, f"{name}_of_agency")
