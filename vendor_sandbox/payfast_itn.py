"""Notices of the sandbox's PayFast: building one, sending it until it is taken, and answering whether one is genuine.

Lives here: the order of the fields on the wire, the repetition, the postback, and what the control surface may send:
repetitions, forgeries. Does not live here: what a charge does (`payfast_books.py`).
"""

import asyncio
import itertools
import time
from typing import Any

import aiohttp

from vendor_sandbox.payfast_books import Order, Payment, SandboxSubscription, rand
from vendor_sandbox.payfast_signing import encoded, itn_signature
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call

ATTEMPTS = 8
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_OUTCOMES = ("complete", "failed", "no_itn")
_cancellations = itertools.count(int(time.time()))


def announce(sandbox: Sandbox, payment: Payment, *, send: bool = True) -> None:
    """A payment becomes public, and its notice goes out."""
    sandbox.public.append(payment.public())
    amounts = (payment.gross_cents, payment.fee_cents, payment.gross_cents + payment.fee_cents)
    due = payment.billing_date.isoformat() if payment.billing_date else ""
    pairs = _pairs(
        payment.order,
        payment.m_payment_id or payment.order.get("m_payment_id"),
        payment.pf_payment_id,
        "COMPLETE",
        amounts,
        payment.token,
        due,
    )
    _send(sandbox, payment.order, payment.pf_payment_id, pairs, send=send)


def announce_cancellation(sandbox: Sandbox, subscription: SandboxSubscription) -> None:
    """The notice that a subscription has ended; it has no payment of its own."""
    order, due = subscription.order, subscription.run_date.isoformat() if subscription.run_date else ""
    pairs = _pairs(order, order.get("m_payment_id"), "", "CANCELLED", (0, 0, 0), subscription.token, due)
    _send(sandbox, order, f"cancelled-{next(_cancellations)}", pairs)


async def validate(call: Call, sandbox: Sandbox) -> Answer:
    """POST /eng/query/validate: whether exactly this was sent as a notice."""
    return Answer(200, b"VALID" if call.body.decode("latin-1") in sandbox.payfast.notices else b"INVALID")


def charge(call: Call, sandbox: Sandbox) -> dict[str, Any]:
    """Control: {"token", "outcome": "complete" | "failed" | "no_itn", "times"?} plays recurring charges."""
    body = call.json
    subscription = sandbox.payfast.subscriptions.get(str(body.get("token")))
    outcome, times = body.get("outcome", "complete"), body.get("times", 1)
    if subscription is None or not subscription.is_recurring:
        raise ValueError("nobody has a subscription with this token")
    if outcome not in _OUTCOMES:
        raise ValueError(f"outcome is one of {', '.join(_OUTCOMES)}")
    if not isinstance(times, int) or not 1 <= times <= 100:
        raise ValueError("times is a number from 1 to 100")
    payments = [payment for _ in range(times) if (payment := _charge_once(sandbox, subscription, outcome))]
    ids = [payment.pf_payment_id for payment in payments]
    return {"pf_payment_ids": ids, "subscription": subscription.described()}


async def crafted(call: Call, sandbox: Sandbox) -> dict[str, Any]:
    """Control: send a notice now, and tell the answers. One of
    {"pf_payment_id"}: a genuine one once more;
    {"url", "fields": [[name, value], ...]}: signed as PayFast does, but no postback will confirm it;
    {"url", "body"}: as it is.
    Besides: {"source": "127.0.0.2"}, the address that it comes from, and {"times"}.
    """
    order = call.json
    if order.get("pf_payment_id"):
        url, body = sandbox.payfast.bodies[str(order["pf_payment_id"])]
    elif "fields" in order:
        pairs = [(str(name), str(value)) for name, value in order["fields"]]
        url = str(order["url"])
        body = f"{encoded(pairs)}&signature={itn_signature(pairs, sandbox.settings.payfast_passphrase)}"
    else:
        url, body = str(order["url"]), str(order["body"])
    source = (str(order["source"]), 0) if order.get("source") else None
    statuses = [await _post(url, body, source) for _ in range(int(order.get("times", 1)))]
    return {"statuses": statuses}


def _charge_once(sandbox: Sandbox, subscription: SandboxSubscription, outcome: str) -> Payment | None:
    if subscription.status_text in ("CANCELLED", "COMPLETE"):
        raise ValueError(f"the subscription is {subscription.status_text.lower()}")
    if subscription.status_text == "PAUSED":
        subscription.paused_cycles -= 1
        subscription.move_on()
        if not subscription.paused_cycles:
            subscription.status_text = "ACTIVE"
        return None
    if outcome == "failed":
        sandbox.payfast.fail(subscription)
        return None
    payment = sandbox.payfast.charge(subscription)
    announce(sandbox, payment, send=outcome == "complete")
    return payment


def _pairs(
    order: Order,
    m_payment_id: str,
    pf_payment_id: str,
    status: str,
    amounts: tuple[int, int, int],
    token: str,
    billing_date: str,
) -> list[tuple[str, str]]:
    """The fields as PayFast puts them on the wire: custom_str before custom_int, blank ones too."""
    customs = [f"custom_{kind}{number}" for kind in ("str", "int") for number in range(1, 6)]
    pairs = [
        ("m_payment_id", m_payment_id),
        ("pf_payment_id", pf_payment_id),
        ("payment_status", status),
        *((name, order.get(name)) for name in ("item_name", "item_description")),
        *zip(("amount_gross", "amount_fee", "amount_net"), map(rand, amounts), strict=True),
        *((name, order.get(name)) for name in (*customs, "name_first", "name_last", "email_address", "merchant_id")),
    ]
    if token:
        pairs.append(("token", token))
    if order.get("subscription_type") == "1":
        pairs.append(("billing_date", billing_date))
    return pairs


def _send(sandbox: Sandbox, order: Order, key: str, pairs: list[tuple[str, str]], *, send: bool = True) -> None:
    if not order.get("notify_url"):
        return
    said = encoded(pairs)
    body = f"{said}&signature={itn_signature(pairs, sandbox.settings.payfast_passphrase)}"
    sandbox.payfast.notices.add(said)
    sandbox.payfast.bodies[key] = (order.get("notify_url"), body)
    if send:
        sandbox.start(_deliver(order.get("notify_url"), body, sandbox))


async def _deliver(url: str, body: str, sandbox: Sandbox) -> None:
    """Until it is answered with 200: once more at once, then after waits that double."""
    for attempt in range(ATTEMPTS):
        if await _post(url, body) == 200:
            return
        if attempt:
            await asyncio.sleep(sandbox.settings.payfast_retry_seconds * 2 ** (attempt - 1))


async def _post(url: str, body: str, source: tuple[str, int] | None = None) -> int | None:
    """The status of the answer, None without one."""
    connector = aiohttp.TCPConnector(local_addr=source)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as client:
        try:
            async with client.post(url, data=body.encode(), headers=_FORM, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
