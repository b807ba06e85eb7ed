"""What the agency's own people must see to: clients who are not set up in time, and cards that could not be charged.

Lives here: the words, once an incident. Not here: setting up (`provisioning.py`), what the client itself hears
(`subscription_notices.py`), refused notices of payments (`payment_alerts.py`), who is told next (`escalation.py`).
"""

from collections.abc import Mapping
from typing import Any

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.payfast import rand, south_african_day
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.messages.escalation import raise_alert
from draggonnb_pipelines.workflows.messages.notices import Notice
from draggonnb_pipelines.workflows.publishing.publish_alerts import SETTLED


async def tell_agency_troubles(stack: Stack, organization: Organization) -> None:
    """Raise an alert for each client in trouble, close those whose trouble is over. Only for the agency itself."""
    if organization.slug != AGENCY_SLUG:
        return
    now = stack.now()
    async with stack.master.connection() as conn:
        stuck = [_stuck(row) async for row in ALERTS.stuck_clients(conn, now=now)]
        unpaid = [_unpaid(row) async for row in ALERTS.failed_payments(conn)]
    async with stack.tenants.open(organization) as tenant:
        for event, notices in (("provisioning_stuck", stuck), ("payment_failed", unpaid)):
            keys = [notice.event_key for notice in notices]
            await ALERTS.settle_others(tenant.conn, event=event, open_keys=keys, by=SETTLED, now=now)
    for notice in (*stuck, *unpaid):
        await raise_alert(stack, organization, notice)


def _stuck(row: Mapping[str, Any]) -> Notice:
    where = f" at {row['last_step']}" if row["last_step"] else ""
    return Notice(
        event_key=f"provisioning_stuck:{row['slug']}:{row['since']:%Y-%m-%dT%H:%M:%S}:{row['last_step'] or ''}",
        type="provisioning_stuck",
        subject=f"{row['name']} is not set up: {row['state']}{where}",
        lines=(
            row["last_error"] or "No step has failed; it takes longer than an hour.",
            "Mend the cause; then materialize the client's partition, or abort it: draggonnb tenant abort "
            f"{row['slug']}",
        ),
        roles=OWNERS,
    )


def _unpaid(row: Mapping[str, Any]) -> Notice:
    grace = f" until {south_african_day(row['grace_until'])}" if row["grace_until"] else ""
    return Notice(
        event_key=f"payment_failed:{row['id']}:{row['paid_until'] or ''}",
        type="payment_failed",
        subject=f"{row['name']} has not paid R{rand(row['amount_cents'])}",
        lines=(
            f"PayFast could not charge the card of {row['name']} for {row['plan_key']}. Nothing changes for the "
            f"client{grace}; then its account is suspended.",
            f"The client is reminded by itself. What is known: draggonnb billing show {row['slug']}",
        ),
        roles=OWNERS,
    )
