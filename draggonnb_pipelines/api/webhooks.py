"""What every call for an organization does before and after its own work: who may send, storing, answering.

Lives here: the front door of `/webhook/{slug}/...` and of what an organization asks (`usage.py`), and the identity of a
delivery that names one. Not here: what is sent (`leads.py`, `content.py`), how calls are counted (`api_calls.py`), any
tenant's database, and any run: a sensor finds the stored rows.
"""

import json
import logging
import time
from collections.abc import Sequence

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.api_calls import ApiCalls
from draggonnb_pipelines.api.bodies import read_body
from draggonnb_pipelines.api.problems import (
    INACTIVE,
    MALFORMED,
    THROTTLED,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNKNOWN,
    Problem,
)
from draggonnb_pipelines.api.security import RateLimiter, Receiver, Receivers, is_authentic, network_of, signed_at
from draggonnb_pipelines.domain.inbox import Delivery, StoredDelivery, raw_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.inbox import InboxUnavailable, InboxWriter
from draggonnb_pipelines.resources.vault import TenantKey

MAX_BODY_BYTES = 256 * 1024
# One n8n instance forwards for all clients from one address: it may do what ten organizations may.
ORGANIZATIONS_PER_ADDRESS = 10
log = logging.getLogger(__name__)


class FrontDoor:
    """Lets senders in and stores what they bring. One for all webhooks: the rates are the organization's, not the
    address's it is called at."""

    def __init__(self, receivers: Receivers, writer: InboxWriter, calls: ApiCalls, *, per_minute: int) -> None:
        self._receivers = receivers
        self._writer = writer
        self._calls = calls
        self._by_organization = RateLimiter(per_minute)
        self._by_address = RateLimiter(per_minute * ORGANIZATIONS_PER_ADDRESS)

    async def admit(
        self, request: Request, slug: str, *, within_plan: bool = False
    ) -> tuple[Organization, TenantKey, bytes]:
        """1. size and rate  2. who sends, on the raw bytes  3. the call is counted.

        Args:
            within_plan: refuse the call where the plan has none left this month. Never for a lead.

        Raises:
            Problem: the request goes no further.
        """
        self._limit(self._by_address, network_of(request.client.host if request.client else None))
        raw = await read_body(request, MAX_BODY_BYTES)
        organization, key = self._admit(await self._receiver(slug), request, raw)
        self._limit(self._by_organization, organization.id)
        if within_plan:
            await self._calls.count_within_plan(organization)
        else:
            self._calls.count(organization)
        return organization, key, raw

    async def _receiver(self, slug: str) -> Receiver:
        try:
            return await self._receivers.get(slug)
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

    async def store(self, deliveries: Sequence[Delivery]) -> list[StoredDelivery]:
        """One commit; answers after it.

        Raises:
            Problem: nothing is known to be stored.
        """
        try:
            return await self._writer.store(deliveries)
        except InboxUnavailable as error:
            log.warning("inbox unavailable: %s", error)
            raise _unavailable() from None


def _unavailable() -> Problem:
    detail = "The database does not answer. Send it again; a repeat is recognised by its delivery id."
    return Problem(UNAVAILABLE, detail, retry_after_seconds=5)


def given_delivery_id(request: Request) -> str | None:
    """The id in the headers, which outranks any other. None of a signed request: the signature covers the body alone,
    and who sends a body that was listened to again could give it a new id each time.

    Raises:
        Problem: an id that cannot be kept.
    """
    if signed_at(request.headers) is not None:
        return None
    for name in ("x-delivery-id", "idempotency-key"):
        value = request.headers.get(name, "").strip()
        if value:
            if len(value) > 200 or not value.isascii() or not value.isprintable():
                raise Problem(MALFORMED, f"{name} must have 1 to 200 printable ASCII characters.")
            return value
    return None


def is_changed(organization: Organization, key: TenantKey, stored: StoredDelivery, raw: bytes) -> bool:
    """True for a repeat whose body differs from the one that was kept. The first one stays."""
    if not stored.is_duplicate or stored.first_raw_sealed is None:
        return False
    changed = key.open(stored.first_raw_sealed, raw_context(organization.id)) != raw
    if changed:
        log.warning("delivery %s of %s came again with another body; the first is kept", stored.id, organization.slug)
    return changed


def as_answer(stored: StoredDelivery, changed: bool) -> dict[str, object]:
    """What the sender learns of one delivery."""
    answer: dict[str, object] = {"id": str(stored.id), "status": "accepted", "duplicate": stored.is_duplicate}
    return answer | {"changed": True} if changed else answer


def accepted(body: dict[str, object]) -> Response:
    return Response(json.dumps(body).encode(), 202, {"cache-control": "no-store"}, "application/json")
