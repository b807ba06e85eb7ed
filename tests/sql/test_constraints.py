"""What the databases refuse whoever asks: the unique keys and checks that the workflows lean on."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.conftest import ORGANIZATION_ID, Connection, execute, value

HASH = "a" * 64


@pytest.fixture
def lead(tenant_conn: Connection) -> str:
    return value(tenant_conn, "select id from leads")


@pytest.fixture
def organization(master_conn: Connection) -> str:
    return value(
        master_conn, "insert into organizations (slug, name) values ('kloof-coffee', 'Kloof Coffee') returning id"
    )


def _refuses(conn: Connection, error: type[psycopg.Error], query: str, *parameters: Any) -> None:
    with pytest.raises(error):
        execute(conn, query, *parameters)


def _analysis(conn: Connection, lead: str, kind: str, content: object) -> None:
    conn.execute(
        "insert into lead_analyses (lead_id, kind, version, prompt_hash, model, request_hash, content)"
        " values (%s, %s, 1, 'p', 'm', 'r', %s)",
        [lead, kind, Jsonb(content)],
    )


@pytest.mark.parametrize("content", [{}, {"quick_wins": None}, {"quick_wins": [1, 2]}, {"quick_wins": [1, 2, 3, 4]}])
def test_a_business_analysis_has_exactly_three_quick_wins(tenant_conn: Connection, lead: str, content: object) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        _analysis(tenant_conn, lead, "business", content)
    assert value(tenant_conn, "select count(*) from lead_analyses") == 0

    _analysis(tenant_conn, lead, "business", {"quick_wins": [1, 2, 3]})
    _analysis(tenant_conn, lead, "competitors", content)


def test_a_contact_has_one_open_lead_and_any_number_of_closed_ones(tenant_conn: Connection) -> None:
    add = (
        "insert into leads (contact_id, source, received_at, status)"
        " select contact_id, 'web', now(), %s from leads limit 1"
    )

    _refuses(tenant_conn, psycopg.errors.UniqueViolation, add, "new")
    tenant_conn.execute(add, ["won"])
    tenant_conn.execute(add, ["lost"])
    tenant_conn.execute("update leads set status = 'lost'")
    tenant_conn.execute(add, ["new"])

    assert value(tenant_conn, "select count(*) from leads") == 4


def test_a_lead_belongs_to_its_utc_day_whatever_the_session_says(tenant_conn: Connection) -> None:
    tenant_conn.execute("set timezone = 'Africa/Johannesburg'")  # there it is 01:30 on the 2nd

    assert str(value(tenant_conn, "select received_on from leads")) == "2026-11-01"


def test_one_usable_answer_per_request_and_its_tokens_are_added_up(tenant_conn: Connection) -> None:
    add = (
        "insert into ai_generation_log (request_hash, attempt, usable, purpose, prompt_name, prompt_hash, model,"
        " prompt, input_tokens, output_tokens, cache_creation_tokens, cache_read_tokens)"
        " values (%s, %s, %s, 'business', 'business_analysis', 'p', 'm', '{}', 100, 20, 3, 4) returning tokens_used"
    )

    assert value(tenant_conn, add, HASH, 1, False) == 127
    assert value(tenant_conn, add, HASH, 2, True) == 127
    _refuses(tenant_conn, psycopg.errors.UniqueViolation, add, HASH, 2, False)
    _refuses(tenant_conn, psycopg.errors.UniqueViolation, add, HASH, 3, True)


def test_a_post_goes_out_once_per_account_and_revision(tenant_conn: Connection) -> None:
    add = (
        "insert into content_queue (post_id, account_id, platform_id, revision, publish_at)"
        " select p.id, a.id, a.platform_id, %s, now() from social_posts p, social_accounts a"
    )

    tenant_conn.execute(add, [1])
    _refuses(tenant_conn, psycopg.errors.UniqueViolation, add, 1)
    tenant_conn.execute(add, [2])
    _refuses(tenant_conn, psycopg.errors.CheckViolation, "update content_queue set status = 'calling'")
    _refuses(tenant_conn, psycopg.errors.CheckViolation, "update content_queue set status = 'published'")
    _refuses(tenant_conn, psycopg.IntegrityError, "delete from social_posts")

    assert value(tenant_conn, "select count(*) from content_queue where status = 'scheduled'") == 2


def test_readings_are_added_to_and_never_changed(tenant_conn: Connection) -> None:
    tenant_conn.execute(
        "insert into platform_metrics (platform_id, account_id, post_id, engagement_data)"
        " select a.platform_id, a.id, p.id, '{\"likes\": 3}' from social_accounts a, social_posts p"
    )

    _refuses(tenant_conn, psycopg.errors.InsufficientPrivilege, "update platform_metrics set engagement_data = '{}'")
    tenant_conn.execute("delete from social_posts")

    row = tenant_conn.execute("select post_id, engagement_data from platform_metrics").fetchone()
    assert row == {"post_id": None, "engagement_data": {"likes": 3}}


def test_posts_that_were_read_together_can_be_deleted_one_after_the_other(tenant_conn: Connection) -> None:
    tenant_conn.execute(
        "insert into content_queue (post_id, platform_id, account_id, revision, publish_at)"
        " select p.id, a.platform_id, a.id, r.number, now()"
        " from social_posts p, social_accounts a, generate_series(1, 3) as r (number)"
    )
    read = (
        "insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, engagement_data)"
        " select platform_id, account_id, post_id, id, '2026-12-01 06:00+00', '{}' from content_queue"
    )
    tenant_conn.execute(read)
    _refuses(tenant_conn, psycopg.errors.UniqueViolation, read)

    for revision in (1, 2, 3):
        tenant_conn.execute("delete from content_queue where revision = %s", [revision])

    assert value(tenant_conn, "select count(*) from platform_metrics where queue_id is null") == 3


def test_a_notification_is_recorded_once_per_event_recipient_and_channel(tenant_conn: Connection) -> None:
    add = "insert into notification_deliveries (event_key, recipient, channel) values ('lead:1', 'a@b.example', %s)"

    tenant_conn.execute(add, ["email"])
    tenant_conn.execute(add, ["in_app"])
    _refuses(tenant_conn, psycopg.errors.UniqueViolation, add, "email")


def test_erasing_a_contact_takes_what_was_found_out_about_it(tenant_conn: Connection, lead: str) -> None:
    tenant_conn.execute(
        "insert into evidence (lead_id, url, sha256, text, fetched_at)"
        " values (%s, 'https://a.example', %s, 't', now())",
        [lead, HASH],
    )
    tenant_conn.execute("update contacts set lead_id = %s", [lead])

    tenant_conn.execute("delete from contacts")

    counts = {table: value(tenant_conn, f"select count(*) from {table}") for table in ("leads", "evidence", "users")}
    assert counts == {"leads": 0, "evidence": 0, "users": 6}


def test_a_database_holds_one_organization_and_its_checklist(tenant_conn: Connection) -> None:
    _refuses(
        tenant_conn,
        psycopg.errors.UniqueViolation,
        "insert into organizations (id, slug, name) values (gen_random_uuid(), 'other', 'Other')",
    )

    assert str(value(tenant_conn, "select distinct organization_id from onboarding_checklist")) == ORGANIZATION_ID


def test_a_delivery_is_in_the_inbox_once_and_claimed_only_under_a_lease(
    master_conn: Connection, organization: str
) -> None:
    add = (
        "insert into inbox (organization_id, topic, source, delivery_id) values (%s, 'leads', 'web', 'd1')"
        " on conflict (organization_id, topic, source, delivery_id) do nothing"
    )

    assert master_conn.execute(add, [organization]).rowcount == 1
    assert master_conn.execute(add, [organization]).rowcount == 0
    _refuses(master_conn, psycopg.errors.CheckViolation, "update inbox set state = 'claimed'")
    _refuses(master_conn, psycopg.errors.CheckViolation, "update inbox set state = 'done'")


def test_the_inbox_finds_its_open_rows_by_partial_indexes(master_conn: Connection, organization: str) -> None:
    master_conn.execute(
        "insert into inbox (organization_id, topic, source, delivery_id, state, finished_at)"
        " select %s, 'leads', 'web', n::text, case when n > 20000 then 'received' else 'done' end, now()"
        " from generate_series(1, 20010) n",
        [organization],
    )
    master_conn.execute("analyze inbox")
    queries = (
        "select id from inbox where state = 'received' and topic = 'leads' and not_before <= now()",
        "select id from inbox where state = 'claimed' and topic = 'leads' and lease_until < now()",
        "select count(*), min(received_at) from inbox where state in ('received', 'claimed')",
        "select id from inbox where batch_id = gen_random_uuid() and state = 'claimed'",
    )
    plans = [str(list(execute(master_conn, f"explain {query}"))) for query in queries]

    assert [plan for plan in plans if "Seq Scan" in plan] == []
    sizes = (
        "select sum(pg_relation_size(x::regclass)) from unnest(array['inbox_waiting', 'inbox_claimed', 'inbox_open']) x"
    )
    assert value(master_conn, sizes) <= 5 * 8192


def test_the_plans_of_the_architecture_document_are_there(master_conn: Connection) -> None:
    prices = master_conn.execute("select plan_key, amount_cents, currency from plan_prices order by amount_cents")
    limits = value(master_conn, "select count(*) from plan_limits")

    assert [tuple(row.values()) for row in prices] == [
        ("starter", 150000, "ZAR"),
        ("growth", 350000, "ZAR"),
        ("scale", 750000, "ZAR"),
    ]
    assert limits == 15


def test_a_shard_comes_from_the_slug_alone(master_conn: Connection, organization: str) -> None:
    assert value(master_conn, "select shard from organizations") == 0xCECE220


def test_a_forged_payment_notice_does_not_keep_the_true_one_out(master_conn: Connection) -> None:
    add = (
        "insert into payments (raw_sealed, raw_sha256, source_ip, state, pf_payment_id, payment_status)"
        " values ('x', sha256(%s), %s, %s, '1089250', 'COMPLETE')"
    )

    master_conn.execute(add, [b"forged", "203.0.113.9", "rejected"])
    master_conn.execute(add, [b"true", "197.97.145.145", "verified"])
    _refuses(master_conn, psycopg.errors.UniqueViolation, add, b"repeat", "197.97.145.146", "verified")


def test_an_organization_has_one_live_subscription_and_one_invoice_per_period(
    master_conn: Connection, organization: str
) -> None:
    add = (
        "insert into subscriptions (organization_id, plan_key, status, m_payment_id, amount_cents)"
        " values (%s, 'starter', %s, %s, 150000) returning id"
    )
    invoice = (
        "insert into invoices (organization_id, subscription_id, number, period_start, period_end, net_cents,"
        " vat_cents, amount_cents) values (%s, %s, %s, '2026-11-01', '2026-12-01', %s, 19565, 150000)"
    )

    subscription = value(master_conn, add, organization, "active", "m1")
    value(master_conn, add, organization, "cancelled", "m2")
    _refuses(master_conn, psycopg.errors.UniqueViolation, add, organization, "paused", "m3")

    master_conn.execute(invoice, [organization, subscription, 1, 130435])
    _refuses(master_conn, psycopg.errors.UniqueViolation, invoice, organization, subscription, 2, 130435)
    _refuses(master_conn, psycopg.errors.CheckViolation, invoice, organization, subscription, 3, 130000)
