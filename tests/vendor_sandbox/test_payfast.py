"""PayFast in the sandbox: the pages a browser sees, the notices that follow, the API behind its signature."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from draggonnb_pipelines.domain.itn import Itn, parse_itn
from draggonnb_pipelines.domain.payfast_signatures import checkout_signature, itn_signature
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast import PayFast
from tests.payfast_till import (
    CANCEL_URL,
    PASSPHRASE,
    RETURN_URL,
    LetterBox,
    buy,
    checkout,
    letter_box,
    open_checkout,
    press,
    visit,
)
from tests.payfast_till import payfast as account
from tests.sandbox_process import Sandbox

VECTORS = json.loads((Path(__file__).parents[1] / "domain" / "vectors" / "payfast.json").read_text(encoding="utf-8"))
TRIAL = next(one for one in VECTORS["vectors"]["checkout"] if one["id"] == "c05_trial_zero_initial")


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[PayFast]:
    async with HttpDoor(user_agent="test") as door:
        yield account(door, f"{sandbox.url}/payfast")


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


def process(sandbox: Sandbox, fields: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/payfast/eng/process", data=fields)


async def subscribe(sandbox: Sandbox, client: PayFast, box: LetterBox, **changes: Any) -> Itn:
    """Buy, and the notice of the first payment."""
    await buy(sandbox, client, checkout(box.url, **changes))
    (itn,) = await box.notices(1)
    return itn


def test_a_form_that_php_signed_is_shown_with_amount_item_and_buttons(sandbox: Sandbox) -> None:
    page = process(sandbox, {**TRIAL["fields"], "signature": TRIAL["signature"]})

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for words in ("DraggonnB Starter Plan", "R 0.00", "R 1500.00 every month", "10000100", ">Pay<", ">Cancel<"):
        assert words in page.text
    assert "<script" not in page.text
    assert sandbox.public("payfast") == []


def test_what_a_merchant_writes_is_text_on_the_page(sandbox: Sandbox) -> None:
    fields = {**TRIAL["fields"], "item_name": "<script>alert(1)</script>"}
    page = process(sandbox, {**fields, "signature": checkout_signature(fields, PASSPHRASE)})

    assert page.status_code == 200
    assert "<script" not in page.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signature": "0" * 32}, "Generated signature does not match submitted signature"),
        ({"cycles": "0"}, "Generated signature does not match submitted signature"),
        ({"merchant_id": "10000101"}, "Invalid merchant ID"),
        ({"merchant_key": "other"}, "Invalid merchant key"),
    ],
)
def test_a_form_that_was_changed_gets_payfasts_400_page(sandbox: Sandbox, changes: dict[str, str], words: str) -> None:
    page = process(sandbox, {**TRIAL["fields"], "signature": TRIAL["signature"], **changes})

    assert (page.status_code, "400 Bad Request" in page.text, words in page.text) == (400, True, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "4.99"}, "The amount must be at least 5.00"),
        ({"amount": "1500"}, "The amount must be at least 5.00"),
        ({"recurring_amount": "4.99"}, "The recurring amount must be"),
        ({"item_name": "x" * 101}, "The item name must be"),
        ({"frequency": "7"}, "The frequency is invalid"),
        ({"cycles": ""}, "The cycles must be"),
        ({"billing_date": "01/12/2026"}, "The billing date is not"),
        ({"notify_url": "somewhere"}, "The notify_url format is invalid"),
        ({"subscription_type": ""}, "The amount must be at least 5.00"),
    ],
)
def test_a_signed_form_with_a_wrong_field_gets_a_400_page(
    sandbox: Sandbox, changes: dict[str, str], words: str
) -> None:
    fields = {**TRIAL["fields"], **changes}
    page = process(sandbox, {**fields, "signature": checkout_signature(fields, PASSPHRASE)})

    assert page.status_code == 400
    assert words in page.text


def test_the_documented_order_is_signed_whatever_order_is_posted(sandbox: Sandbox) -> None:
    backwards: dict[str, str] = dict(reversed([*TRIAL["fields"].items(), ("signature", TRIAL["signature"])]))
    in_that_order = itn_signature(list(TRIAL["fields"].items())[::-1], PASSPHRASE)

    assert process(sandbox, backwards).status_code == 200
    assert process(sandbox, {**backwards, "signature": in_that_order}).status_code == 400


async def test_paying_moves_money_once_and_tells_the_shop(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    page = await open_checkout(client, checkout(box.url))
    first, second = await press(sandbox, page, "Pay"), await press(sandbox, page, "Pay")
    (request,) = await box.requests(1)
    itn = parse_itn(request.body)

    assert [(back.status_code, back.headers["location"]) for back in (first, second)] == [(303, RETURN_URL)] * 2
    (paid,) = sandbox.public("payfast")
    assert (paid["m_payment_id"], paid["amount_cents"], paid["token"]) == ("sub-1", 150000, itn.token)
    assert [name for name, _ in itn.pairs] == [
        *("m_payment_id", "pf_payment_id", "payment_status", "item_name", "item_description"),
        *("amount_gross", "amount_fee", "amount_net"),
        *(f"custom_{kind}{number}" for kind in ("str", "int") for number in range(1, 6)),
        *("name_first", "name_last", "email_address", "merchant_id", "token", "billing_date"),
    ]
    assert itn.signature == itn_signature(itn.pairs, PASSPHRASE)
    assert (itn.payment_status, itn.pf_payment_id) == ("COMPLETE", paid["pf_payment_id"])
    assert (itn.amount_gross_cents, itn.amount_fee_cents, itn.amount_net_cents) == (150000, -5450, 144550)
    assert (itn.field("item_name"), itn.field("item_description")) == ("Starter & more", "")
    assert (request.method, request.target) == ("POST", "/itn")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_cancelling_moves_nothing_and_tells_nobody(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    back = await press(sandbox, await open_checkout(client, checkout(box.url)), "Cancel")

    assert (back.status_code, back.headers["location"]) == (303, CANCEL_URL)
    assert await box.notices(0) == []
    assert sandbox.public("payfast") == []


def test_nobody_can_pay_what_was_never_shown(sandbox: Sandbox) -> None:
    assert httpx.post(f"{sandbox.url}/payfast/eng/process/nothing/pay").status_code == 404
    assert sandbox.public("payfast") == []


async def test_a_notice_is_repeated_until_it_is_taken_first_at_once_then_later(
    sandbox: Sandbox, client: PayFast
) -> None:
    sandbox.settings(payfast_retry_seconds=0.3)
    async with letter_box(500, 404, 302, 200) as box:
        started = time.monotonic()
        await buy(sandbox, client, checkout(box.url))
        repeated = await box.notices(4)
        took = time.monotonic() - started

    assert len(set(map(str, repeated))) == 1
    assert 0.9 <= took < 2.5  # at once, at once, 0.3 s, 0.6 s
    assert len(sandbox.public("payfast")) == 1


async def test_a_postback_is_valid_for_exactly_what_was_sent(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    itn = await subscribe(sandbox, client, box)
    url = f"{sandbox.url}/payfast/eng/query/validate"

    async def ask(said: str) -> str:
        form = {"content-type": "application/x-www-form-urlencoded"}
        return (await visit("POST", url, content=said, headers=form)).text

    assert await ask(itn.param_string) == "VALID"
    assert await ask(itn.param_string.replace("1500.00", "5.00")) == "INVALID"
    assert await ask(f"{itn.param_string}&signature={itn.signature}") == "INVALID"
    assert await ask(urlencode(sorted(itn.pairs))) == "INVALID"
    assert await ask("") == "INVALID"
