"""Mailboxes that do not exist: learnt from refusals and from reports of non-delivery, told to the owners once.

Lives here: what a report changes, and the notice. Not here: reading the report (`domain/bounces.py`), refusals while a
mail is handed over and the refusal to send there again (`outbox.py`).
"""

from datetime import datetime, timedelta

from draggonnb_pipelines.domain.bounces import Bounce
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.notices import Notice, tell
from draggonnb_pipelines.workflows.messages.outbox import NOTIFICATIONS
from draggonnb_pipelines.workflows.messages.outgoing_mail import NO_SUCH_MAILBOX

ORGANIZATIONS = load_queries("organizations")
TOLD_FOR = timedelta(days=3)  # how long a notice that a killed run did not get to is made up for


async def apply_bounce(master: MasterDb, tenants: Tenants, bounce: Bounce, *, now: datetime) -> bool:
    """Note that a mail did not arrive; whether it is one of ours. A report that comes twice changes nothing.

    Only the mailbox that the report names is taken for one that does not exist: a mail that its reader's own forwarding
    lost has been read.

    Raises:
        TenantUnavailable, psycopg.OperationalError: a database is away.
    """
    async with master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=bounce.slug)
    if row is None:
        return False
    error = f"it came back: {bounce.status}"
    async with tenants.open(Organization(**row)) as tenant, tenant.conn.transaction():
        found = await NOTIFICATIONS.bounced(tenant.conn, message_id=bounce.message_id, error=error)
        if found and bounce.status in NO_SUCH_MAILBOX and found["recipient"].lower() in bounce.addresses:
            await NOTIFICATIONS.refuse_addresses(
                tenant.conn, addresses=[found["recipient"].lower()], reasons=[error], now=now
            )
    return found is not None


async def tell_refusals(stack: Stack, organization: Organization) -> None:
    """Tell the owners of each mailbox that turned out not to exist, once; an owner's own is told in the app."""
    async with stack.tenants.open(organization) as tenant:
        since = stack.now() - TOLD_FOR
        refusals = [row async for row in NOTIFICATIONS.untold_refusals(tenant.conn, since=since)]
    notices = [
        Notice(
            event_key=f"address_refused:{row['address']}:{row['refused_on']}",
            type="address_refused",
            subject=f"No mail reaches {row['address']}",
            lines=(
                f"Its mail server says that there is no such mailbox ({row['reason']}).",
                "We send nothing there any more. Please correct the address of that person.",
            ),
            roles=("owner",),
        )
        for row in refusals
    ]
    await tell(stack, organization, notices)
