"""PayFast's pages in the sandbox, under /payfast/eng: a checkout that a person, a browser or a script can pay.

Lives here: the check of a posted form, the page with its two buttons, the page for a new card, all routes. Does not
live here: the API (`payfast_api.py`), notices (`payfast_itn.py`), what is remembered (`payfast_books.py`).
"""

import html
import re
import uuid
from datetime import date
from urllib.parse import parse_qsl

from vendor_sandbox import payfast_api, payfast_itn
from vendor_sandbox.payfast_api import scripted_error
from vendor_sandbox.payfast_books import Order
from vendor_sandbox.payfast_signing import CHECKOUT_ORDER, checkout_signature
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route

__all__ = ["ROUTES", "scripted_error"]

_AMOUNT = re.compile(r"\d{1,8}\.\d{2}", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[!-~]+")
_FREQUENCIES = {"1": "day", "2": "week", "3": "month", "4": "quarter", "5": "half-year", "6": "year"}
_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    "<body><main><h1>{title}</h1>{body}<p><small>Sandbox: no money moves.</small></p></main></body></html>"
)


async def process(call: Call, sandbox: Sandbox) -> Answer:
    """POST /eng/process: a page to pay on, or a page that says which field is wrong."""
    try:
        fields = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
    except ValueError:
        return _bad_request("request", "The form is not UTF-8")
    if wrong := _wrong_field(fields, sandbox):
        return _bad_request(*wrong)
    order = Order(str(uuid.uuid4()), {name: value for name, value in fields.items() if name in CHECKOUT_ORDER})
    sandbox.payfast.orders[order.id] = order
    return _page(200, f"Pay {order.get('item_name')}", _checkout_body(order))


async def pay(call: Call, sandbox: Sandbox, order: str) -> Answer:
    """POST /eng/process/{id}/pay: charges once, however often it is pressed."""
    found = sandbox.payfast.orders.get(order)
    if found is None:
        return _page(404, "Payment not found", "")
    if not found.is_paid:
        payfast_itn.announce(sandbox, sandbox.payfast.pay(found))
    return _to(found.get("return_url"), "Payment received")


async def cancel(call: Call, sandbox: Sandbox, order: str) -> Answer:
    """POST /eng/process/{id}/cancel."""
    found = sandbox.payfast.orders.get(order)
    return _to(found.get("cancel_url"), "Payment cancelled") if found else _page(404, "Payment not found", "")


async def card_page(call: Call, sandbox: Sandbox, token: str) -> Answer:
    """GET /eng/recurring/update/{token}?return=."""
    if token not in sandbox.payfast.subscriptions:
        return _page(404, "Subscription not found", "")
    back = html.escape(call.query.get("return", ""), quote=True)
    field = f'<input type="hidden" name="return" value="{back}">'
    return _page(200, "Update your card", f'<form method="post">{field}<button>Update card</button></form>')


async def card_update(call: Call, sandbox: Sandbox, token: str) -> Answer:
    """POST /eng/recurring/update/{token}: a new card unlocks a subscription."""
    subscription = sandbox.payfast.subscriptions.get(token)
    if subscription is None:
        return _page(404, "Subscription not found", "")
    if subscription.status_text == "LOCKED":
        subscription.status_text, subscription.status_reason, subscription.failures = "ACTIVE", "", 0
    form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    return _to(form.get("return", ""), "Card updated")


def _wrong_field(fields: dict[str, str], sandbox: Sandbox) -> tuple[str, str] | None:
    """The field that is wrong, in PayFast's order of checks, and what PayFast says about it."""
    settings = sandbox.settings
    get = {name: value.strip() for name, value in fields.items()}.get
    if get("merchant_id") != settings.payfast_merchant_id:
        return "merchant_id", "Invalid merchant ID"
    if get("merchant_key") != settings.payfast_merchant_key:
        return "merchant_key", "Invalid merchant key"
    if fields.get("signature") != checkout_signature(fields, settings.payfast_passphrase):
        return "signature", "Generated signature does not match submitted signature"
    amount, kind = get("amount", ""), get("subscription_type", "")
    is_free = amount == "0.00" and kind in ("1", "2")
    if not _AMOUNT.fullmatch(amount) or (float(amount) < 5 and not is_free):
        return "amount", "The amount must be at least 5.00"
    if not 1 <= len(get("item_name", "")) <= 100:
        return "item_name", "The item name must be between 1 and 100 characters"
    for name in ("return_url", "cancel_url", "notify_url"):
        if get(name) and not _WEB_ADDRESS.fullmatch(get(name, "")):
            return name, f"The {name} format is invalid"
    return _wrong_subscription(get("frequency", ""), get("cycles", ""), fields) if kind == "1" else None


def _wrong_subscription(frequency: str, cycles: str, fields: dict[str, str]) -> tuple[str, str] | None:
    if frequency not in _FREQUENCIES:
        return "frequency", "The frequency is invalid"
    if not cycles.isdigit():
        return "cycles", "The cycles must be an integer"
    again = fields.get("recurring_amount") or fields["amount"]
    if not _AMOUNT.fullmatch(again) or float(again) < 5:
        return "recurring_amount", "The recurring amount must be at least 5.00"
    try:
        date.fromisoformat(fields.get("billing_date") or "2000-01-01")
    except ValueError:
        return "billing_date", "The billing date is not a valid date"
    return None


def _checkout_body(order: Order) -> str:
    rows = {"Merchant": order.get("merchant_id"), "Item": order.get("item_name")}
    rows["Description"] = order.get("item_description")
    rows["Amount"] = f"R {order.get('amount')}"
    if order.get("subscription_type") == "1":
        again = order.get("recurring_amount") or order.get("amount")
        rows["Then"] = f"R {again} every {_FREQUENCIES[order.get('frequency')]}"
    table = "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in rows.items() if value)
    buttons = "".join(
        f'<form method="post" action="/payfast/eng/process/{order.id}/{action}"><button>{label}</button></form>'
        for action, label in (("pay", "Pay"), ("cancel", "Cancel"))
    )
    return f"<dl>{table}</dl>{buttons}"


def _bad_request(field: str, message: str) -> Answer:
    return _page(400, "400 Bad Request", f"<p><strong>{field}</strong>: {message}</p>")


def _to(url: str, otherwise: str) -> Answer:
    """Back to the shop, or a page where it named none."""
    if not _WEB_ADDRESS.fullmatch(url):
        return _page(200, otherwise, "")
    return Answer(303, b"", {"location": url})


def _page(status: int, title: str, body: str) -> Answer:
    text = _PAGE.format(title=html.escape(title), body=body)
    return Answer(status, text.encode(), {"content-type": "text/html; charset=utf-8"})


ROUTES = (
    Route("POST", "/payfast/eng/process", process),
    Route("POST", "/payfast/eng/process/{order}/pay", pay),
    Route("POST", "/payfast/eng/process/{order}/cancel", cancel),
    Route("POST", "/payfast/eng/query/validate", payfast_itn.validate),
    Route("GET", "/payfast/eng/recurring/update/{token}", card_page),
    Route("POST", "/payfast/eng/recurring/update/{token}", card_update),
    *payfast_api.ROUTES,
)
