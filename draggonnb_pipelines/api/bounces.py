"""POST /webhooks/mail/bounces: the mail server hands over reports of non-delivery, one raw mail a call.

Lives here: who may send them, and the answers. Not here: reading a report (`domain/bounces.py`), what it changes
(`workflows/messages/refused_addresses.py`).
"""

import hmac

import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import read_body
from draggonnb_pipelines.api.problems import THROTTLED, UNAUTHORIZED, UNAVAILABLE, UNKNOWN, Problem
from draggonnb_pipelines.api.security import RateLimiter, network_of
from draggonnb_pipelines.domain.bounces import read_bounce
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.messages.refused_addresses import apply_bounce

MAX_BODY_BYTES = 1024 * 1024  # a report quotes the mail that came back, perhaps with its files
router = APIRouter(tags=["webhooks"])


@router.post("/webhooks/mail/bounces")
async def receive_bounce(request: Request) -> Response:
    """Note what came back. A mail that is no report, or about no mail of ours, is taken and changes nothing.

    The body is the raw mail (message/rfc822), the proof `Authorization: Bearer <DRAGGONNB_MAIL_BOUNCE_TOKEN>`.
    """
    settings: Settings = request.app.state.settings
    limiter: RateLimiter = request.app.state.whatsapp_limiter  # one mail server brings those of all organizations
    if wait := limiter.seconds_to_wait(network_of(request.client.host if request.client else None)):
        raise Problem(THROTTLED, f"Too many requests; come again in {wait} s.", retry_after_seconds=wait)
    token = settings.mail_bounce_token
    if token is None:
        raise Problem(UNKNOWN, "Reports are not taken here: DRAGGONNB_MAIL_BOUNCE_TOKEN is not set.")
    wanted = f"Bearer {token.get_secret_value()}".encode()
    if not hmac.compare_digest(wanted, request.headers.get("authorization", "").encode("utf-8", "surrogateescape")):
        raise Problem(UNAUTHORIZED, "Authorization is not the token in DRAGGONNB_MAIL_BOUNCE_TOKEN.")
    bounce = read_bounce(await read_body(request, MAX_BODY_BYTES))
    is_ours = False
    if bounce is not None and bounce.is_final:
        state = request.app.state
        try:
            is_ours = await apply_bounce(state.master, state.tenants, bounce, now=state.now())
        except (TenantUnavailable, psycopg.OperationalError, PoolTimeout):
            raise Problem(UNAVAILABLE, "A database does not answer; send it again.", retry_after_seconds=30) from None
    return Response(b'{"noted": %s}' % (b"true" if is_ours else b"false"), media_type="application/json")
