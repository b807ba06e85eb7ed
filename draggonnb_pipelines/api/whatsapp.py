"""GET and POST /webhooks/whatsapp: Meta's verification, statuses of the messages that we sent, answers to alerts.

Lives here: the check of Meta's signature, and one inbox row per status. Not here: what a status changes
(`workflows/messages/message_statuses.py`), who may answer (`workflows/messages/acknowledgements.py`). What else people
write is not kept.
"""

import hmac
import json
import logging
from dataclasses import asdict

import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from draggonnb_pipelines.api.bodies import parse_json, read_body
from draggonnb_pipelines.api.problems import (
    MALFORMED,
    REFUSED,
    THROTTLED,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNKNOWN,
    Problem,
)
from draggonnb_pipelines.api.security import RateLimiter, Receiver, Receivers, network_of
from draggonnb_pipelines.domain.inbox import Delivery, DeliveryKey, parsed_context, raw_context
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.inbox import InboxUnavailable, InboxWriter
from draggonnb_pipelines.resources.whatsapp import MessageStatus, is_signed_by_meta, parse_statuses, parse_texts
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.messages.acknowledgements import acknowledge_by_text

# Some four hundred statuses; read before the signature is seen, so less than the 3 MB that Meta allows itself.
MAX_BODY_BYTES = 256 * 1024
router = APIRouter(tags=["webhooks"])
log = logging.getLogger(__name__)


@router.get("/webhooks/whatsapp", response_class=PlainTextResponse)
async def verify_subscription(request: Request) -> Response:
    """Meta asks once whether this address is ours, and wants its challenge back."""
    settings: Settings = request.app.state.settings
    _limit(request)
    asked = request.query_params
    expected = settings.whatsapp_verify_token.get_secret_value() if settings.whatsapp_verify_token else ""
    is_ours = hmac.compare_digest(expected.encode(), asked.get("hub.verify_token", "").encode())
    if not expected or not is_ours or asked.get("hub.mode") != "subscribe":
        raise Problem(REFUSED, "The verify token is not the one in DRAGGONNB_WHATSAPP_VERIFY_TOKEN.")
    return PlainTextResponse(asked.get("hub.challenge", "")[:200], headers={"x-content-type-options": "nosniff"})


@router.post("/webhooks/whatsapp")
async def receive_statuses(request: Request) -> Response:
    """Store each status once (message and status are its key), and take answers to alerts; Meta repeats until it gets
    a 200."""
    settings: Settings = request.app.state.settings
    _limit(request)
    secret = settings.whatsapp_signing_secret
    if secret is None:
        raise Problem(UNKNOWN, "WhatsApp is not configured here: DRAGGONNB_WHATSAPP_APP_SECRET is not set.")
    raw = await read_body(request, MAX_BODY_BYTES)
    if not is_signed_by_meta(secret, raw, request.headers.get("x-hub-signature-256")):
        raise Problem(UNAUTHORIZED, "X-Hub-Signature-256 is not the signature of this body.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Problem(MALFORMED, "The body is not valid UTF-8.") from None
    payload = parse_json(text)
    statuses = parse_statuses(payload)
    receivers: Receivers = request.app.state.receivers
    writer: InboxWriter = request.app.state.writer
    try:
        deliveries = [_delivery(status, await _receiver_of(status, receivers)) for status in statuses]
        if deliveries:
            await writer.store(deliveries)
        for said in parse_texts(payload):
            state = request.app.state
            await acknowledge_by_text(state.master, state.tenants, said.sender, said.text, now=state.now())
    except (InboxUnavailable, TenantUnavailable, psycopg.OperationalError, PoolTimeout):
        raise Problem(UNAVAILABLE, "The database does not answer; send it again.", retry_after_seconds=5) from None
    return Response(b'{"stored": %d}' % len(deliveries), media_type="application/json")


def _limit(request: Request) -> None:
    limiter: RateLimiter = request.app.state.whatsapp_limiter
    wait = limiter.seconds_to_wait(network_of(request.client.host if request.client else None))
    if wait:
        raise Problem(THROTTLED, f"Too many requests; come again in {wait} s.", retry_after_seconds=wait)


async def _receiver_of(status: MessageStatus, receivers: Receivers) -> Receiver:
    """Our callback data is `<slug>:<delivery id>`; what has none, or a strange one, is the agency's."""
    slug = (status.callback_data or "").partition(":")[0]
    receiver = await receivers.get(slug)
    if receiver.organization is None or receiver.key is None:
        receiver = await receivers.get(AGENCY_SLUG)
    return receiver


def _delivery(status: MessageStatus, receiver: Receiver) -> Delivery:
    organization, key = receiver.organization, receiver.key
    if organization is None or key is None:
        log.error("a WhatsApp status came, but there is no organization %s to keep it", AGENCY_SLUG)
        raise Problem(UNAVAILABLE, "No organization can keep this status yet; send it again.", retry_after_seconds=60)
    values = asdict(status) | {"timestamp": status.timestamp.isoformat() if status.timestamp else None}
    plain = json.dumps(values).encode()
    return Delivery(
        DeliveryKey(organization.id, "whatsapp_status", "whatsapp", f"{status.message_id}:{status.status}"),
        "application/json",
        key.seal(plain, raw_context(organization.id)),
        key.seal(plain, parsed_context(organization.id)),
    )
