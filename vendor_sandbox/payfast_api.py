"""PayFast's API in the sandbox: subscriptions by their token, ad hoc charges, the history as CSV.

Lives here: who may call, and each call. Does not live here: the checkout's pages (`payfast.py`).
Like PayFast's own sandbox it wants `testing=true`, and it takes a time stamp only near its own clock.
"""

import csv
import io
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from vendor_sandbox import payfast_itn
from vendor_sandbox.payfast_books import SAST, Payment, SandboxSubscription, rand
from vendor_sandbox.payfast_signing import api_signature
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, Route, json_answer

CLOCK_MAY_DIFFER = timedelta(minutes=10)
_COLUMNS = (
    *("Date", "Type", "Sign", "Party", "Name", "Description", "Currency", "Funding Type", "Gross", "Fee", "Net"),
    *("Balance", "M Payment ID", "PF Payment ID", "custom str1", "custom int1"),
)
Work = Callable[[Call, Sandbox, SandboxSubscription], Answer]


async def ping(call: Call, sandbox: Sandbox) -> Answer:
    """GET /ping."""
    return _refused_caller(call, sandbox) or json_answer(200, "API V1")


async def history(call: Call, sandbox: Sandbox) -> Answer:
    """GET /transactions/history?from&to&offset&limit: CSV, the oldest first."""
    if refused := _refused_caller(call, sandbox):
        return refused
    try:
        start = date.fromisoformat(call.query["from"])
        end = date.fromisoformat(call.query.get("to") or call.query["from"])
        offset, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", 1000))
    except (KeyError, ValueError):
        return failure(400, "Failure - from and to are dates, offset and limit are numbers")
    wanted = [payment for payment in sandbox.payfast.payments if start <= payment.at.date() <= end]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    lines.writerows(_line(payment) for payment in wanted[offset : offset + limit])
    return Answer(200, text.getvalue().encode(), {"content-type": "text/csv; charset=utf-8"})


def fetch(call: Call, sandbox: Sandbox, subscription: SandboxSubscription) -> Answer:
    """GET …/fetch."""
    return success(subscription.described())


def pause(call: Call, sandbox: Sandbox, subscription: SandboxSubscription) -> Answer:
    """PUT …/pause: a second one adds its cycles."""
    cycles = _body(call).get("cycles", 1)
    if not isinstance(cycles, int) or cycles < 1:
        return failure(400, "Failure - cycles must be a number")
    if subscription.status_text not in ("ACTIVE", "PAUSED"):
        return _wrong_status(subscription)
    subscription.paused_cycles += cycles
    subscription.status_text = "PAUSED"
    return success(True)


def unpause(call: Call, sandbox: Sandbox, subscription: SandboxSubscription) -> Answer:
    """PUT …/unpause."""
    if subscription.status_text not in ("ACTIVE", "PAUSED"):
        return _wrong_status(subscription)
    subscription.paused_cycles, subscription.status_text = 0, "ACTIVE"
    return success(True)


def cancel(call: Call, sandbox: Sandbox, subscription: SandboxSubscription) -> Answer:
    """PUT …/cancel: a notice follows."""
    if subscription.status_text in ("CANCELLED", "COMPLETE"):
        return _wrong_status(subscription)
    subscription.status_text = "CANCELLED"
    payfast_itn.announce_cancellation(sandbox, subscription)
    return success(True)


def update(call: Call, sandbox: Sandbox, subscription: SandboxSubscription) -> Answer:
    """PATCH …/update."""
    changes = _body(call)
    if not changes or set(changes) - {"amount", "cycles", "frequency", "run_date"}:
        return failure(400, "Failure - cycles, frequency, run_date or amount is required")
    if subscription.status_text in ("CANCELLED", "COMPLETE"):
        return _wrong_status(subscription)
    try:
        amount, cycles = int(changes.get("amount", subscription.amount_cents)), int(changes.get("cycles", 0))
        frequency = int(changes.get("frequency", subscription.frequency))
        day = date.fromisoformat(changes["run_date"]) if "run_date" in changes else subscription.run_date
    except (TypeError, ValueError):
        return failure(400, "Failure - a value cannot be read")
    if amount < 500 or cycles < 0 or frequency not in range(1, 7):
        return failure(400, "Failure - a value is out of bounds")
    subscription.amount_cents, subscription.frequency, subscription.run_date = amount, frequency, day
    subscription.cycles = cycles if "cycles" in changes else subscription.cycles
    return success(subscription.described())


def adhoc(call: Call, sandbox: Sandbox, subscription: SandboxSubscription) -> Answer:
    """POST …/adhoc: every call charges, also one with an m_payment_id that was there before."""
    body = _body(call)
    amount = body.get("amount")
    if subscription.is_recurring or not isinstance(amount, int) or amount < 500 or not body.get("item_name"):
        return failure(400, "Failure - amount and item_name are required, for a tokenization agreement")
    if subscription.status_text != "ACTIVE":
        return _wrong_status(subscription)
    payment = sandbox.payfast.adhoc(subscription, amount, str(body.get("m_payment_id", "")))
    payfast_itn.announce(sandbox, payment)
    told = {"response": True, "message": "Transaction was successful (00)", "pf_payment_id": payment.pf_payment_id}
    return json_answer(200, {"code": 200, "status": "success", "data": told})


def success(told: Any) -> Answer:
    return json_answer(200, {"code": 200, "status": "success", "data": {"response": told, "message": "Success"}})


def failure(code: int, message: str, *, status: int | None = None) -> Answer:
    """A refusal; `status` where HTTP says something else than the body."""
    body = {"code": code, "status": "failed", "data": {"response": False, "message": message}}
    return json_answer(status or code, body)


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    return failure(status, "Merchant authorization failed." if status == 401 else "Failure - scripted")


def _guarded(work: Work) -> Handler:
    async def handler(call: Call, sandbox: Sandbox, token: str) -> Answer:
        if refused := _refused_caller(call, sandbox):
            return refused
        subscription = sandbox.payfast.subscriptions.get(token)
        if subscription is None:
            return failure(404, "Failure - no subscription with this token")
        if call.fault_kind == "declined":
            told = {"code": "51", "reason": "Declined by the bank"}
            return json_answer(200, {"code": 200, "status": "failed", "data": {"response": told}})
        return work(call, sandbox, subscription)

    return handler


def _refused_caller(call: Call, sandbox: Sandbox) -> Answer | None:
    refused = failure(401, "Merchant authorization failed.")
    signed = {name: call.headers.get(name, "") for name in ("merchant-id", "version", "timestamp")}
    try:
        at = datetime.fromisoformat(signed["timestamp"])
        body = _body(call)
    except ValueError:
        return refused
    if abs(datetime.now(SAST) - (at if at.tzinfo else at.replace(tzinfo=SAST))) > CLOCK_MAY_DIFFER:
        return refused
    query = {name: value for name, value in call.query.items() if name != "testing"}
    sent = {**signed, **query, **{name: str(value) for name, value in body.items()}}
    is_ours = signed["merchant-id"] == sandbox.settings.payfast_merchant_id and signed["version"] == "v1"
    is_signed = call.headers.get("signature") == api_signature(sent, sandbox.settings.payfast_passphrase)
    return None if is_ours and is_signed and call.query.get("testing") == "true" else refused


def _body(call: Call) -> dict[str, Any]:
    """The body: JSON or a form.

    Raises:
        ValueError: it is neither.
    """
    if not call.body:
        return {}
    if call.headers.get("content-type", "").startswith("application/json"):
        body = json.loads(call.body)
        if not isinstance(body, dict):
            raise ValueError("not an object")
        return body
    return dict(parse_qsl(call.body.decode(), keep_blank_values=True))


def _wrong_status(subscription: SandboxSubscription) -> Answer:
    return failure(400, f"Failure - The subscription status is {subscription.status_text.lower()}")


def _line(payment: Payment) -> list[str]:
    order = payment.order
    amounts = (payment.gross_cents, payment.fee_cents, payment.gross_cents + payment.fee_cents)
    party = f"{order.get('name_first')} {order.get('name_last')}".strip()
    return [
        *(payment.at.strftime("%Y-%m-%d %H:%M:%S"), "FUNDS_RECEIVED", "CREDIT", party, order.get("item_name")),
        *(order.get("item_description"), "ZAR", "CC", *map(rand, amounts), "22,574.02"),
        *(payment.m_payment_id or order.get("m_payment_id"), payment.pf_payment_id),
        *(order.get("custom_str1"), order.get("custom_int1")),
    ]


_TOKEN = "/payfast/api/subscriptions/{token}"
ROUTES = (
    Route("GET", "/payfast/api/ping", ping),
    Route("GET", f"{_TOKEN}/fetch", _guarded(fetch)),
    Route("PUT", f"{_TOKEN}/pause", _guarded(pause)),
    Route("PUT", f"{_TOKEN}/unpause", _guarded(unpause)),
    Route("PUT", f"{_TOKEN}/cancel", _guarded(cancel)),
    Route("PATCH", f"{_TOKEN}/update", _guarded(update)),
    Route("POST", f"{_TOKEN}/adhoc", _guarded(adhoc)),
    Route("GET", "/payfast/api/transactions/history", history),
)
