"""Where persons stand in a client's database, and what is left of them afterwards.

Lives here: the table. Not here: what its words mean (`person_places.py`), the master database.
"""

from typing import LiteralString

from draggonnb_pipelines.workflows.operations.person_places import AGREEMENT, BOOKS, PROOF, Place, names_lead, speaks

_BY_LEAD: LiteralString = "t.lead_id = any(%(leads)s)"
_BY_CONTACT: LiteralString = "t.contact_id = any(%(contacts)s)"
_ANONYMOUS_KEY: LiteralString = "case when " + speaks("event_key") + " then 'erased:' || t.id else t.event_key end"
# A row for somebody of the organization is theirs alone, also where a contact shares their number.
_TO_PERSON: LiteralString = (
    "((lower(t.recipient) = any(%(addresses)s) and t.user_id is null)"
    " or t.contact_id = any(%(contacts)s) or t.user_id = any(%(users)s))"
)
_NOT_SENT: LiteralString = (
    "case when t.status in ('pending', 'sending', 'unknown', 'needs_review') then 'skipped' else t.status end"
)
_QUICK_WIN: LiteralString = (
    '{"title": "erased", "why": "", "first_steps": [], "effort": "low", "impact": "low", "evidence": []}'
)
_ANALYSIS: LiteralString = (
    '\'{"summary": "erased", "sector": "", "company_size": "unknown", "strengths": [], "weaknesses": [], '
    '"quick_wins": [' + _QUICK_WIN + ", " + _QUICK_WIN + ", " + _QUICK_WIN + "]}'::jsonb"
    " || jsonb_build_object('lead_score', jsonb_build_object("
    "'score', t.content #> '{lead_score,score}', 'reasons', '[]'::jsonb))"
)

TENANT_PLACES = (
    Place(
        "contacts",
        "contacts",
        "t.id = any(%(contacts)s)",
        {
            "name": "null",
            "email": "null",
            "email_normalized": "null",
            "phone_e164": "null",
            "company": "null",
            "website": "null",
            "erased_at": "coalesce(t.erased_at, %(now)s)",
        },
    ),
    Place(
        "leads",
        "leads",
        _BY_CONTACT,
        {
            "company_name": "null",
            "website": "null",
            "message": "null",
            "qualification_data": "'{}'",
            "rule_score_reasons": "'[]'",
            "model_score_reasons": "'[]'",
            "review_reason": "null",
            "status": "case when t.status = 'won' then 'won' else 'lost' end",
        },
    ),
    Place("enquiries", "lead_events", _BY_LEAD, {"payload": "'{}'"}),
    Place("consents", "consents", _BY_CONTACT, {"wording": "'erased'"}),
    Place(
        "deals",
        "deals",
        _BY_CONTACT,
        {"title": "'erased'", "lost_reason": "case when t.lost_reason is not null then 'erased' end"},
    ),
    Place("activities", "activities", _BY_CONTACT, {"notes": "null"}),
    Place(
        "custom_fields",
        "client_custom_fields",
        "(t.entity, t.entity_id) in (select 'contact', unnest(%(contacts)s::uuid[])"
        " union select 'lead', unnest(%(leads)s::uuid[]) union select 'deal', unnest(%(deals)s::uuid[])"
        " union select 'activity', unnest(%(activities)s::uuid[]))",
        {"data": "'{}'"},
    ),
    Place(
        "company_profiles",
        "company_profiles",
        _BY_LEAD,
        {"website": "null", "company_name": "null", "facts": "'{}'", "findings": "'[]'"},
    ),
    Place("evidence", "evidence", _BY_LEAD, is_deleted=True),
    Place(
        "prompts_and_answers",
        "ai_generation_log",
        _BY_LEAD + " or " + speaks("prompt") + " or " + speaks("output"),
        {"prompt": "'{}'", "output": "null", "usable": "false"},
    ),
    Place(
        "analyses",
        "lead_analyses",
        _BY_LEAD,
        {
            "content": "case t.kind when 'business' then " + _ANALYSIS + " else "
            '\'{"market_note": "erased", "competitors": []}\' end'
        },
    ),
    Place(
        "proposals",
        "proposals",
        _BY_LEAD + " and t.status <> 'accepted'",
        {
            "title": "'erased'",
            "content": "'{}'",
            "html": "''",
            "html_sha256": "encode(sha256(''), 'hex')",
        },
    ),
    Place("accepted_proposals", "proposals", _BY_LEAD + " and t.status = 'accepted'", kept=AGREEMENT),
    Place(
        "messages_to_the_person",
        "notification_deliveries",
        _TO_PERSON,
        {
            "recipient": "'erased:' || t.id",
            "event_key": _ANONYMOUS_KEY,
            "payload": "'{}'",
            "message_id": "null",
            "vendor_message_id": "null",
            "last_error": "null",
            "status": _NOT_SENT,
        },
    ),
    Place(
        "messages_about_the_person",
        "notification_deliveries",
        "not coalesce(" + _TO_PERSON + ", false) and (" + _BY_LEAD + " or " + speaks("payload") + " or "
        "" + speaks("event_key") + " or " + speaks("last_error") + ")",
        {"event_key": _ANONYMOUS_KEY, "payload": "'{}'", "last_error": "null", "status": _NOT_SENT},
        hidden=("recipient", "user_id", "message_id", "vendor_message_id"),
    ),
    Place(
        "messages_in_the_app",
        "notifications",
        "t.user_id = any(%(users)s) or " + speaks("message") + " or " + speaks("metadata") + " or "
        "" + speaks("event_key") + " or " + names_lead("metadata") + " or " + names_lead("event_key"),
        {"message": "'erased'", "metadata": "'{}'", "event_key": _ANONYMOUS_KEY},
        hidden=("user_id",),
    ),
    Place(
        "alerts",
        "alerts",
        speaks("subject") + " or " + speaks("lines") + " or " + speaks("event_key") + " or "
        "" + speaks("link") + " or " + names_lead("event_key"),
        {
            "subject": "'erased'",
            "lines": "'[]'",
            "link": "null",
            "event_key": _ANONYMOUS_KEY,
            "acknowledged_by": "'erased'",
            "acknowledged_at": "coalesce(t.acknowledged_at, %(now)s)",
        },
    ),
    Place(
        "alerts_answered",
        "alerts",
        "lower(t.acknowledged_by) = any(%(addresses)s)",
        {"acknowledged_by": "'erased'"},
        hidden=("subject", "lines"),
    ),
    Place(
        "reviews",
        "review_decisions",
        "lower(t.reviewer) = any(%(addresses)s)",
        {"reviewer": "'erased'", "comment": "''"},
    ),
    Place(
        "content_requests",
        "content_requests",
        "lower(t.requested_by) = any(%(addresses)s) or " + speaks("brief"),
        {
            "requested_by": "case when lower(t.requested_by) <> all(%(addresses)s) then t.requested_by end",
            "brief": "case when " + speaks("brief") + " then 'erased' else t.brief end",
        },
    ),
    Place(
        "recurring_requests",
        "recurring_requests",
        "lower(t.request ->> 'requested_by') = any(%(addresses)s)",
        {"request": "t.request - 'requested_by'"},
    ),
    Place(
        "posts_taken_back",
        "content_queue",
        "lower(t.undo_by) = any(%(addresses)s)",
        {"undo_by": "'erased'"},
        hidden=("payload", "progress"),
    ),
    Place(
        "posts",
        "social_posts",
        speaks("title") + " or " + speaks("content") + " or " + speaks("variants"),
        kept="what the organization wrote for the public: it changes the post, or takes it back (`publish undo`)",
    ),
    Place("refused_addresses", "refused_addresses", "t.address = any(%(addresses)s)", is_deleted=True),
    Place("preferences", "notification_preferences", "t.user_id = any(%(users)s)", is_deleted=True),
    Place("permissions", "user_permissions", "t.user_id = any(%(users)s)", is_deleted=True),
    Place(
        "users",
        "users",
        "t.id = any(%(users)s)",
        {
            "email": "'erased-' || t.id || '@erased.invalid'",
            "full_name": "null",
            "phone_e164": "null",
            "auth_user_id": "null",
            "is_active": "false",
            "notify_leads": "false",
            "quiet_from": "null",
            "quiet_until": "null",
        },
    ),
    Place("viewings", "real_estate_viewings", _BY_CONTACT, {"feedback": "null"}),
    Place(
        "orders",
        "ecommerce_orders",
        _BY_CONTACT,
        kept="what was bought and paid, by a contact without a name: " + BOOKS,
    ),
    Place(
        "listings",
        "real_estate_listings",
        "t.seller_contact_id = any(%(contacts)s)",
        kept="the property of a contact without a name; the organization withdraws it",
    ),
    Place(
        "audit_log",
        "audit_log",
        "t.user_id = any(%(users)s) or " + speaks("actor") + " or " + speaks("metadata"),
        kept=PROOF,
    ),
)
