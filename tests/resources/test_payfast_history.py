"""PayFast's history: CSV that is read by the names of its columns, page by page, or refused."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources import payfast as adapter
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast_wire import Transaction
from tests.payfast_till import payfast
from tests.resources.raw_server import answer, raw_server, replies

COLUMNS = (
    'Date,Type,Sign,Party,Name,Description,Currency,"Funding Type",Gross,Fee,Net,Balance,"M Payment ID","PF Payment ID"'
)
LINE = (
    '"2026-11-17 01:00:00",FUNDS_RECEIVED,CREDIT,"Desk, T","Starter",,ZAR,CC,"1,500.00",-54.50,"1,445.50","9",sub-1,77'
)
BACK = '"2026-11-18 10:00:00","Funds Received (Reversal)",debit,,,,ZAR,CC,-60.00,1.84,-58.16,"9",sub-2,78'


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(user_agent="test") as opened:
        yield opened


async def refused(call: Any) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await call
    return raised.value


async def history(door: HttpDoor, *bodies: bytes) -> list[Transaction]:
    async with raw_server(replies(*(answer(200, body) for body in bodies))) as server:
        return await payfast(door, server.url).history(date(2026, 11, 1), date(2026, 11, 30))


@pytest.mark.parametrize("is_wrapped", [False, True], ids=["csv", "csv in json"])
async def test_the_history_is_read_in_cents_and_utc(door: HttpDoor, is_wrapped: bool) -> None:
    text = "\n".join((COLUMNS, LINE, BACK))
    body = json.dumps({"response": text}).encode() if is_wrapped else b"\xef\xbb\xbf" + text.encode()

    paid, back = await history(door, body)

    assert paid == Transaction(
        at=datetime(2026, 11, 16, 23, 0, tzinfo=UTC),
        type="FUNDS_RECEIVED",
        sign="CREDIT",
        currency="ZAR",
        gross_cents=150000,
        fee_cents=-5450,
        net_cents=144550,
        m_payment_id="sub-1",
        pf_payment_id="77",
    )
    assert (back.type, back.sign, back.gross_cents, back.fee_cents) == (
        "Funds Received (Reversal)",
        "DEBIT",
        -6000,
        184,
    )


async def test_columns_may_change_their_places_and_gain_neighbours(door: HttpDoor) -> None:
    names = '"PF Payment ID","M Payment ID","E-mail",Net,Fee,Gross,CURRENCY,Sign,Type,Date'
    (paid,) = await history(door, f'{names}\n77,sub-1,x,9.00,-1.00,10.00,ZAR,CREDIT,F,"2026-11-17 01:00:00"'.encode())

    assert (paid.pf_payment_id, paid.m_payment_id, paid.gross_cents, paid.net_cents) == ("77", "sub-1", 1000, 900)


async def test_a_month_without_payments_is_a_header(door: HttpDoor) -> None:
    assert await history(door, COLUMNS.encode()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"<html>maintenance</html>",
        b"Service Unavailable",
        COLUMNS.replace("Gross", "Total").encode(),
        f"{COLUMNS}\n{LINE},one more".encode(),
        f"{COLUMNS}\n{LINE[:-3]}".encode(),
        f"{COLUMNS}\n{LINE}\nTotal".encode(),
        f"{COLUMNS}\n{LINE.replace('1,500.00', 'R1500')}".encode(),
        f"{COLUMNS}\n{LINE.replace('2026-11-17', '17 Nov')}".encode(),
        f'{COLUMNS}\n"an open quote'.encode(),
        b'{"response": "nothing"}',
    ],
)
async def test_a_history_that_is_not_understood_is_never_an_empty_one(door: HttpDoor, body: bytes) -> None:
    error = await refused(history(door, body))

    assert error.error_class is ErrorClass.CONFIG
    assert "Desk" not in str(error)


async def test_a_refused_history_is_refused(door: HttpDoor) -> None:
    error = await refused(history(door, b'{"code": 401, "status": "failed", "data": {"response": false}}'))

    assert error.error_class is ErrorClass.CONFIG


def page_of(first: int, size: int) -> bytes:
    lines = [LINE[: -len("77")] + str(number) for number in range(first, first + size)]
    return "\n".join((COLUMNS, *lines)).encode()


async def test_the_history_is_read_page_by_page(door: HttpDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "HISTORY_PAGE", 3)
    pages = (page_of(1, 3), page_of(4, 3), page_of(7, 1))
    async with raw_server(replies(*(answer(200, page) for page in pages))) as server:
        found = await payfast(door, server.url).history(date(2026, 11, 1), date(2026, 11, 30))

    assert [line.pf_payment_id for line in found] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [seen.target.partition("?")[2] for seen in server.seen] == [
        f"from=2026-11-01&to=2026-11-30&offset={offset}&limit=3&testing=true" for offset in (0, 3, 6)
    ]
    assert len({seen.headers["signature"] for seen in server.seen}) == 3


async def test_pages_that_overlap_are_counted_once(door: HttpDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "HISTORY_PAGE", 3)

    assert len(await history(door, page_of(1, 3), page_of(3, 3), b"")) == 5


async def test_a_history_that_does_not_move_on_is_a_fault(door: HttpDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "HISTORY_PAGE", 3)

    error = await refused(history(door, page_of(1, 3)))

    assert (error.error_class, error.message) == (ErrorClass.CONFIG, "the history comes back with the same page")
