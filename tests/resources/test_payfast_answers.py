"""PayFast's answers to the byte: postbacks, refusals inside a success, shapes that nobody documents."""

import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from draggonnb_pipelines.domain.payfast import Frequency
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.payfast_till import payfast
from tests.resources.raw_server import RawServer, answer, hang_up, raw_server, replies

TOKEN = "2afa4575-5628-051a-d0ed-4e071b56a7b0"
SUBSCRIPTION = {
    "token": TOKEN,
    "amount": 150000,
    "cycles": 0,
    "cycles_complete": 1,
    "frequency": 3,
    "run_date": "2026-12-01T00:00:00+02:00",
    "status": 1,
    "status_reason": "",
    "status_text": "Active",
}


async def _no_wait(seconds: float) -> None:
    pass


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(user_agent="test", sleep=_no_wait) as opened:
        yield opened


def said(told: Any, *, status: str = "success", code: int = 200, **data: Any) -> bytes:
    return json.dumps({"code": code, "status": status, "data": {"response": told, **data}}).encode()


async def refused(call: Any) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await call
    return raised.value


async def adhoc(door: HttpDoor, server: RawServer) -> str | None:
    return await payfast(door, server.url).adhoc(TOKEN, amount_cents=500, m_payment_id="a-1", item_name="Extra")


@pytest.mark.parametrize(
    ("body", "is_valid"),
    [(b"VALID", True), (b"VALID\n", True), (b"VALID\r\nx", True), (b"INVALID", False), (b"INVALID\nVALID", False)],
)
async def test_only_the_word_valid_is_a_yes(door: HttpDoor, body: bytes, is_valid: bool) -> None:
    async with raw_server(replies(answer(200, body, content_type="text/html"))) as server:
        assert await payfast(door, server.url).validate_postback("a=1&b=") is is_valid

    (asked,) = server.seen
    assert (asked.method, asked.target, asked.body) == ("POST", "/eng/query/validate", b"a=1&b=")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("body", [b"", b"valid", b"VALIDATED", b"<html>VALID</html>", b"true", b" \nVALID x"])
async def test_any_other_word_is_neither_yes_nor_no(door: HttpDoor, body: bytes) -> None:
    async with raw_server(replies(answer(200, body))) as server:
        error = await refused(payfast(door, server.url).validate_postback("a=1"))

    assert error.error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("status", "error_class", "asked"),
    [
        (500, ErrorClass.RETRY, 4),
        (503, ErrorClass.RETRY, 4),
        (408, ErrorClass.RETRY, 4),
        (429, ErrorClass.THROTTLED, 4),
        (403, ErrorClass.CONFIG, 1),
        (302, ErrorClass.CONFIG, 1),
        (400, ErrorClass.INPUT, 1),
    ],
)
async def test_a_postback_without_an_answer_is_never_a_yes(
    door: HttpDoor, status: int, error_class: ErrorClass, asked: int
) -> None:
    async with raw_server(replies(answer(status, b"VALID"))) as server:
        error = await refused(payfast(door, server.url).validate_postback("a=1"))

    assert (error.error_class, error.status, len(server.seen)) == (error_class, status, asked)


async def test_silence_after_a_postback_is_retried(door: HttpDoor) -> None:
    async with raw_server(hang_up) as server:
        error = await refused(payfast(door, server.url).validate_postback("a=1"))

    assert (error.error_class, len(server.seen)) == (ErrorClass.RETRY, 4)


async def test_a_subscription_is_read_whatever_form_its_numbers_have(door: HttpDoor) -> None:
    odd = {**SUBSCRIPTION, "amount": "150000", "frequency": "6", "run_date": "2026-12-01T22:30:00Z", "status": None}
    async with raw_server(replies(answer(200, said(SUBSCRIPTION)), answer(200, said(odd)))) as server:
        plain, other = [await payfast(door, server.url).fetch(TOKEN) for _ in range(2)]

    assert (plain.amount_cents, plain.status_text, plain.frequency) == (150000, "ACTIVE", Frequency.MONTHLY)
    assert (plain.run_date, plain.cycles, plain.cycles_complete, plain.status) == (date(2026, 12, 1), 0, 1, 1)
    assert (other.amount_cents, other.frequency, other.status) == (150000, Frequency.ANNUAL, None)
    # Half past ten in the evening UTC is the next day in South Africa.
    assert other.run_date == date(2026, 12, 2)


@pytest.mark.parametrize("lack", ["amount", "cycles", "cycles_complete", "status_text"])
async def test_a_subscription_in_an_unknown_shape_is_a_fault_and_not_a_guess(door: HttpDoor, lack: str) -> None:
    told = {name: value for name, value in SUBSCRIPTION.items() if name != lack}
    async with raw_server(replies(answer(200, said(told)))) as server:
        assert (await refused(payfast(door, server.url).fetch(TOKEN))).error_class is ErrorClass.CONFIG


@pytest.mark.parametrize(
    ("status", "body", "error_class", "code"),
    [
        (200, said(False, status="failed"), ErrorClass.INPUT, None),
        (200, said({"code": "51", "reason": "Declined"}), ErrorClass.INPUT, "51"),
        (200, said({"code": 51, "reason": "Declined"}, status="failed"), ErrorClass.INPUT, "51"),
        (200, said(False), ErrorClass.INPUT, None),
        (200, said({"code": 401, "reason": "no"}, status="failed"), ErrorClass.CONFIG, "401"),
        (200, said(False, status="failed", code=500), ErrorClass.AMBIGUOUS, None),
        (200, said(False, status="failed", code=404), ErrorClass.INPUT, None),
        (200, said(None), ErrorClass.AMBIGUOUS, None),
        (200, said("pending"), ErrorClass.AMBIGUOUS, None),
        (200, said(1), ErrorClass.AMBIGUOUS, None),
        (200, b"", ErrorClass.AMBIGUOUS, None),
        (200, b"<html>hello</html>", ErrorClass.AMBIGUOUS, None),
        (200, b"[]", ErrorClass.AMBIGUOUS, None),
        (200, b"true", ErrorClass.AMBIGUOUS, None),
        (400, said(False, status="failed", code=400), ErrorClass.INPUT, None),
        (401, said(False, status="failed", code=401), ErrorClass.CONFIG, None),
        (403, b"", ErrorClass.CONFIG, None),
        (404, b"", ErrorClass.INPUT, None),
        (408, b"", ErrorClass.AMBIGUOUS, None),
        (500, said(True), ErrorClass.AMBIGUOUS, None),
        (302, b"", ErrorClass.CONFIG, None),
    ],
)
async def test_a_charge_is_done_only_where_payfast_says_so(
    door: HttpDoor, status: int, body: bytes, error_class: ErrorClass, code: str | None
) -> None:
    async with raw_server(replies(answer(status, body))) as server:
        error = await refused(adhoc(door, server))

    assert (error.error_class, error.code) == (error_class, code)
    assert len(server.seen) == 1
    assert "Declined" not in str(error)


@pytest.mark.parametrize(
    ("told", "data", "payment"),
    [
        (True, {"pf_payment_id": "77"}, "77"),
        ("true", {"pf_payment_id": 77}, "77"),
        (True, {}, None),
        ("true", {}, None),
    ],
)
async def test_a_charge_is_done_in_the_words_of_the_sandbox_and_of_the_live_system(
    door: HttpDoor, told: Any, data: dict[str, Any], payment: str | None
) -> None:
    async with raw_server(replies(answer(200, said(told, **data)))) as server:
        assert await adhoc(door, server) == payment

    (sent,) = server.seen
    assert (sent.method, sent.target) == ("POST", f"/api/subscriptions/{TOKEN}/adhoc?testing=true")
    assert json.loads(sent.body) == {"amount": 500, "item_name": "Extra", "m_payment_id": "a-1"}


async def test_the_live_system_is_asked_without_testing(door: HttpDoor) -> None:
    async with raw_server(replies(answer(200, said(SUBSCRIPTION)))) as server:
        await payfast(door, server.url, testing=False).fetch(TOKEN)

    assert server.seen[0].target == f"/api/subscriptions/{TOKEN}/fetch"


@pytest.mark.parametrize("status", [200, 400])
async def test_a_cancellation_of_what_is_cancelled_is_done_with_either_status(door: HttpDoor, status: int) -> None:
    message = "Failure - The subscription status is cancelled"
    async with raw_server(replies(answer(status, said(False, status="failed", message=message)))) as server:
        await payfast(door, server.url).cancel(TOKEN)

    assert len(server.seen) == 1
    assert server.seen[0].headers["content-length"] == "0"


async def test_a_cancellation_of_what_is_complete_is_no_cancellation(door: HttpDoor) -> None:
    message = "Failure - The subscription status is complete"
    async with raw_server(replies(answer(400, said(False, status="failed", message=message)))) as server:
        error = await refused(payfast(door, server.url).cancel(TOKEN))

    assert (error.error_class, error.code) == (ErrorClass.INPUT, "complete")
