"""The states of the master database's tables: which end by themselves, which may last, and which may get stuck.

Lives here: the table, as data. Not here: what its words mean (`stuck_states.py`), clients' tables (`tenant_states.py`).
"""

from datetime import timedelta

from draggonnb_pipelines.domain.stuck_states import Moving, StateColumn

# What belongs to a client that is suspended waits until the client pays; its work is not done meanwhile.
_OF_ACTIVE = "exists (select from organizations o where o.id = t.organization_id and o.status = 'active')"

MASTER_STATES = (
    StateColumn(
        "master",
        "organizations",
        "status",
        ended=("closed",),
        lasting={"active": "it is served", "suspended": "until it pays, or its subscription expires"},
        watched={"provisioning": "nobody_is_stuck", "offboarding": "nobody_is_stuck"},
    ),
    StateColumn(
        "master",
        "inbox",
        "state",
        ended=("done",),
        watched={"dead": "no_dead_deliveries"},
        moving=(
            Moving(
                ("received",),
                since="greatest(t.received_at, t.not_before)",
                limit=timedelta(hours=2),
                moved_by="the sensor of its topic and the run that it asks for",
                remedy="Look at the daemon and the runs of the topic: draggonnb inbox list --state received",
                where=_OF_ACTIVE,
            ),
            Moving(
                ("claimed",),
                since="t.lease_until",
                limit=timedelta(minutes=30),
                moved_by="its run; a lease that ran out is given to the next run",
                remedy="No run takes up what a dead one left: look at the daemon and its sensors",
                where=_OF_ACTIVE,
            ),
        ),
    ),
    StateColumn(
        "master",
        "message_batches",
        "state",
        ended=("stored", "failed"),
        moving=(
            Moving(
                ("intent", "submitted", "ended"),
                since="t.created_at",
                limit=timedelta(hours=30),
                moved_by="the reprocessing that asked; Claude ends a batch within 24 hours",
                remedy="Look at the last runs of reprocess_leads; asking for the same days again takes the batch up",
            ),
        ),
    ),
    StateColumn(
        "master",
        "reprocessings",
        "state",
        ended=("done", "failed"),
        moving=(
            Moving(
                ("open",),
                since="t.next_attempt_at",
                limit=timedelta(hours=3),
                moved_by="the sensor reprocessing_requests",
                remedy="Look at the sensor reprocessing_requests and the queue of runs",
            ),
        ),
    ),
    StateColumn(
        "master",
        "subscriptions",
        "status",
        ended=("expired",),
        lasting={
            "active": "until PayFast no longer charges it",
            "suspended": "until it pays or cancels; the client is reminded",
        },
        moving=(
            Moving(
                ("pending",),
                since="t.created_at",
                limit=timedelta(days=2),
                moved_by="the payment that began it, within the same run",
                remedy="Look at its payments: draggonnb billing show CLIENT",
            ),
            Moving(
                ("trial",),
                since="t.trial_ends_on::timestamptz",
                limit=timedelta(days=3),
                moved_by="the daily books, after the last day of the trial",
                remedy="Look at the run of keep_books with the config `daily`",
            ),
            Moving(
                ("past_due",),
                since="t.grace_until",
                limit=timedelta(days=2),
                moved_by="the daily books, after the days of grace",
                remedy="Look at the run of keep_books with the config `daily`",
            ),
            Moving(
                ("paused",),
                since="t.paused_until::timestamptz",
                limit=timedelta(days=3),
                moved_by="the daily books, on the day of the first charge",
                remedy="Compare it with PayFast: draggonnb billing show CLIENT",
            ),
            Moving(
                ("cancelled",),
                since="t.paid_until::timestamptz",
                limit=timedelta(days=3),
                moved_by="the daily books, after the last day that is paid for",
                remedy="Look at the run of keep_books with the config `daily`",
            ),
        ),
    ),
    StateColumn(
        "master",
        "payments",
        "state",
        ended=("applied", "rejected", "settled"),
        watched={
            "received": "payments_are_clear",
            "verified": "payments_are_clear",
            "needs_review": "payments_are_clear",
        },
    ),
    StateColumn(
        "master",
        "invoices",
        "status",
        ended=("paid", "void"),
        lasting={"issued": "it is made out with the payment; the books say what is missing"},
    ),
    StateColumn(
        "master",
        "checkouts",
        "state",
        ended=("paid", "superseded", "expired"),
        lasting={"open": "nobody need buy; after `expires_at` its page sells nothing"},
    ),
    StateColumn(
        "master",
        "subscription_orders",
        "state",
        ended=("done", "refused"),
        watched={
            "waiting": "payments_are_clear",
            "calling": "payments_are_clear",
            "unknown": "payments_are_clear",
            "needs_review": "the alert subscription_order",
        },
    ),
    StateColumn(
        "master",
        "provisionings",
        "state",
        ended=("done", "aborted"),
        watched=dict.fromkeys(("waiting", "running", "failed", "aborting"), "nobody_is_stuck"),
    ),
    StateColumn(
        "master",
        "offboardings",
        "state",
        ended=("erased",),
        watched=dict.fromkeys(("exporting", "grace", "erasing", "withdrawn"), "nobody_is_stuck"),
    ),
    StateColumn(
        "master",
        "stack_resources",
        "state",
        ended=("removed",),
        lasting={
            "ready": "it is used",
            "intent": "its step has not begun; the client's own state is watched",
            "removing": "the client's own state is watched",
        },
        watched={"failed": "nobody_is_stuck", "needs_review": "nobody_is_stuck"},
        moving=(
            Moving(
                ("calling", "unknown"),
                since="t.attempt_started_at",
                limit=timedelta(hours=2),
                moved_by="the run of set_up_clients that holds the client; the next one finds it by its mark",
                remedy="Materialize the client's partition of that step again: it looks for its mark first",
            ),
        ),
    ),
    StateColumn(
        "master",
        "backups",
        "state",
        ended=("done", "failed", "expired"),
        moving=(
            Moving(
                ("running",),
                since="t.started_at",
                limit=timedelta(hours=6),
                moved_by="the run of back_up_databases that takes it",
                remedy="Look at the disk and the last runs of back_up_databases; then: draggonnb backup create",
            ),
        ),
    ),
    StateColumn(
        "master",
        "tenant_moves",
        "state",
        ended=("moved", "abandoned"),
        moving=(
            Moving(
                ("copying",),
                since="t.updated_at",
                limit=timedelta(hours=1),
                moved_by="whoever moves the client; it is not served meanwhile",
                remedy="Say the same again, or give it up by moving it to where it is: draggonnb tenant move CLIENT",
            ),
        ),
    ),
    StateColumn(
        "master",
        "person_erasures",
        "state",
        ended=("erased",),
        moving=(
            Moving(
                ("erasing",),
                since="t.created_at",
                limit=timedelta(days=1),
                moved_by="whoever asked for the erasure; asking again completes it",
                remedy="Ask for the erasure once more: draggonnb person erase",
            ),
        ),
    ),
    StateColumn(
        "master",
        "analytics_agenda",
        "measure_at",
        moving=(
            Moving(
                (),
                since="t.measure_at",
                limit=timedelta(hours=3),
                moved_by="the sensor numbers_due and the daily run",
                remedy="Look at the runs of collect_analytics",
                where=_OF_ACTIVE,
            ),
        ),
    ),
    StateColumn(
        "master",
        "invoices",
        "mailed_at",
        moving=(
            Moving(
                (),
                since="t.issued_at",
                limit=timedelta(days=2),
                moved_by="the books, with each of their runs",
                remedy="Look at the runs of keep_books and at the client's address: draggonnb billing show CLIENT",
                where=f"t.mailed_at is null and {_OF_ACTIVE}",
            ),
        ),
    ),
)
