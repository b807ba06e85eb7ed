"""The tables from which nothing goes by the clock, each with the reason.

Lives here: the list. Not here: the tables that have a retention (`retention.py`); a test holds that each table of both
schemas is in one of the two.
"""

from dataclasses import dataclass

from draggonnb_pipelines.domain.retention import Database


@dataclass(frozen=True, slots=True)
class Kept:
    """A table from which nothing goes by the clock."""

    database: Database
    table: str
    why: str


_BOOKS = "the books: Tax Administration Act 28 of 2011, s 29 (5 years), Companies Act 71 of 2008, s 24 (7 years)"
_PROOF = "proof of what was done, and a chain without gaps"
_CATALOGUE = "a catalogue of ours; holds no persons"
_SETTING = "the client's own settings"
_OWN = "the client's own records: it decides; `person erase` takes one person out"
_LEDGER = "the ledger that keeps a post from going out twice, and says who approved it"
_FIGURES = "figures without persons"
_ONE_ROW = "one row for each thing that it is about, written over"

KEPT = (
    *(Kept("master", table, _CATALOGUE) for table in ("plans", "plan_prices", "plan_limits", "vendor_plan_costs")),
    *(
        Kept("master", table, _BOOKS)
        for table in (
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
        )
    ),
    *(
        Kept("master", table, _ONE_ROW)
        for table in (
            "publisher_shards",
            "publishing_agenda",
            "app_quotas",
            "analytics_agenda",
            "message_templates",
            "vendor_credentials",
            "vendor_limits",
            "database_servers",
        )
    ),
    *(Kept("master", table, _PROOF) for table in ("audit_log", "audit_head", "offboardings", "person_erasures")),
    *(Kept("master", table, _FIGURES) for table in ("asset_ledger", "client_weeks", "agency_reports")),
    *(
        Kept("master", table, "what was made for a client at which vendor; `tenant erase` empties it")
        for table in ("stack_resources", "provisionings", "kickoff_calls")
    ),
    Kept("master", "organizations", "a slug is never given again; the key of one that left is destroyed"),
    Kept("master", "backups", "what each backup held; its files have a retention of their own"),
    Kept("master", "tenant_moves", "where a client's database was and is; a few rows for each client"),
    *(
        Kept("tenant", table, _OWN)
        for table in (
            "users",
            "user_permissions",
            "contacts",
            "leads",
            "consents",
            "deals",
            "activities",
            "client_custom_fields",
            "company_profiles",
            "lead_analyses",
            "proposals",
            "ecommerce_products",
            "ecommerce_orders",
            "ecommerce_order_lines",
            "real_estate_listings",
            "real_estate_viewings",
        )
    ),
    *(
        Kept("tenant", table, _LEDGER)
        for table in ("content_requests", "social_posts", "content_queue", "review_decisions")
    ),
    *(
        Kept("tenant", table, _SETTING)
        for table in (
            "organizations",
            "notification_preferences",
            "social_accounts",
            "content_templates",
            "brand_rules",
            "posting_slots",
            "recurring_requests",
            "n8n_webhooks",
            "onboarding_checklist",
        )
    ),
    *(Kept("tenant", table, _CATALOGUE) for table in ("social_platforms", "onboarding_steps")),
    *(Kept("tenant", table, _FIGURES) for table in ("analytics_snapshots", "weekly_reports", "usage_counters")),
    *(Kept("tenant", table, _BOOKS) for table in ("subscription_history", "invoices")),
    *(Kept("tenant", table, _PROOF) for table in ("audit_log", "audit_head")),
    Kept("tenant", "refused_addresses", "nothing is sent there as long as it stands; `person erase` removes it"),
)
