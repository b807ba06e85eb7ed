"""PayFast: the form of a checkout, the question whether a notice is theirs, and the subscriptions API.

Lives here: the calls. Does not live here: what a checkout may hold (`domain/payfast.py`), the signatures
(`domain/payfast_signatures.py`), reading notices (`domain/itn.py`), the error table (`payfast_wire.py`), what a
payment does to a client.
Sources: PayFast's "Custom integration" and "API" pages, its PHP SDK 1.1.6 and WHMCS module.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from draggonnb_pipelines.domain.payfast import SAST, Checkout, Frequency, checkout_form
from draggonnb_pipelines.domain.payfast_signatures import api_signature
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast_wire import (
    VENDOR,
    Sort,
    Subscription,
    Transaction,
    json_of,
    said,
    sort_postback,
    sorter,
    subscription_of,
    transactions_in,
)
from draggonnb_pipelines.resources.public_pages import utc_now

HISTORY_PAGE = 1000
_MAX_PAGES = 100
_READ_TIMEOUT_SECONDS = 30.0
_TOKEN = re.compile(r"[0-9A-Za-z-]{8,64}")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class PayFast:
    """One merchant account.

    Headers of the API are never logged: their signature covers neither method nor path, so that of a fetch would do
    for a cancellation.

    Args:
        process_url: where checkouts are posted, ending in /eng/process.
        validate_url: where PayFast is asked about notices, ending in /eng/query/validate.
        api_url: base of the API, the same for the live system and PayFast's own sandbox.
        testing: the account is one of PayFast's sandbox.
    """

    def __init__(
        self,
        door: HttpDoor,
        *,
        process_url: str,
        validate_url: str,
        api_url: str,
        merchant_id: str,
        merchant_key: str,
        passphrase: str,
        testing: bool,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._door = door
        self._process_url = process_url
        self._validate_url = validate_url
        self._api = api_url.rstrip("/")
        self._merchant_id = merchant_id
        self._merchant_key = merchant_key
        self._passphrase = passphrase
        self._query = {"testing": "true"} if testing else {}
        self._now = now

    def checkout_form(self, checkout: Checkout) -> tuple[str, list[tuple[str, str]]]:
        """Where a browser posts the form, and its signed fields in their order. Nothing is sent."""
        fields = checkout_form(
            checkout, merchant_id=self._merchant_id, merchant_key=self._merchant_key, passphrase=self._passphrase
        )
        return self._process_url, fields

    def card_update_url(self, token: str, return_url: str) -> str:
        """Where a client gives a new card for a subscription, for example one that PayFast locked."""
        base = self._process_url.removesuffix("/process")
        return f"{base}/recurring/update/{_token(token)}?return={quote(return_url, safe='')}"

    async def validate_postback(self, param_string: str) -> bool:
        """Ask PayFast whether it sent a notice: True for its word VALID, False for INVALID.

        Args:
            param_string: `Itn.param_string`.

        Raises:
            VendorError: no clear word, of either kind; RETRY for silence, a server's error or another word. A notice
                is never taken for valid, and never thrown away, because PayFast could not be asked.
        """
        response = await self._door.call(
            VENDOR,
            "POST",
            self._validate_url,
            idempotent=True,
            sort=sort_postback,
            headers=_FORM,
            content=param_string,
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            max_bytes=100_000,
        )
        word = response.content.strip().partition(b"\n")[0].strip()
        if word not in (b"VALID", b"INVALID"):
            raise VendorError(VENDOR, ErrorClass.RETRY, "neither VALID nor INVALID", status=response.status_code)
        return word == b"VALID"

    async def ping(self) -> None:
        """Prove the credentials.

        Raises:
            VendorError: CONFIG where PayFast does not take them.
        """
        await self._call("GET", "/ping", sort=sorter(unknown=ErrorClass.RETRY, is_plain=True))

    async def fetch(self, token: str) -> Subscription:
        """What PayFast knows about a subscription.

        Raises:
            VendorError: sorted; INPUT with status 404 where it does not know the token.
        """
        response = await self._call("GET", f"/subscriptions/{_token(token)}/fetch")
        return subscription_of(response, token)

    async def pause(self, token: str, cycles: int = 1) -> None:
        """Leave out the next charges. A second pause may add to the first.

        Raises:
            VendorError: sorted. AMBIGUOUS: it may be paused; `fetch` tells, before anybody pauses again.
        """
        await self._call("PUT", f"/subscriptions/{_token(token)}/pause", body={"cycles": cycles}, may_repeat=False)

    async def unpause(self, token: str) -> None:
        """Charge again."""
        await self._call("PUT", f"/subscriptions/{_token(token)}/unpause")

    async def cancel(self, token: str) -> None:
        """End a subscription for good; one that is cancelled already is done."""
        try:
            await self._call("PUT", f"/subscriptions/{_token(token)}/cancel")
        except VendorError as error:
            if error.code != "cancelled":
                raise

    async def update(
        self,
        token: str,
        *,
        amount_cents: int | None = None,
        frequency: Frequency | None = None,
        cycles: int | None = None,
        run_date: date | None = None,
    ) -> None:
        """Change what is charged from now on; what is None stays."""
        changes = {
            "amount": amount_cents,
            "cycles": cycles,
            "frequency": None if frequency is None else int(frequency),
            "run_date": run_date.isoformat() if run_date else None,
        }
        body = {name: value for name, value in changes.items() if value is not None}
        if not body:
            raise VendorError(VENDOR, ErrorClass.INPUT, "an update that changes nothing")
        await self._call("PATCH", f"/subscriptions/{_token(token)}/update", body=body)

    async def adhoc(
        self, token: str, *, amount_cents: int, m_payment_id: str, item_name: str, item_description: str = ""
    ) -> str | None:
        """Charge a kept card (`subscription_type` 2) once, now; PayFast's id of the payment where it tells.

        PayFast takes no key that would keep a second call from charging twice: one at a time for each token.

        Raises:
            VendorError: sorted. AMBIGUOUS: the card may be charged; `history` tells by `m_payment_id`. INPUT with a
                code: the bank or PayFast said no.
        """
        texts = {"item_name": item_name, "item_description": item_description, "m_payment_id": m_payment_id}
        body = {"amount": amount_cents} | {name: text for name, text in texts.items() if text}
        response = await self._call("POST", f"/subscriptions/{_token(token)}/adhoc", body=body, may_repeat=False)
        # True from PayFast's sandbox, the word from the live system.
        told = said(response)
        if told is not True and told != "true":
            status = response.status_code
            raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "neither charged nor refused", status=status)
        payment = json_of(response)["data"].get("pf_payment_id")
        return str(payment) if isinstance(payment, str | int) and payment else None

    async def history(self, start: date, end: date) -> list[Transaction]:
        """All transactions of these days, both included, days of South Africa; as PayFast orders them.

        Raises:
            VendorError: sorted; CONFIG where the answer is not understood, so that it never looks like an empty one.
        """
        found: dict[Transaction, None] = {}
        days = {"from": start.isoformat(), "to": end.isoformat()}
        sort = sorter(unknown=ErrorClass.RETRY, is_plain=True)
        for page in range(_MAX_PAGES):
            window = {"offset": str(page * HISTORY_PAGE), "limit": str(HISTORY_PAGE)}
            response = await self._call("GET", "/transactions/history", query={**days, **window}, sort=sort)
            if page and not response.content.strip():
                return list(found)
            lines, known = transactions_in(response), len(found)
            found.update(dict.fromkeys(lines))
            if len(lines) < HISTORY_PAGE:
                return list(found)
            if len(found) == known:
                raise VendorError(VENDOR, ErrorClass.CONFIG, "the history comes back with the same page")
        raise VendorError(
            VENDOR, ErrorClass.INPUT, f"over {_MAX_PAGES * HISTORY_PAGE} transactions: ask for fewer days"
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, str | int] | None = None,
        may_repeat: bool = True,
        sort: Sort | None = None,
    ) -> Answer:
        headers = {
            "merchant-id": self._merchant_id,
            "version": "v1",
            "timestamp": self._now().astimezone(SAST).isoformat(timespec="seconds"),
        }
        headers["signature"] = api_signature({**headers, **(query or {}), **(body or {})}, self._passphrase)
        arguments: dict[str, Any] = {"json": dict(body)} if body else {}
        return await self._door.call(
            VENDOR,
            method,
            self._api + path,
            idempotent=may_repeat,
            sort=sort or sorter(unknown=ErrorClass.RETRY if may_repeat else ErrorClass.AMBIGUOUS),
            headers=headers,
            params={**(query or {}), **self._query},
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            **arguments,
        )


def _token(token: str) -> str:
    """A token that may stand in a path.

    Raises:
        VendorError: INPUT, it cannot be one of PayFast's.
    """
    if not _TOKEN.fullmatch(token):
        raise VendorError(VENDOR, ErrorClass.INPUT, "no token of PayFast's")
    return token
