"""Where persons stand in our databases: the words of the tables, and which tables hold nobody.

Lives here: what a place is, and the list without persons; a test holds all three lists against both schemas. Not here:
the places themselves (`person_places_tenant.py`, `person_places_master.py`), the inbox, whose bodies are sealed
(`person_inbox.py`), the reading and erasing (`person_rows.py`). The SQL in them is ours alone; what an operator types
is only ever a parameter of it:
    %(addresses)s   text[], e-mail addresses and numbers      %(pattern)s   what finds them in a text
    %(contacts)s %(leads)s %(deals)s %(activities)s %(users)s   uuid[], the ids of the person's own rows
    %(organization)s   uuid                                   %(now)s   the moment

A row is emptied rather than deleted wherever something counts it.
Source of what is kept: Protection of Personal Information Act 4 of 2013, s 14(1); GDPR, Art. 17(3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import LiteralString

BOOKS = "Tax Administration Act 28 of 2011, s 29 (five years), and Companies Act 71 of 2008, s 24 (seven years)"
AGREEMENT = "an agreement, and who made it: Companies Act 71 of 2008, s 24 (seven years)"
PROOF = "proof of what was done, which the Protection of Personal Information Act 4 of 2013, s 17 asks for"


@dataclass(frozen=True, slots=True)
class Place:
    """Rows of one table that are a person's, or speak of one.

    Args:
        name: of its file in an export and of its line in a certificate.
        where: SQL over the alias `t`.
        empties: columns, each with the SQL that takes its place; the same again changes nothing.
        is_deleted: the rows go altogether: nothing counts them.
        kept: why nothing is emptied. Exactly one of the last three is given.
        hidden: columns that no export shows: secrets, and what is another person's.
    """

    name: str
    table: LiteralString
    where: LiteralString
    empties: Mapping[LiteralString, LiteralString] = field(default_factory=dict)
    is_deleted: bool = False
    kept: str = ""
    hidden: tuple[str, ...] = ()


def speaks(column: LiteralString) -> LiteralString:
    """The column's text names the person. JSON writes a line's end as two characters, which must not hide a word."""
    return "regexp_replace(lower(t." + column + "::text), '\\\\[bfnrt]', ' ', 'g') ~ %(pattern)s"


def names_lead(column: LiteralString) -> LiteralString:
    return "exists (select from unnest(%(leads)s::uuid[]) l where strpos(t." + column + "::text, l::text) > 0)"


# Tables that hold nobody, or nobody but the organization itself; the reason of the less obvious.
WITHOUT_PERSONS = {
    "master": {
        "agency_reports": "figures",
        "analytics_agenda": "",
        "api_calls": "",
        "app_quotas": "",
        "asset_ledger": "",
        "audit_head": "",
        "audit_log": "names rows, and operators by their login",
        "backups": "files; what is in them goes with their retention",
        "book_findings": "sums",
        "client_weeks": "figures",
        "database_servers": "",
        "inbox": "sealed bodies: `person_inbox.py`",
        "invoice_documents": "of `invoices`, and kept as they are",
        "invoice_series": "",
        "kickoff_calls": "a time",
        "message_batches": "ids of leads",
        "message_templates": "",
        "offboardings": "of the organization; goes with `tenant erase`",
        "organizations": "",
        "payfast_history_days": "",
        "payfast_transactions": "sums",
        "person_erasures": "the sealed subject goes with the last step",
        "plan_limits": "",
        "plan_prices": "",
        "plans": "",
        "publisher_shards": "",
        "publishing_agenda": "",
        "reprocessings": "operators by their login",
        "stack_resources": "of the organization; goes with `tenant erase`",
        "subscription_events": "of the organization",
        "subscription_orders": "of the organization",
        "subscriptions": "of the organization",
        "tenant_moves": "operators by their login",
        "vendor_credentials": "the agency's own",
        "vendor_limits": "",
        "vendor_plan_costs": "",
    },
    "tenant": {
        "analytics_snapshots": "figures",
        "audit_head": "",
        "brand_rules": "",
        "client_usage_metrics": "figures",
        "content_templates": "",
        "ecommerce_order_lines": "goods",
        "ecommerce_products": "",
        "invoices": "the organization's own",
        "n8n_webhooks": "",
        "onboarding_checklist": "",
        "onboarding_steps": "",
        "organizations": "",
        "platform_metrics": "figures",
        "posting_slots": "",
        "publish_answers": "who answered stands as the id of a user",
        "publish_attempts": "holds no bodies",
        "report_files": "figures",
        "social_accounts": "the organization's own accounts",
        "social_platforms": "",
        "subscription_history": "the organization's own",
        "usage_counters": "",
        "usage_reservations": "",
        "weekly_reports": "figures and public posts",
    },
}
