"""PayFast: cards that are kept, and charged by us. No charge may ever happen twice."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from draggonnb_pipelines.domain.payfast import SAST
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast import PayFast
from tests.payfast_till import LetterBox, buy, checkout, letter_box, payfast
from tests.sandbox_process import Sandbox

ADHOC = "POST /payfast/api/subscriptions/{token}/adhoc"


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[PayFast]:
    async with HttpDoor(user_agent="test") as door:
        yield payfast(door, f"{sandbox.url}/payfast")


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


async def keep_card(sandbox: Sandbox, client: PayFast, box: LetterBox, **changes: Any) -> str:
    """The token of a card, or with changes of a subscription."""
    card = {"subscription_type": 2, "amount_cents": 0, "frequency": None, "cycles": None}
    await buy(sandbox, client, checkout(box.url, **(changes or card)))
    (itn,) = await box.notices(1)
    assert itn.token
    return itn.token


async def refused(client: PayFast, token: str) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await client.adhoc(token, amount_cents=7550, m_payment_id="adhoc-1", item_name="Extra")
    return raised.value


async def test_a_kept_card_is_charged_and_the_payment_named(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await keep_card(sandbox, client, box)

    payment = await client.adhoc(token, amount_cents=7550, m_payment_id="adhoc-1", item_name="Extra posts")

    (told,) = await box.notices(1)
    assert (told.pf_payment_id, told.m_payment_id, told.amount_gross_cents) == (payment, "adhoc-1", 7550)
    assert [(one["m_payment_id"], one["amount_cents"]) for one in sandbox.public("payfast")] == [
        ("sub-1", 0),
        ("adhoc-1", 7550),
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_drop"},
        {"kind": "drop_before_accept"},
        {"kind": "cut_body"},
        {"kind": "accept_then_status", "status": 502},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "body": "<html>busy</html>"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}",
)
async def test_a_lost_charge_is_ambiguous_never_repeated_and_found_in_the_history(
    sandbox: Sandbox, client: PayFast, box: LetterBox, fault: dict[str, Any]
) -> None:
    token = await keep_card(sandbox, client, box)
    sandbox.faults(ADHOC, fault)

    error = await refused(client, token)

    today = datetime.now(SAST).date()
    found = [line for line in await client.history(today, today) if line.m_payment_id == "adhoc-1"]
    charged = [one for one in sandbox.public("payfast") if one["m_payment_id"] == "adhoc-1"]
    assert error.error_class is ErrorClass.AMBIGUOUS
    assert [entry["route"] for entry in sandbox.journal("payfast")].count(ADHOC) == 1
    is_done = fault["kind"] in ("accept_then_drop", "cut_body", "accept_then_status")
    assert len(found) == len(charged) == (1 if is_done else 0)


async def test_a_card_that_the_bank_declines_is_no_accident(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await keep_card(sandbox, client, box)
    sandbox.faults(ADHOC, {"kind": "declined"})

    error = await refused(client, token)

    assert (error.error_class, error.code) == (ErrorClass.INPUT, "51")
    assert [one["m_payment_id"] for one in sandbox.public("payfast")] == ["sub-1"]


async def test_a_subscription_cannot_be_charged_by_hand(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = await keep_card(sandbox, client, box, subscription_type=1)

    error = await refused(client, token)

    assert (error.error_class, error.status) == (ErrorClass.INPUT, 400)
    assert len(sandbox.public("payfast")) == 1
