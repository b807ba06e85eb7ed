"""Charges, forged notices and the API of the sandbox's PayFast, as tests and demos play them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.itn import Itn, parse_itn
from draggonnb_pipelines.domain.payfast import SAST
from draggonnb_pipelines.domain.payfast_signatures import itn_signature
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast import PayFast
from tests.payfast_till import MERCHANT, PASSPHRASE, RETURN_URL, LetterBox, buy, checkout, control, letter_box, visit
from tests.payfast_till import payfast as account
from tests.sandbox_process import Sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[PayFast]:
    async with HttpDoor(user_agent="test") as door:
        yield account(door, f"{sandbox.url}/payfast")


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


async def subscribe(sandbox: Sandbox, client: PayFast, box: LetterBox, **changes: Any) -> Itn:
    """Buy, and the notice of the first payment."""
    await buy(sandbox, client, checkout(box.url, **changes))
    (itn,) = await box.notices(1)
    return itn


async def test_a_recurring_charge_is_paid_and_told_and_moves_the_date_on(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    first = await subscribe(sandbox, client, box, billing_date=date(2026, 1, 31))
    played = (await control(sandbox, "charge", token=first.token, outcome="complete", times=2)).json()
    told = [first, *await box.notices(2)]

    assert played["pf_payment_ids"] == sorted(itn.pf_payment_id or "" for itn in told[1:])
    assert played["subscription"]["cycles_complete"] == 3
    # A month after the 31st of January is the 28th of February, and so on from there.
    assert played["subscription"]["run_date"] == "2026-04-28"
    assert {itn.billing_date for itn in told} == {date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 28)}
    assert len({itn.key for itn in told}) == 3
    assert {itn.m_payment_id for itn in told} == {"sub-1"}
    assert len(sandbox.public("payfast")) == 3


async def test_a_failed_charge_says_nothing_stands_still_and_locks_the_third_time(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    first = await subscribe(sandbox, client, box)
    before = (await client.fetch(first.token or "")).run_date

    once = (await control(sandbox, "charge", token=first.token, outcome="failed")).json()["subscription"]
    thrice = (await control(sandbox, "charge", token=first.token, outcome="failed", times=2)).json()["subscription"]

    assert (once["status_text"], once["cycles_complete"]) == ("ACTIVE", 1)
    assert (thrice["status_text"], thrice["run_date"]) == ("LOCKED", before.isoformat() if before else None)
    assert await box.notices(0) == []
    assert len(sandbox.public("payfast")) == 1


async def test_a_charge_without_a_notice_is_real_and_in_the_history(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    first = await subscribe(sandbox, client, box)
    (missed,) = (await control(sandbox, "charge", token=first.token, outcome="no_itn")).json()["pf_payment_ids"]

    assert await box.notices(0) == []
    assert [paid["pf_payment_id"] for paid in sandbox.public("payfast")] == [first.pf_payment_id, missed]
    assert (await control(sandbox, "itn", pf_payment_id=missed)).json() == {"statuses": [200]}
    (late,) = await box.notices(1)
    assert (late.pf_payment_id, late.signature) == (missed, itn_signature(late.pairs, PASSPHRASE))
    assert await client.validate_postback(late.param_string)


async def test_a_subscription_ends_with_its_last_cycle(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    first = await subscribe(sandbox, client, box, cycles=2)

    played = (await control(sandbox, "charge", token=first.token)).json()["subscription"]
    refused = await control(sandbox, "charge", token=first.token)

    assert (played["status_text"], played["cycles_complete"]) == ("COMPLETE", 2)
    assert (refused.status_code, refused.json()) == (400, {"error": "the subscription is complete"})


async def test_a_trial_begins_on_its_billing_date(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    later = datetime.now(SAST).date() + timedelta(days=30)
    changes = {"amount_cents": 0, "recurring_amount_cents": 150000, "billing_date": later}
    first = await subscribe(sandbox, client, box, **changes)
    found = await client.fetch(first.token or "")

    assert (first.amount_gross_cents, first.amount_fee_cents, first.billing_date) == (0, 0, later)
    assert (found.amount_cents, found.cycles_complete, found.run_date) == (150000, 0, later)


async def test_forged_notices_come_from_elsewhere_and_are_not_confirmed(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    itn = await subscribe(sandbox, client, box)
    forged = [(name, "sub-2" if name == "m_payment_id" else value) for name, value in itn.pairs]
    url = box.url

    assert (await control(sandbox, "itn", url=url, fields=forged, times=2)).json() == {"statuses": [200, 200]}
    assert (await control(sandbox, "itn", url=url, body="nonsense", source="127.0.0.2")).json() == {"statuses": [200]}

    first, second, third = await box.requests(3)
    assert (second.body, third.body) == (first.body, b"nonsense")
    lie = parse_itn(first.body)
    assert (lie.m_payment_id, lie.signature) == ("sub-2", itn_signature(lie.pairs, PASSPHRASE))
    assert not await client.validate_postback(lie.param_string)
    assert len(sandbox.public("payfast")) == 1


async def test_the_address_that_a_notice_comes_from_can_be_another(sandbox: Sandbox) -> None:
    peers: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        for source in ("", "127.0.0.2"):
            await control(sandbox, "itn", url=url, body="x", source=source)

    assert peers == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("charge", {"token": "unknown"}),
        ("charge", {}),
        ("itn", {}),
        ("itn", {"pf_payment_id": "7"}),
        ("itn", {"url": "http://127.0.0.1:9/"}),
    ],
)
async def test_the_control_surface_says_what_it_cannot_do(sandbox: Sandbox, name: str, body: dict[str, Any]) -> None:
    answer = await control(sandbox, name, **body)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])


async def test_a_new_card_unlocks_a_subscription(sandbox: Sandbox, client: PayFast, box: LetterBox) -> None:
    token = (await subscribe(sandbox, client, box)).token or ""
    await control(sandbox, "charge", token=token, outcome="failed", times=3)
    page = await visit("GET", client.card_update_url(token, RETURN_URL))
    back = await visit("POST", f"{sandbox.url}/payfast/eng/recurring/update/{token}", data={"return": RETURN_URL})

    assert (page.status_code, f'value="{RETURN_URL}"' in page.text) == (200, True)
    assert (back.status_code, back.headers["location"]) == (303, RETURN_URL)
    assert (await client.fetch(token)).status_text == "ACTIVE"


@pytest.mark.parametrize("path", ["/ping", "/subscriptions/unknown-token/fetch", "/transactions/history"])
def test_the_api_is_closed_without_a_signature(sandbox: Sandbox, path: str) -> None:
    headers = {"merchant-id": MERCHANT["merchant_id"], "version": "v1", "timestamp": "2026-11-23T08:30:00"}
    answer = httpx.get(f"{sandbox.url}/payfast/api{path}?testing=true", headers=headers)

    assert (answer.status_code, answer.json()["data"]["message"]) == (401, "Merchant authorization failed.")


async def test_reset_forgets_payments_subscriptions_and_notices(
    sandbox: Sandbox, client: PayFast, box: LetterBox
) -> None:
    itn = await subscribe(sandbox, client, box)

    sandbox.reset()

    assert sandbox.public("payfast") == []
    assert not await client.validate_postback(itn.param_string)
    assert (await control(sandbox, "charge", token=itn.token)).status_code == 400
