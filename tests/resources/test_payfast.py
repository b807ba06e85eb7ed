"""PayFast: against the sandbox, from the form of a checkout to the end of a subscription."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.itn import check_itn
from draggonnb_pipelines.domain.payfast import Frequency
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast import PayFast
from draggonnb_pipelines.resources.payfast_wire import Subscription
from draggonnb_pipelines.resources.redaction import redact
from draggonnb_pipelines.settings import Settings
from tests.payfast_till import LetterBox, buy, checkout, control, letter_box, payfast
from tests.sandbox_process import Sandbox

API = "/payfast/api/subscriptions/{token}"


class Waits(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(user_agent="test", sleep=Waits()) as opened:
        yield opened


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


@pytest.fixture
def client(door: HttpDoor, sandbox: Sandbox) -> PayFast:
    return payfast(door, f"{sandbox.url}/payfast")


async def subscribe(sandbox: Sandbox, client: PayFast, box: LetterBox, **changes: Any) -> str:
    """The token of a new subscription."""
    await buy(sandbox, client, checkout(box.url, **changes))
    (itn,) = await box.notices(1)
    assert itn.token
    return itn.token


def calls(sandbox: Sandbox, end: str) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.journal("payfast") if entry["path"].endswith(end)]


async def refused(call: Any) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await call
    return raised.value


async def test_a_payment_goes_from_the_form_to_a_notice_that_passes_every_check(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    back = await buy(sandbox, client, checkout(box.url))
    (itn,) = await box.notices(1)

    settings = Settings(sandbox_port=sandbox.port)
    merchant_id, _, passphrase = settings.payfast_account
    verdicts = check_itn(
        itn,
        passphrase=passphrase,
        merchant_id=merchant_id,
        source_ip="127.0.0.1",
        networks=settings.payfast_networks,
        expected_cents=150000,
    )
    assert verdicts.failed == ()
    assert await client.validate_postback(itn.param_string) is True
    assert (back.status_code, itn.m_payment_id, itn.field("custom_str1")) == (303, "sub-1", "org-1")


async def test_the_form_is_only_made_and_not_sent(sandbox: Sandbox, client: PayFast) -> None:
    url, fields = client.checkout_form(checkout())

    assert url == f"{sandbox.url}/payfast/eng/process"
    assert ([name for name, _ in fields][:2], fields[-1][0]) == (["merchant_id", "merchant_key"], "signature")
    assert sandbox.journal() == []


async def test_a_subscription_is_fetched_paused_resumed_changed_and_cancelled(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    token = await subscribe(sandbox, client, box, billing_date=date(2026, 12, 1))
    assert await client.fetch(token) == Subscription(
        token, 1, "ACTIVE", "", 150000, 0, 0, Frequency.MONTHLY, date(2026, 12, 1)
    )

    await client.pause(token, 2)
    assert (await client.fetch(token)).status_text == "PAUSED"
    await client.unpause(token)
    assert (await client.fetch(token)).status_text == "ACTIVE"
    await client.update(token, amount_cents=250000, frequency=Frequency.ANNUAL, cycles=5, run_date=date(2027, 1, 31))
    changed = await client.fetch(token)
    assert (changed.amount_cents, changed.frequency, changed.cycles) == (250000, Frequency.ANNUAL, 5)
    assert changed.run_date == date(2027, 1, 31)
    await client.cancel(token)
    assert (await client.fetch(token)).status_text == "CANCELLED"

    (told,) = await box.notices(1)
    assert (told.payment_status, told.pf_payment_id, told.token) == ("CANCELLED", None, token)
    assert await client.validate_postback(told.param_string)
    assert len(sandbox.public("payfast")) == 1


async def test_what_is_cancelled_already_is_done_and_can_do_nothing_else(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    token = await subscribe(sandbox, client, box)
    await client.cancel(token)
    await client.cancel(token)
    await box.notices(1)

    for call in (client.pause(token), client.unpause(token), client.update(token, cycles=1)):
        error = await refused(call)
        assert (error.error_class, error.code, error.status) == (ErrorClass.INPUT, "cancelled", 400)
    assert await box.notices(0) == []


async def test_an_unknown_token_and_one_that_is_none_are_refused(sandbox: Sandbox, client: PayFast) -> None:
    error = await refused(client.fetch("2afa4575-5628-051a-d0ed-4e071b56a7b0"))
    assert (error.error_class, error.status) == (ErrorClass.INPUT, 404)
    assert (await refused(client.cancel("2afa4575-5628-051a-d0ed-4e071b56a7b0"))).status == 404
    asked = len(sandbox.journal("payfast"))

    for token in ("", "../ping", "a b", "x" * 65):
        assert (await refused(client.cancel(token))).error_class is ErrorClass.INPUT
    assert (await refused(client.update("2afa4575-5628-051a-d0ed-4e071b56a7b0"))).error_class is ErrorClass.INPUT
    assert len(sandbox.journal("payfast")) == asked


async def test_the_credentials_are_proven_by_a_ping(door: HttpDoor, sandbox: Sandbox, client: PayFast) -> None:
    await client.ping()

    (asked,) = sandbox.journal("payfast")
    assert (asked["headers"]["version"], asked["headers"]["merchant-id"]) == ("v1", "10000100")
    base, late = f"{sandbox.url}/payfast", datetime.now(UTC) - timedelta(hours=1)
    for wrong in ({"passphrase": "other"}, {"merchant_id": "10000101"}, {"testing": False}, {"now": lambda: late}):
        error = await refused(payfast(door, base, **wrong).ping())
        assert (error.error_class, error.status) == (ErrorClass.CONFIG, 401)
    assert len(sandbox.journal("payfast")) == 5


async def test_the_time_stamp_is_that_of_south_africa(door: HttpDoor, sandbox: Sandbox) -> None:
    clock = datetime(2025, 11, 23, 23, 30, 15, 999, UTC)  # long ago: the sandbox refuses it

    await refused(payfast(door, f"{sandbox.url}/payfast", now=lambda: clock).ping())

    (asked,) = sandbox.journal("payfast")
    assert asked["headers"]["timestamp"] == "2025-11-24T01:30:15+02:00"


async def test_cancelling_sends_an_empty_body_and_says_so(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await subscribe(sandbox, client, box)

    await client.cancel(token)

    (sent,) = calls(sandbox, "/cancel")
    assert (sent["method"], sent["body"], sent["headers"]["content-length"]) == ("PUT", None, "0")


async def test_a_lost_pause_is_ambiguous_and_not_added_to(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await subscribe(sandbox, client, box)
    sandbox.faults(f"PUT {API}/pause", {"kind": "accept_then_drop"})

    error = await refused(client.pause(token))

    assert (error.error_class, len(calls(sandbox, "/pause"))) == (ErrorClass.AMBIGUOUS, 1)
    assert (await client.fetch(token)).status_text == "PAUSED"


async def test_a_lost_cancellation_is_repeated_and_done_once(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await subscribe(sandbox, client, box)
    sandbox.faults(f"PUT {API}/cancel", {"kind": "accept_then_drop"})

    await client.cancel(token)

    assert len(calls(sandbox, "/cancel")) == 2
    assert [itn.payment_status for itn in await box.notices(1)] == ["CANCELLED"]


async def test_a_quota_is_waited_for(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await subscribe(sandbox, client, box)
    sandbox.faults(f"GET {API}/fetch", {"kind": "rate_limit", "retry_after": 2})

    assert (await client.fetch(token)).status_text == "ACTIVE"
    assert [entry["status"] for entry in calls(sandbox, "/fetch")] == [429, 200]


async def test_a_charge_that_failed_shows_in_the_date_that_stands_still(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    token = await subscribe(sandbox, client, box, billing_date=date(2026, 12, 1))

    await control(sandbox, "charge", token=token, outcome="failed", times=3)

    found = await client.fetch(token)
    assert (found.run_date, found.status_text, found.status_reason) == (
        date(2026, 12, 1),
        "LOCKED",
        "Insufficient funds",
    )
    assert await box.notices(0) == []


async def test_the_page_for_a_new_card_is_beside_the_checkout(door: HttpDoor) -> None:
    client = payfast(door, "unused", process_url="https://www.payfast.co.za/eng/process")

    url = client.card_update_url("2afa4575-5628-051a-d0ed-4e071b56a7b0", "https://crm.example/r?a=1&b=2")

    assert url == (
        "https://www.payfast.co.za/eng/recurring/update/2afa4575-5628-051a-d0ed-4e071b56a7b0"
        "?return=https%3A%2F%2Fcrm.example%2Fr%3Fa%3D1%26b%3D2"
    )
    assert redact(url).startswith("https://www.payfast.co.za/eng/recurring/update/[redacted]?")


async def test_no_signature_passphrase_or_token_reaches_the_log(
    sandbox: Sandbox, client: PayFast, box: LetterBox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="draggonnb_pipelines")
    token = await subscribe(sandbox, client, box)
    sandbox.faults(f"GET {API}/fetch", {"kind": "status", "status": 500})

    await client.fetch(token)

    sent = calls(sandbox, "/fetch")
    assert len([line for line in caplog.messages if "/subscriptions/[redacted]/fetch" in line]) == len(sent) == 2
    for secret in (token, sent[0]["headers"]["signature"], "jt7NOE43FZPn", "46f0cd694581a"):
        assert secret not in caplog.text


async def test_the_pages_work_without_a_script(sandbox: Sandbox, client: PayFast) -> None:
    url, fields = client.checkout_form(checkout())

    async with httpx.AsyncClient() as browser:
        page = await browser.post(url, data=dict(fields))

    assert ("Starter &amp; more" in page.text, "<script" in page.text) == (True, False)
