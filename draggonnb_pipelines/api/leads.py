"""POST /webhook/{slug}/leads: verify, read, store, answer.

Lives here: the order of these, and the identity of a delivery. Plain Starlette: this is the one hot path.
Not here: any tenant's database, and any run: a sensor finds the stored rows.
"""

import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import parse_body, read_body
from draggonnb_pipelines.api.problems import (
    INACTIVE,
    INVALID,
    MALFORMED,
    THROTTLED,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNKNOWN,
    Problem,
)
from draggonnb_pipelines.api.security import RateLimiter, Receiver, Receivers, is_authentic, network_of
from draggonnb_pipelines.domain.inbox import (
    Delivery,
    DeliveryKey,
    StoredDelivery,
    body_delivery_id,
    parsed_context,
    raw_context,
)
from draggonnb_pipelines.domain.lead_shapes import ReadLead, read_leads
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.resources.inbox import InboxUnavailable, InboxWriter
from draggonnb_pipelines.resources.vault import TenantKey

MAX_BODY_BYTES = 256 * 1024
# One n8n instance forwards for all clients from one address: it may do what ten organizations may.
ORGANIZATIONS_PER_ADDRESS = 10
log = logging.getLogger(__name__)


class LeadWebhook:
    """The endpoint; its instance is the Starlette handler."""

    def __init__(self, receivers: Receivers, writer: InboxWriter, *, per_minute: int) -> None:
        self._receivers = receivers
        self._writer = writer
        self._by_organization = RateLimiter(per_minute)
        self._by_address = RateLimiter(per_minute * ORGANIZATIONS_PER_ADDRESS)

    async def handle(self, request: Request) -> Response:
        """1. size and rate  2. who sends, on the raw bytes  3. what is sent  4. one commit  5. 202."""
        self._limit(self._by_address, network_of(request.client.host if request.client else None))
        raw = await read_body(request, MAX_BODY_BYTES)
        organization, key = self._admit(await self._receiver(request), request, raw)
        self._limit(self._by_organization, organization.id)

        given_id = _given_delivery_id(request)
        content_type, body = await parse_body(request, raw)
        try:
            leads = read_leads(body, organization)
        except SubmissionRefused as refused:
            detail = "Nothing was stored. Correct the named fields and send it again."
            raise Problem(INVALID, detail, faults=refused.faults) from None
        raws = [raw] if len(leads) == 1 else [json.dumps(lead.item).encode() for lead in leads]
        keys = _delivery_keys(organization, leads, given_id, raw)
        deliveries = [
            Delivery(
                delivery_key,
                content_type,
                key.seal(own_raw, raw_context(organization.id)),
                key.seal(lead.submission.model_dump_json().encode(), parsed_context(organization.id)),
            )
            for lead, own_raw, delivery_key in zip(leads, raws, keys, strict=True)
        ]
        stored = await self._store(deliveries)
        changed = [_is_changed(organization, key, one, own) for one, own in zip(stored, raws, strict=True)]
        return _accepted(stored, changed)

    async def _receiver(self, request: Request) -> Receiver:
        try:
            return await self._receivers.get(request.path_params["slug"])
        except (psycopg.OperationalError, PoolTimeout):
            raise _unavailable() from None

    def _admit(self, receiver: Receiver, request: Request, raw: bytes) -> tuple[Organization, TenantKey]:
        """Authentication comes first for known and unknown organizations alike; only then do answers differ."""
        authentic = is_authentic(receiver, request.headers, raw, time.time())
        organization = receiver.organization
        if organization is None:
            raise Problem(UNKNOWN, "No organization has this webhook address; check its spelling.")
        if not authentic:
            raise Problem(
                UNAUTHORIZED,
                "Send the organization's token as X-Webhook-Token, or sign the body with X-Draggonnb-Signature "
                "(at most five minutes old).",
            )
        if not organization.is_active or receiver.key is None:
            raise Problem(INACTIVE, f"The organization is {organization.status}. Nothing was stored.")
        return organization, receiver.key

    def _limit(self, limiter: RateLimiter, caller: object) -> None:
        wait = limiter.seconds_to_wait(str(caller))
        if wait:
            raise Problem(THROTTLED, f"Too many requests; come again in {wait} s.", retry_after_seconds=wait)

    async def _store(self, deliveries: Sequence[Delivery]) -> list[StoredDelivery]:
        try:
            return await self._writer.store(deliveries)
        except InboxUnavailable as error:
            log.warning("inbox unavailable: %s", error)
            raise _unavailable() from None


def _unavailable() -> Problem:
    detail = "The database does not answer. Send it again; a repeat is recognised by its delivery id."
    return Problem(UNAVAILABLE, detail, retry_after_seconds=5)


def _given_delivery_id(request: Request) -> str | None:
    for name in ("x-delivery-id", "idempotency-key"):
        value = request.headers.get(name, "").strip()
        if value:
            if len(value) > 200 or not value.isascii() or not value.isprintable():
                raise Problem(MALFORMED, f"{name} must have 1 to 200 printable ASCII characters.")
            return value
    return None


def _delivery_keys(
    organization: Organization, leads: Sequence[ReadLead], given_id: str | None, raw: bytes
) -> list[DeliveryKey]:
    """A delivery's id: the header's, else the lead's own, else the body's hash and the day. Several leads in one
    request each get their place in it added to an id that they share."""
    shared = given_id or body_delivery_id(raw, datetime.now(UTC).date())
    many = len(leads) > 1
    keys = []
    for place, lead in enumerate(leads):
        own = lead.submission.delivery_id
        otherwise = f"{shared}#{place}" if many else shared
        delivery_id = own if own and (many or not given_id) else otherwise
        keys.append(DeliveryKey(organization.id, "leads", lead.submission.source, delivery_id))
    return keys


def _is_changed(organization: Organization, key: TenantKey, stored: StoredDelivery, raw: bytes) -> bool:
    """True for a repeat whose body differs from the one that was kept. The first one stays."""
    if not stored.is_duplicate or stored.first_raw_sealed is None:
        return False
    changed = key.open(stored.first_raw_sealed, raw_context(organization.id)) != raw
    if changed:
        log.warning("delivery %s of %s came again with another body; the first is kept", stored.id, organization.slug)
    return changed


def _accepted(stored: Sequence[StoredDelivery], changed: Sequence[bool]) -> Response:
    leads: list[dict[str, object]] = []
    for one, is_changed in zip(stored, changed, strict=True):
        answer: dict[str, object] = {"id": str(one.id), "status": "accepted", "duplicate": one.is_duplicate}
        leads.append(answer | {"changed": True} if is_changed else answer)
    body = leads[0] if len(leads) == 1 else {"status": "accepted", "leads": leads}
    return Response(json.dumps(body).encode(), 202, {"cache-control": "no-store"}, "application/json")
