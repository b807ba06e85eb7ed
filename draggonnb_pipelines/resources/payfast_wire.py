"""PayFast on the wire: which class an answer has, reading subscriptions and the history's CSV.

Lives here: the error table, also for refusals that come with HTTP 200, and the shapes that the API gives back. Does
not live here: the calls (`payfast.py`).
Sources: PayFast's "API" page, its PHP SDK 1.1.6 and WHMCS module; the CSV's columns as their users report them.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from draggonnb_pipelines.domain.payfast import SAST, Frequency
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "payfast"
_BY_STATUS = {
    400: ErrorClass.INPUT,
    401: ErrorClass.CONFIG,  # signature, passphrase, clock or `testing`: no later call would fare better
    403: ErrorClass.CONFIG,
    404: ErrorClass.INPUT,
    429: ErrorClass.THROTTLED,
}
_STATUS_REFUSAL = re.compile(r"subscription status is (\w{1,20})", re.IGNORECASE)
_COLUMNS = ("date", "type", "sign", "currency", "gross", "fee", "net", "m payment id", "pf payment id")
_AMOUNT = re.compile(r"-?[\d,]{1,15}(?:\.\d{1,2})?", re.ASCII)

Sort = Callable[[Answer], VendorError | None]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What PayFast says about a token. `run_date` is the next charge: it moves on only after a successful one."""

    token: str
    status: int | None
    status_text: str
    status_reason: str
    amount_cents: int
    cycles: int
    cycles_complete: int
    frequency: Frequency | None
    run_date: date | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One line of the history. Amounts are in cents; the fee is negative, and so is what was paid back."""

    at: datetime
    type: str
    sign: str
    currency: str
    gross_cents: int
    fee_cents: int
    net_cents: int
    m_payment_id: str
    pf_payment_id: str


def sorter(*, unknown: ErrorClass, is_plain: bool = False) -> Sort:
    """The verdict on an answer of the API.

    Args:
        unknown: what a 5xx, a 408 or an answer that is none of PayFast's means: AMBIGUOUS where repeating the call
            would do something twice, else RETRY.
        is_plain: a success is not JSON (ping, history), but a refusal may be.
    """

    def sort(response: Answer) -> VendorError | None:
        status, body = response.status_code, json_of(response)
        if 200 <= status < 300:
            is_verdict = isinstance(body, dict) and "status" in body
            return None if is_plain and not is_verdict else _refusal_inside(body, status, unknown)
        return _error(body, status, unknown)

    return sort


def sort_postback(response: Answer) -> VendorError | None:
    """The verdict on the answer to a postback, whose body is a word and not JSON."""
    return None if 200 <= response.status_code < 300 else _error(None, response.status_code, ErrorClass.RETRY)


def json_of(response: Answer) -> Any:
    """The body, or None where it is not JSON."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def said(response: Answer) -> Any:
    """`data.response` of a success."""
    body = json_of(response)
    data = body.get("data") if isinstance(body, dict) else None
    return data.get("response") if isinstance(data, dict) else None


def subscription_of(response: Answer, token: str) -> Subscription:
    """Read the answer to a fetch.

    Raises:
        VendorError: CONFIG, it lacks what PayFast documents.
    """
    told = said(response)
    told = told if isinstance(told, dict) else {}
    amount, cycles, done = (_whole(told.get(name)) for name in ("amount", "cycles", "cycles_complete"))
    words = told.get("status_text")
    if amount is None or cycles is None or done is None or not isinstance(words, str) or not words:
        raise VendorError(VENDOR, ErrorClass.CONFIG, "a subscription in a shape that we do not know")
    frequency, reason = _whole(told.get("frequency")), told.get("status_reason")
    return Subscription(
        token=token,
        status=_whole(told.get("status")),
        status_text=words.upper(),
        status_reason=reason if isinstance(reason, str) else "",
        amount_cents=amount,
        cycles=cycles,
        cycles_complete=done,
        frequency=Frequency(frequency) if frequency in list(Frequency) else None,
        run_date=_day(told.get("run_date")),
    )


def transactions_in(response: Answer) -> list[Transaction]:
    """Read a page of the history: CSV, or CSV as text inside JSON. A header without lines is an empty page.

    Raises:
        VendorError: CONFIG, there is no header with the columns that we need, or a line cannot be read. A history
            that was not understood must never look like one without payments.
    """
    body = json_of(response)
    text = body.get("response") or said(response) if isinstance(body, dict) else None
    text = text if isinstance(text, str) else response.content.decode("utf-8-sig", "replace")
    rows = csv.reader(io.StringIO(text.strip(), newline=""), strict=True)
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        if missing := [name for name in _COLUMNS if name not in columns]:
            raise VendorError(VENDOR, ErrorClass.CONFIG, f"the history has no column {missing[0]!r}")
        return list(_transactions(columns, rows))
    except csv.Error as error:
        raise VendorError(VENDOR, ErrorClass.CONFIG, "the history is no CSV") from error


def _transactions(columns: list[str], rows: Iterable[list[str]]) -> Iterable[Transaction]:
    for number, row in enumerate(rows, start=1):
        try:
            line = dict(zip(columns, row, strict=True))
            yield Transaction(
                at=datetime.fromisoformat(line["date"]).replace(tzinfo=SAST).astimezone(UTC),
                type=line["type"],
                sign=line["sign"].upper(),
                currency=line["currency"],
                gross_cents=_cents(line["gross"]),
                fee_cents=_cents(line["fee"]),
                net_cents=_cents(line["net"]),
                m_payment_id=line["m payment id"],
                pf_payment_id=line["pf payment id"],
            )
        except ValueError:
            message = f"line {number} of the history cannot be read"
            raise VendorError(VENDOR, ErrorClass.CONFIG, message) from None


def _refusal_inside(body: Any, status: int, unknown: ErrorClass) -> VendorError | None:
    """A refusal that came with a 2xx: `status` is not "success", or `data.response` is a code with a reason."""
    if not isinstance(body, dict) or "status" not in body:
        return VendorError(VENDOR, unknown, "an answer that is none of the API's", status=status)
    data = body.get("data")
    told = data.get("response") if isinstance(data, dict) else None
    if body["status"] == "success" and told is not False and not (isinstance(told, dict) and "reason" in told):
        return None
    code = _whole(told.get("code")) if isinstance(told, dict) else None
    outer = _whole(body.get("code"))
    # Only where the refusal itself carries the code of an HTTP error is it more than a "no".
    meant = next((number for number in (code, outer) if number is not None and 400 <= number < 600), 400)
    return _error(body, meant, unknown, inner=code)


def _error(body: Any, status: int, unknown: ErrorClass, *, inner: int | None = None) -> VendorError:
    refused = _STATUS_REFUSAL.search(json.dumps(body)) if body is not None else None
    code = refused[1].lower() if refused else None if inner is None else str(inner)
    if status >= 500 or status == 408:
        error_class = unknown
    else:
        error_class = _BY_STATUS.get(status, ErrorClass.INPUT if status >= 400 else ErrorClass.CONFIG)
    words = f"the subscription is {code}" if refused else {401: "PayFast does not take our signature"}.get(status)
    return VendorError(
        VENDOR, error_class, f"HTTP {status}, {words}" if words else f"HTTP {status}", status=status, code=code
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _day(value: Any) -> date | None:
    """The day of a date, or of an instant as it is called in South Africa."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if at is None:
        return None
    return (at.astimezone(SAST) if at.tzinfo else at).date()


def _cents(text: str) -> int:
    """Cents of an amount such as 22,574.02; blank is nothing.

    Raises:
        ValueError: it is no amount.
    """
    if not text.strip():
        return 0
    if not _AMOUNT.fullmatch(text.strip()):
        raise ValueError("no amount")
    return int(Decimal(text.strip().replace(",", "")) * 100)
