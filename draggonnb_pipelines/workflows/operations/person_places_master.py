"""Where persons stand in the master database, and what is left of them afterwards; each place is one organization's.

Lives here: the table. Not here: what its words mean (`person_places.py`), the inbox (`person_inbox.py`).
"""

from typing import LiteralString

from draggonnb_pipelines.workflows.operations.person_places import AGREEMENT, BOOKS, Place, speaks

# The contract that a person signed for, as long as it runs.
_RUNS: LiteralString = (
    "exists (select from subscriptions s where s.id = t.subscription_id"
    " and s.status in ('pending', 'trial', 'active', 'past_due', 'suspended', 'paused'))"
)
_BUYER: LiteralString = (
    "t.seller_id = %(organization)s and (lower(t.contact_email) = any(%(addresses)s)"
    " or " + speaks("contact_phone") + " or t.lead_id = any(%(leads)s))"
)

MASTER_PLACES = (
    Place(
        "review_links",
        "review_links",
        "t.organization_id = %(organization)s and lower(t.reviewer) = any(%(addresses)s)",
        is_deleted=True,
        hidden=("token_sha256",),
    ),
    Place(
        "proposal_links",
        "proposal_links",
        "t.organization_id = %(organization)s and t.accepted_at is null and t.lead_id = any(%(leads)s)",
        {"expires_at": "least(t.expires_at, t.created_at)"},
        hidden=("token_sha256",),
    ),
    Place(
        "acceptances",
        "proposal_links",
        "t.organization_id = %(organization)s and t.accepted_at is not null"
        " and (t.lead_id = any(%(leads)s) or lower(t.accepted_by_email) = any(%(addresses)s))",
        kept=AGREEMENT,
        hidden=("token_sha256",),
    ),
    Place(
        "checkouts",
        "checkouts",
        "(" + _BUYER + ") and not " + _RUNS,
        {
            "company": "'erased'",
            "contact_name": "'erased'",
            "contact_email": "'erased'",
            "contact_phone": "null",
            "state": "case when t.state = 'open' then 'expired' else t.state end",
        },
        hidden=("token_sha256",),
    ),
    Place(
        "checkouts_of_running_subscriptions",
        "checkouts",
        "(" + _BUYER + ") and " + _RUNS,
        kept="whom the invoices of a running subscription go to; it ends with `billing cancel`, then say this again",
        hidden=("token_sha256",),
    ),
    Place(
        "provisionings",
        "provisionings",
        "t.organization_id = %(organization)s and (lower(t.owner_email) = any(%(addresses)s)"
        " or " + speaks("owner_phone") + ")",
        kept="the owner on record of a client; goes with `tenant erase`",
    ),
    Place(
        "invoices",
        "invoices",
        "t.organization_id = %(organization)s and " + speaks("buyer"),
        kept=BOOKS,
        hidden=("token_sha256",),
    ),
    Place(
        "payments",
        "payments",
        "t.id in (select i.payment_id from invoices i where i.organization_id = %(organization)s"
        " and regexp_replace(lower(i.buyer::text), '\\\\[bfnrt]', ' ', 'g') ~ %(pattern)s)",
        kept=BOOKS,
        hidden=("raw_sealed", "raw_sha256", "token_sha256", "source_ip"),
    ),
)
