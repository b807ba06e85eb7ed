"""Whether a sender may send: webhook tokens, signatures, and how often.

Lives here: constant-time checks, the organizations that are let in (cached for seconds), token buckets.
Not here: reading bodies (`bodies.py`), what is done with them (`leads.py`, `whatsapp.py`).
"""

import asyncio
import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.vault import TenantKey, Vault
from draggonnb_pipelines.sql import load_queries

ORGANIZATIONS = load_queries("organizations")
SIGNATURE_WINDOW_SECONDS = 300
_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9]){1,39}")
_SIGNATURE = re.compile(r"t=(\d{1,12})((?:,v1=[0-9a-f]{64}){1,4})")


@dataclass(frozen=True, slots=True)
class Receiver:
    """An organization as far as its webhook needs it. `organization` is None for an address that nobody has."""

    organization: Organization | None
    token_sha256: bytes
    signing_secret: bytes
    key: TenantKey | None


# Strangers are checked against secrets of their own that nobody knows, so that they take the same path.
_NOBODY = Receiver(None, secrets.token_bytes(32), secrets.token_bytes(32), None)


class Receivers:
    """Organizations by slug, remembered for a few seconds each; unknown slugs too, so that a flood of them costs
    little. At most `max_kept`, the longest unused out first. One look-up per slug at a time."""

    def __init__(
        self,
        master: MasterDb,
        vault: Vault,
        *,
        keep_seconds: float = 5.0,
        max_kept: int = 5000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._master = master
        self._vault = vault
        self._keep_seconds = keep_seconds
        self._max_kept = max_kept
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Receiver]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Receiver]] = {}

    async def get(self, slug: str) -> Receiver:
        """The receiver of this slug, or one that no token opens.

        Raises:
            psycopg.OperationalError, psycopg_pool.PoolTimeout: the master database does not answer.
        """
        kept = self._kept.get(slug)
        if kept is not None and self._clock() - kept[0] < self._keep_seconds:
            self._kept.move_to_end(slug)
            return kept[1]
        if not _SLUG.fullmatch(slug) or len(slug) > 40:
            return _NOBODY
        task = self._asked.get(slug)
        if task is None:
            task = asyncio.create_task(self._look_up(slug))
            self._asked[slug] = task
            task.add_done_callback(lambda _: self._asked.pop(slug, None))
        return await asyncio.shield(task)

    async def _look_up(self, slug: str) -> Receiver:
        async with self._master.connection() as conn:
            row = await ORGANIZATIONS.webhook_organization(conn, slug=slug)
        receiver = self._receiver(dict(row)) if row else _NOBODY
        self._kept[slug] = (self._clock(), receiver)
        self._kept.move_to_end(slug)
        while len(self._kept) > self._max_kept:
            self._kept.popitem(last=False)
        return receiver

    def _receiver(self, row: dict[str, Any]) -> Receiver:
        token = row.pop("webhook_token_sha256")
        secret = row.pop("webhook_secret_sealed")
        organization = Organization(**row)
        wrapped = organization.data_key_wrapped
        return Receiver(
            organization,
            bytes(token) if token else _NOBODY.token_sha256,
            self._vault.open(secret, webhook_secret_context(organization.id)) if secret else _NOBODY.signing_secret,
            self._vault.tenant_key(organization.id, wrapped) if wrapped else None,
        )


def is_authentic(receiver: Receiver, headers: Mapping[str, str], raw: bytes, now: float) -> bool:
    """Whether this organization's token or signature came with the request; a signature outranks a token.

    `X-Webhook-Token: <token>`, or `X-Draggonnb-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, at most
    five minutes old (several v1 while a secret is changed). Every comparison takes constant time, and an unknown
    organization goes through the same ones.
    """
    signature = headers.get("x-draggonnb-signature")
    if signature is not None:
        return _is_signed(receiver.signing_secret, signature, raw, now)
    given = hashlib.sha256(headers.get("x-webhook-token", "").encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(given, receiver.token_sha256)


def signed_at(headers: Mapping[str, str]) -> str | None:
    """The moment that a signature covers, as it stands there; None without one. True once `is_authentic` was."""
    match = _SIGNATURE.fullmatch(headers.get("x-draggonnb-signature", "").replace(" ", ""))
    return match[1] if match else None


def _is_signed(secret: bytes, header: str, raw: bytes, now: float) -> bool:
    match = _SIGNATURE.fullmatch(header.replace(" ", ""))
    moment, signatures = (match[1], match[2]) if match else ("0", "")
    expected = hmac.new(secret, moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    is_match = False
    for given in signatures.split(",v1=")[1:]:
        is_match |= hmac.compare_digest(expected, given)
    return is_match and abs(now - int(moment)) <= SIGNATURE_WINDOW_SECONDS


class RateLimiter:
    """Token buckets in this process: a minute's worth at once, refilled evenly. At most `max_kept` callers."""

    def __init__(self, per_minute: int, *, max_kept: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._max_kept = max_kept
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, caller: str) -> int:
        """0 and one token less, or after how many whole seconds to come again."""
        now = self._clock()
        tokens, since = self._buckets.get(caller, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._max_kept:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, int((1 - tokens) / self._per_second + 0.999))


def network_of(address: str | None) -> str:
    """What one caller is: an IPv4 address, or an IPv6 /64, which one customer has whole."""
    if not address:
        return "unknown"
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
