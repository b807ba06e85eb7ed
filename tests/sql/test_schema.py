"""What holds for every table of both schemas, and that no table of the architecture document is missing."""

import pytest

from tests.sql.conftest import Connection, execute

ARCHITECTURE_TABLES = {
    "organizations",
    "users",
    "user_permissions",
    "leads",
    "contacts",
    "deals",
    "activities",
    "social_platforms",
    "social_accounts",
    "social_posts",
    "content_queue",
    "content_templates",
    "analytics_snapshots",
    "platform_metrics",
    "n8n_webhooks",
    "ai_generation_log",
    "client_usage_metrics",
    "subscription_history",
    "invoices",
    "onboarding_checklist",
    "notifications",
    "audit_log",
    "client_custom_fields",
}
WORKFLOW_TABLES = {
    "lead_events",
    "consents",
    "company_profiles",
    "evidence",
    "lead_analyses",
    "proposals",
    "notification_deliveries",
    "usage_counters",
    "usage_reservations",
    "publish_attempts",
    "publish_answers",
    "brand_rules",
    "posting_slots",
    "content_requests",
    "recurring_requests",
    "review_decisions",
    "weekly_reports",
    "report_files",
    "notification_preferences",
    "refused_addresses",
    "alerts",
}
OUR_CATALOGUES = {"onboarding_steps", "audit_head"}
MASTER_TABLES = {
    "organizations",
    "backups",
    "database_servers",
    "tenant_moves",
    "inbox",
    "proposal_links",
    "asset_ledger",
    "message_batches",
    "reprocessings",
    "plans",
    "plan_prices",
    "plan_limits",
    "checkouts",
    "subscriptions",
    "subscription_events",
    "subscription_orders",
    "payments",
    "payfast_transactions",
    "payfast_history_days",
    "book_findings",
    "invoice_series",
    "invoices",
    "invoice_documents",
    "api_calls",
    "stack_resources",
    "provisionings",
    "kickoff_calls",
    "analytics_agenda",
    "client_weeks",
    "vendor_plan_costs",
    "message_templates",
    "agency_reports",
    "offboardings",
    "vendor_credentials",
    "vendor_limits",
    "publisher_shards",
    "publishing_agenda",
    "app_quotas",
    "review_links",
    "person_erasures",
    "audit_log",
    "audit_head",
}
FOREIGN_KEYS_WITHOUT_INDEX = """
    select c.conrelid::regclass::text || '.' || c.conname as name
    from pg_constraint c
    where c.contype = 'f' and c.connamespace = 'public'::regnamespace and not exists (
        select 1 from pg_index i
        where i.indrelid = c.conrelid and i.indpred is null
          and (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(c.conkey)] @> c.conkey
    )
"""


def _names(conn: Connection, query: str) -> set[str]:
    return {row["name"] for row in execute(conn, query)}


TABLES = "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"


def test_a_tenant_database_has_every_table_of_the_architecture_document(tenant_conn: Connection) -> None:
    tables = _names(tenant_conn, TABLES)

    assert ARCHITECTURE_TABLES - tables == set()
    assert tables == ARCHITECTURE_TABLES | WORKFLOW_TABLES | OUR_CATALOGUES


def test_the_master_database_has_exactly_its_tables(master_conn: Connection) -> None:
    assert _names(master_conn, TABLES) == MASTER_TABLES


def test_every_tenant_table_has_row_level_security_on_and_a_policy(tenant_conn: Connection) -> None:
    open_tables = _names(tenant_conn, TABLES + " and not relrowsecurity")
    without_policy = _names(
        tenant_conn, TABLES + " and not exists (select 1 from pg_policy p where p.polrelid = pg_class.oid)"
    )

    assert open_tables == set()
    assert without_policy == set()


def test_anon_and_public_have_no_right_on_any_tenant_table_or_function(tenant_conn: Connection) -> None:
    rights = "has_table_privilege('anon', oid, 'select, insert, update, delete, truncate, references, trigger')"
    columns = "has_any_column_privilege('anon', oid, 'select, insert, update, references')"
    functions = (
        "select proname as name from pg_proc where pronamespace in ('public'::regnamespace, 'app'::regnamespace)"
        " and has_function_privilege('anon', oid, 'execute')"
    )

    assert _names(tenant_conn, TABLES + f" and ({rights} or {columns})") == set()
    assert _names(tenant_conn, functions) == set()


@pytest.mark.parametrize("database", ["master_conn", "tenant_conn"])
def test_every_table_says_what_it_is_for(database: str, request: pytest.FixtureRequest) -> None:
    conn: Connection = request.getfixturevalue(database)

    assert _names(conn, TABLES + " and obj_description(oid, 'pg_class') is null") == set()


@pytest.mark.parametrize("database", ["master_conn", "tenant_conn"])
def test_every_foreign_key_has_an_index(database: str, request: pytest.FixtureRequest) -> None:
    conn: Connection = request.getfixturevalue(database)

    assert _names(conn, FOREIGN_KEYS_WITHOUT_INDEX) == set()


@pytest.mark.parametrize("database", ["master_conn", "tenant_conn"])
def test_every_updated_at_is_kept_by_a_trigger(database: str, request: pytest.FixtureRequest) -> None:
    conn: Connection = request.getfixturevalue(database)
    forgotten = _names(
        conn,
        "select table_name as name from information_schema.columns"
        " where table_schema = 'public' and column_name = 'updated_at' and not exists ("
        "   select 1 from pg_trigger t where t.tgname = 'touch_updated_at'"
        "   and t.tgrelid = format('public.%I', table_name)::regclass)",
    )

    assert forgotten == set()


@pytest.mark.parametrize("database", ["master_conn", "tenant_conn"])
def test_every_function_that_runs_as_its_owner_fixes_its_search_path(
    database: str, request: pytest.FixtureRequest
) -> None:
    conn: Connection = request.getfixturevalue(database)
    loose = _names(
        conn,
        "select proname as name from pg_proc"
        " where pronamespace in ('public'::regnamespace, 'app'::regnamespace)"
        " and not coalesce(proconfig, '{}') @> array['search_path=\"\"']",
    )

    assert loose == set()


def test_every_timestamp_has_a_zone_and_all_money_is_in_cents(tenant_conn: Connection) -> None:
    columns = (
        "select table_name || '.' || column_name as name from information_schema.columns where table_schema = 'public'"
    )

    assert _names(tenant_conn, columns + " and data_type = 'timestamp without time zone'") == set()
    assert _names(tenant_conn, columns + " and column_name like '%\\_cents' and data_type <> 'bigint'") == set()
    assert _names(tenant_conn, columns + " and data_type in ('real', 'double precision', 'money')") == set()
