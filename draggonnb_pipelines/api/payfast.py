"""POST /webhooks/payfast: where PayFast tells of payments.

Lives here: the raw body, sealed and stored before anybody reads it. Not here: whether it is believed, and what it
changes (`workflows/billing/payments.py`): a sensor finds the stored row. PayFast repeats a notice until it gets a
200, so nothing may come before the answer that can take long or fail for the notice's own sake.
"""

import hashlib
import logging
from ipaddress import IPv6Address, ip_address

import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import read_body
from draggonnb_pipelines.api.problems import THROTTLED, UNAVAILABLE, Problem
from draggonnb_pipelines.api.security import RateLimiter, network_of
from draggonnb_pipelines.api.webhooks import ORGANIZATIONS_PER_ADDRESS
from draggonnb_pipelines.domain.itn import MAX_ITN_BYTES, RAW_CONTEXT, is_from
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

CHECKOUTS = load_queries("checkouts")
# What comes from elsewhere than PayFast is kept as evidence, but may not fill the database.
STRANGERS_PER_MINUTE = 60
router = APIRouter(tags=["webhooks"])
log = logging.getLogger(__name__)


class Limits:
    """How often notices may come: PayFast's few addresses bring those of all clients."""

    def __init__(self, per_minute: int) -> None:
        self._payfast = RateLimiter(per_minute * ORGANIZATIONS_PER_ADDRESS)
        self._strangers = RateLimiter(min(per_minute, STRANGERS_PER_MINUTE))

    def check(self, source: str | None, *, is_payfast: bool) -> None:
        """
        Raises:
            Problem: too many; PayFast comes again.
        """
        wait = (self._payfast if is_payfast else self._strangers).seconds_to_wait(network_of(source))
        if wait:
            raise Problem(THROTTLED, f"Too many notices; come again in {wait} s.", retry_after_seconds=wait)


@router.post("/webhooks/payfast")
async def receive_notice(request: Request) -> Response:
    """Store a notice as it came, counted if it is there already; 200 says that it is safe."""
    settings: Settings = request.app.state.settings
    limits: Limits = request.app.state.payfast_limits
    vault: Vault = request.app.state.vault
    master: MasterDb = request.app.state.master
    source = _source(request)
    limits.check(source, is_payfast=is_from(source or "", settings.payfast_networks))
    raw = await read_body(request, MAX_ITN_BYTES)
    try:
        async with master.connection() as conn:
            await CHECKOUTS.store_notice(
                conn,
                raw_sealed=vault.seal(raw, RAW_CONTEXT),
                raw_sha256=hashlib.sha256(raw).digest(),
                source_ip=source,
            )
    except (psycopg.OperationalError, PoolTimeout) as error:
        log.error("a notice of PayFast could not be stored: %s", type(error).__name__)
        raise Problem(UNAVAILABLE, "The database does not answer; send it again.", retry_after_seconds=30) from None
    return Response(status_code=200)


def _source(request: Request) -> str | None:
    """The sender after trusted proxies, IPv4 inside IPv6 as what it is; None where no address can be told."""
    try:
        address = ip_address((request.client.host if request.client else "").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
