"""What a client hears of its subscription, and the copies of it in the client's own database.

Lives here: the words, whose outbox carries them, the copying. Not here: what happened (`subscription_changes.py`).
Both follow from the history and may be repeated: each event is told once by its key, and copied once.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import rand, south_african_day
from draggonnb_pipelines.domain.provisioning import host_name
from draggonnb_pipelines.domain.subscriptions import Subscription
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS, agency_of
from draggonnb_pipelines.workflows.billing.subscription_changes import SUBSCRIPTIONS
from draggonnb_pipelines.workflows.messages.notices import Notice, tell

# In the other statuses a client's database is not there yet, paused, or gone.
SERVED = frozenset({"active", "suspended"})
TOLD_FOR = timedelta(days=3)  # what a run that was killed left untold is told by the next ones
LATE = frozenset({"past_due", "payment_reminder", "payment_last_warning", "suspended"})
WORDS: Mapping[str, tuple[str, str]] = {
    "past_due": (
        "Your payment did not come in",
        "PayFast could not charge your card with R{amount} for {plan}. Nothing changes for you until {grace}; PayFast "
        "tries again by itself, and with the link below you can give another card.",
    ),
    "payment_reminder": (
        "Your payment is still open",
        "R{amount} for {plan} could not be charged yet. Please give another card by {grace}.",
    ),
    "payment_last_warning": (
        "Tomorrow your account is suspended",
        "R{amount} for {plan} is still open. On {grace} your account stops working; another card keeps it going.",
    ),
    "suspended": (
        "Your account is suspended",
        "R{amount} for {plan} was not paid, so nothing is published any more. Your data is safe: as soon as the "
        "payment comes in, all goes on by itself.",
    ),
    "trial_ending": (
        "Your trial ends on {trial_end}",
        "From then on R{amount} a month is charged for {plan}. You need not do anything to go on.",
    ),
    "cancelled": (
        "Your subscription is cancelled",
        "Nothing more is charged. What you have paid for works until {paid_until}.",
    ),
    "expired": ("Your account has ended", "What was paid for has run out on {paid_until}, after your cancellation."),
    "paused": ("Your subscription is paused", "No charges until {paused_until}; it works until {paid_until}."),
    "unpaused": ("Your subscription goes on", "It is charged again from the next date on."),
    "plan_changed": ("Your plan changes", "{what}"),
}


async def tell_client(stack: Stack, organization: Organization, subscription: Subscription, token: str | None) -> None:
    """Mail the owner what the last days' history says; once each.

    Raises:
        TenantUnavailable: the outbox's database is away; it is told by a later run.
    """
    since = stack.now() - TOLD_FOR
    async with stack.master.connection() as conn:
        kinds = [kind for kind in WORDS if kind not in LATE or subscription.status in ("past_due", "suspended")]
        found = SUBSCRIPTIONS.events_since(conn, subscription_id=subscription.id, since=since, kinds=kinds)
        events = [row async for row in found]
        owner = await SUBSCRIPTIONS.owner_of(conn, organization_id=organization.id) if events else None
    if not events or organization.status == "closed":
        return
    # Before the client has a database, and once it is put away, the agency's outbox carries it.
    sender = organization if _has_database(organization) else await agency_of(stack)
    if sender is None:
        return
    emails = (owner["owner_email"],) if owner else ()
    roles = OWNERS if sender is organization else ()
    link = None
    if token:
        home = f"https://{host_name(organization.slug, stack.settings.vercel_domain)}"
        link = stack.payfast.card_update_url(token, home)
    await tell(stack, sender, [_notice(event, subscription, link, emails, roles) for event in events])


async def copy_to_client(stack: Stack, organization: Organization, subscription: Subscription) -> int:
    """The history that is new, the plan and its limits, into the client's database; how many events.

    Raises:
        TenantUnavailable: it is away; they are copied by a later run.
    """
    if not _has_database(organization):
        return 0
    day = south_african_day(stack.now())
    async with stack.master.connection() as conn:
        events = [row async for row in SUBSCRIPTIONS.events_to_copy(conn, subscription_id=subscription.id)]
        limits = SUBSCRIPTIONS.limits_of_plan(conn, plan_key=subscription.plan_key, day=day)
        allowed = {row["metric"]: row["limit_value"] async for row in limits}
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        for event in events:
            copied = {name: value for name, value in event.items() if name != "id"}
            await SUBSCRIPTIONS.copy_history(tenant.conn, **copied)
        await SUBSCRIPTIONS.put_plan(tenant.conn, plan_key=subscription.plan_key, limits=Jsonb(allowed))
    async with stack.master.connection() as conn:
        await SUBSCRIPTIONS.events_copied(conn, ids=[event["id"] for event in events], now=stack.now())
    return len(events)


def _has_database(organization: Organization) -> bool:
    return bool(organization.database_name or organization.dsn_sealed) and organization.status in SERVED


def _notice(
    event: Mapping[str, Any], now: Subscription, link: str | None, emails: tuple[str, ...], roles: tuple[str, ...]
) -> Notice:
    subject, text = WORDS[event["kind"]]
    values = {
        "amount": rand(now.amount_cents),
        "plan": now.plan_key.replace("_", " ").title(),
        "grace": "soon" if now.grace_until is None else f"{south_african_day(now.grace_until)}",
        "trial_end": now.trial_ends_on,
        "paid_until": now.paid_until,
        "paused_until": now.paused_until or "you take it up again",
        "what": event["details"].get("what", ""),
    }
    return Notice(
        event["event_key"],
        f"subscription_{event['kind']}",
        subject.format(**values),
        (text.format(**values),),
        link=link if event["kind"] in LATE else None,
        emails=emails,
        roles=roles,
    )
