"""The states of a client's tables: which end by themselves, which may last, and which may get stuck.

Lives here: the table, as data, with the modules that only some clients have. Not here: what its words mean
(`stuck_states.py`), the master's tables (`master_states.py`).
"""

from datetime import timedelta

from draggonnb_pipelines.domain.stuck_states import Moving, StateColumn

_PUBLISHER = "publish_due_posts, every quarter of an hour and by the sensor publishing_agenda"
_LOOK_AT_PUBLISHER = "Look at the runs of publish_due_posts: draggonnb publish queue CLIENT"
# Of accounts that can publish: the others wait for a person, who was told.
_CAN_PUBLISH = (
    "exists (select from social_accounts a where a.id = t.account_id and a.status = 'connected'"
    " and coalesce(a.paused_until, '-infinity') <= %(now)s)"
    " and not exists (select from content_queue b where b.post_id = t.post_id and b.account_id = t.account_id"
    " and b.revision = t.revision and b.part < t.part and b.status <> 'published')"
)
_HAS_OPEN_ROWS = (
    "exists (select from content_queue q where q.post_id = t.id and q.status in"
    " ('scheduled', 'claimed', 'calling', 'unknown', 'needs_review', 'undo_requested'))"
)
_PEOPLE = "people decide about it"

TENANT_STATES = (
    StateColumn(
        "tenant",
        "leads",
        "status",
        ended=("won", "lost"),
        lasting={"proposed": _PEOPLE, "contacted": _PEOPLE, "needs_review": "people were told, and decide"},
        moving=(
            Moving(
                ("new", "analysed"),
                since="t.created_at",
                limit=timedelta(days=1),
                moved_by="the run of qualify_leads that captured it",
                remedy="Look for its delivery: draggonnb inbox list, then draggonnb inbox replay ID",
                where="exists (select from lead_events e where e.lead_id = t.id and e.inbox_id is not null)"
                " and exists (select from contacts c where c.id = t.contact_id and c.erased_at is null)",
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "deals",
        "stage",
        ended=("won", "lost"),
        lasting={"qualified": _PEOPLE, "proposal": _PEOPLE, "negotiation": _PEOPLE},
    ),
    StateColumn(
        "tenant",
        "company_profiles",
        "status",
        ended=(*("ok", "no_website", "unreachable", "refused", "robots_disallowed", "too_large", "not_html", "error"),),
    ),
    StateColumn(
        "tenant",
        "proposals",
        "status",
        ended=("accepted", "superseded"),
        lasting={"draft": "a draft beside a link that is out is not sent", "sent": "nobody need accept"},
    ),
    StateColumn(
        "tenant",
        "notification_deliveries",
        "status",
        ended=("delivered", "failed", "skipped"),
        lasting={"sent": "mail tells of no arrival"},
        watched={"needs_review": "messages_go_out"},
        moving=(
            Moving(
                ("pending",),
                since="greatest(t.created_at, t.not_before)",
                limit=timedelta(hours=2),
                moved_by="the run that planned it, then look_after_clients every quarter of an hour",
                remedy="Look at the mail server and WhatsApp: draggonnb doctor",
                reaper="outbox",
            ),
            Moving(
                ("sending",),
                since="t.lease_until",
                limit=timedelta(minutes=30),
                moved_by="the run that sends it; one that was cut off is settled by the next",
                remedy="Look at the runs of look_after_clients",
                reaper="outbox",
            ),
            Moving(
                ("unknown",),
                since="coalesce(t.settle_after, t.attempt_started_at, t.created_at)",
                limit=timedelta(days=2),
                moved_by="a status webhook of WhatsApp, or a day's patience",
                remedy="Look into WhatsApp Manager whether it went out",
                reaper="outbox",
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "social_accounts",
        "status",
        lasting={"connected": "it publishes", "disconnected": "until somebody connects it again"},
        watched=dict.fromkeys(("reconnect_needed", "permission_missing", "blocked"), "the alert account_trouble"),
    ),
    StateColumn(
        "tenant",
        "social_posts",
        "status",
        ended=("rejected", "published", "partly_published", "failed", "withdrawn", "archived"),
        lasting={"draft": _PEOPLE, "blocked": _PEOPLE, "changes_requested": _PEOPLE},
        watched={"in_review": "the notices review_reminder and review_escalated"},
        moving=(
            Moving(
                ("approved",),
                since="t.approved_at",
                limit=timedelta(hours=2),
                moved_by=_PUBLISHER,
                remedy=_LOOK_AT_PUBLISHER,
                where="t.scheduled_for is not null and not exists (select from content_queue q where q.post_id = t.id"
                " and q.revision <> t.revision and (q.status in ('calling', 'unknown')"
                " or (q.status = 'needs_review' and q.attempts > 0)))",
            ),
            Moving(
                ("scheduled",),
                since="greatest(t.scheduled_for, t.updated_at)",
                limit=timedelta(hours=2),
                moved_by=f"{_PUBLISHER}: a post is closed with its last row",
                remedy="None of its rows is open any more, and nobody closed it: draggonnb publish queue CLIENT",
                where=f"not {_HAS_OPEN_ROWS}",
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "content_queue",
        "status",
        ended=("published", "refused", "cancelled", "dropped", "undone"),
        watched={"needs_review": "the alert publish_needs_review"},
        moving=(
            Moving(
                ("scheduled",),
                since="t.due_at",
                limit=timedelta(hours=1),
                moved_by=_PUBLISHER,
                remedy=_LOOK_AT_PUBLISHER,
                where=_CAN_PUBLISH,
            ),
            Moving(
                ("claimed", "calling"),
                since="t.lease_until",
                limit=timedelta(minutes=30),
                moved_by="the run that holds it; what a dead one held is freed, or read back, by the next",
                remedy=_LOOK_AT_PUBLISHER,
                reaper="publish_ledger",
            ),
            Moving(
                ("unknown", "undo_requested"),
                since="t.due_at",
                limit=timedelta(hours=1),
                moved_by=_PUBLISHER,
                remedy=_LOOK_AT_PUBLISHER,
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "publish_answers",
        "applied_at",
        moving=(
            Moving(
                (),
                since="t.created_at",
                limit=timedelta(hours=1),
                moved_by="look_after_clients, every quarter of an hour",
                remedy="Answer it yourself: draggonnb publish answer CLIENT ROW",
                reaper="answers",
                where="t.applied_at is null",
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "social_accounts",
        "refresh_started_at",
        moving=(
            Moving(
                (),
                since="t.lease_until",
                limit=timedelta(hours=1),
                moved_by="the run that refreshes the token; one that was cut off is settled by the next",
                remedy="Have the account connected again: draggonnb account list CLIENT",
                reaper="tokens",
                where="t.refresh_started_at is not null",
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "usage_reservations",
        "state",
        ended=("committed", "released"),
        moving=(
            Moving(
                ("held",),
                since="t.expires_at",
                limit=timedelta(hours=1),
                moved_by="the work that holds it; the next reservation of the same kind frees what is over",
                remedy="Nothing: it only takes up room of the plan, and the next look frees it",
                reaper="reservations",
            ),
        ),
    ),
    StateColumn(
        "tenant",
        "content_requests",
        "status",
        ended=("generated", "refused"),
        lasting={"needs_review": "people were told, and decide"},
        moving=(
            Moving(
                ("received",),
                since="t.received_at",
                limit=timedelta(hours=6),
                moved_by="the run of generate_content that stored it",
                remedy="Look for its delivery: draggonnb inbox list, then draggonnb inbox replay ID",
            ),
        ),
    ),
    # What was, and copies of what the master holds.
    StateColumn(
        "tenant",
        "subscription_history",
        "status",
        ended=("pending", "trial", "active", "past_due", "suspended", "paused", "cancelled", "expired"),
    ),
    StateColumn("tenant", "invoices", "status", ended=("issued", "paid", "void")),
)

# Of modules that some clients have; all of it is decided by people.
MODULE_STATES = (
    StateColumn(
        "tenant",
        "ecommerce_orders",
        "status",
        ended=("delivered", "cancelled", "refunded"),
        lasting={"placed": _PEOPLE, "paid": _PEOPLE, "shipped": _PEOPLE},
    ),
    StateColumn(
        "tenant",
        "real_estate_listings",
        "status",
        ended=("sold", "let", "withdrawn"),
        lasting={"draft": _PEOPLE, "available": _PEOPLE, "under_offer": _PEOPLE},
    ),
    StateColumn(
        "tenant",
        "real_estate_viewings",
        "status",
        ended=("held", "missed", "cancelled"),
        lasting={"planned": _PEOPLE},
    ),
)
