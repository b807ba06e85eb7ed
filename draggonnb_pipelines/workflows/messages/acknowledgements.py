"""What the link in an alert's mail stands for, and the answer by it or by WhatsApp: this is being seen to.

Lives here: the link's token, what is behind it, the text that answers, the acknowledgement. It needs the databases
alone, since the API answers and calls no vendor. Not here: raising alerts and moving them up (`escalation.py`), the
page (`api/alerts.py`), acknowledging in the client's app (`acknowledge_alert` in the tenant's schema).
"""

import base64
import binascii
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.resources.postgres import MasterDb, TenantDb, Tenants
from draggonnb_pipelines.resources.vault import SealBroken, TenantKey
from draggonnb_pipelines.sql import load_queries

ALERTS = load_queries("alerts")
ORGANIZATIONS = load_queries("organizations")
CONTEXT = "alert_link"
MAX_TOKEN = 1000
# The first block of an alert's id will do, or the whole of it.
_ANSWER = re.compile(r"ack\s+(?P<slug>[a-z0-9-]{1,63})\s+(?P<code>[0-9a-f]{8}[0-9a-f-]{0,28})", re.ASCII)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedAlert:
    """An alert as one reader's link shows it.

    Args:
        reader: their e-mail address.
        home: the organization that they belong to: the alert's own, or the agency.
        may_answer: they are still an active person there.
    """

    organization: Organization
    alert: Mapping[str, Any]
    reader: str
    home: Organization
    may_answer: bool


def alert_token(key: TenantKey, organization: Organization, alert_id: UUID, email: str, home: Organization) -> str:
    """The secret of one reader's link: `<slug>.<sealed>`. Nothing of it is stored; nobody else can make or read it."""
    content = json.dumps([str(alert_id), email, home.slug]).encode()
    sealed = base64.urlsafe_b64encode(key.seal(content, CONTEXT)).rstrip(b"=").decode()
    return f"{organization.slug}.{sealed}"


async def open_alert(master: MasterDb, tenants: Tenants, token: str) -> OpenedAlert | None:
    """What this token stands for; None if it is none of ours, or the client or the alert is gone.

    Raises:
        TenantUnavailable: a database does not answer.
    """
    slug, _, sealed = token.partition(".")
    if not sealed or len(token) > MAX_TOKEN or not (token.isascii() and token.isprintable()):
        return None
    organization = await _organization(master, slug)
    if organization is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        alert_id, reader, home_slug = json.loads(tenants.key(organization).open(raw, CONTEXT))
    except (SealBroken, binascii.Error, ValueError):
        return None
    home = organization if home_slug == organization.slug else await _organization(master, AGENCY_SLUG)
    if home is None or home.slug != home_slug:
        return None
    async with tenants.open(organization) as tenant:
        alert = await ALERTS.one_alert(tenant.conn, id=UUID(alert_id))
        is_active = await _is_active(tenant, reader) if home is organization else False
    if home is not organization:
        async with tenants.open(home) as tenant:
            is_active = await _is_active(tenant, reader)
    return OpenedAlert(organization, alert, reader, home, is_active) if alert is not None else None


async def acknowledge_by_text(master: MasterDb, tenants: Tenants, phone: str, text: str, *, now: datetime) -> bool:
    """What somebody wrote from their own phone is `ack SLUG CODE`, and they see to that alert; False if it is anything
    else, or a stranger's number. Said again it changes nothing.

    Args:
        phone: E.164, vouched for by the vendor: a person of the organization, or of the agency.

    Raises:
        TenantUnavailable: a database does not answer.
    """
    said = _ANSWER.fullmatch(text.strip().lower())
    organization = await _organization(master, said["slug"]) if said else None
    if said is None or organization is None:
        return False
    for home in (organization, await _organization(master, AGENCY_SLUG)):
        if home is None:
            continue
        async with tenants.open(home) as tenant:
            reader = await ALERTS.reader_of_phone(tenant.conn, phone=phone)
        if reader is not None:
            break
    else:
        return False
    async with tenants.open(organization) as tenant:
        found = [row async for row in ALERTS.alerts_of_code(tenant.conn, code=said["code"])]
    if len(found) != 1:  # answered already, mistyped, or two that begin alike
        return False
    opened = OpenedAlert(organization, found[0], reader, home, may_answer=True)
    return await acknowledge(master, tenants, opened, now=now, by_way="whatsapp")


async def acknowledge(
    master: MasterDb, tenants: Tenants, opened: OpenedAlert, *, now: datetime, by_way: str = "alert_link"
) -> bool:
    """This reader sees to it; False if somebody was quicker, or they may not answer any more.

    The client reads who answered by address where it is one of its own people, else only that it was the agency: who
    it was there stands in the agency's audit log.
    """
    if not opened.may_answer:
        return False
    is_own = opened.home.id == opened.organization.id
    by = opened.reader if is_own else opened.home.name
    async with tenants.open(opened.organization) as tenant:
        is_first = await acknowledge_in(tenant, opened.alert["id"], by=by, actor=f"{by_way}:{by}", now=now)
    if is_first and not is_own:
        async with master.connection() as conn:
            await ORGANIZATIONS.audit(
                conn,
                actor=f"{by_way}:{opened.reader}",
                action="alert.acknowledged",
                resource=f"alert:{opened.alert['id']}",
                metadata=json.dumps({"organization": opened.organization.slug}),
            )
    return is_first


def answer_by_text(organization: Organization, alert_id: UUID) -> str:
    """What `acknowledge_by_text` understands."""
    return f"ack {organization.slug} {str(alert_id)[:8]}"


async def acknowledge_in(tenant: TenantDb, alert_id: UUID, *, by: str, actor: str, now: datetime) -> bool:
    """Record the answer once, with its entry in the audit log; False if there is one already, or no such alert."""
    async with tenant.conn.transaction():
        if await ALERTS.acknowledge(tenant.conn, id=alert_id, by=by, now=now) is None:
            return False
        await ALERTS.audit_acknowledged(tenant.conn, actor=actor, resource=f"alert:{alert_id}")
    log.info("alert %s of %s is acknowledged", alert_id, tenant.organization.slug)
    return True


async def _organization(master: MasterDb, slug: str) -> Organization | None:
    """One that has a database of its own and people in it."""
    async with master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=slug)
    organization = Organization(**row) if row else None
    if organization is None or organization.data_key_wrapped is None or organization.status == "closed":
        return None
    return organization


async def _is_active(tenant: TenantDb, email: str) -> bool:
    return bool(await ALERTS.reader_is_active(tenant.conn, email=email))
