"""Orders: each reaches PayFast once, whatever is cut off; plans change to the cent; no card is charged twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.billing.subscription_orders import OrderRefused, carry_out_orders, place_order
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    KEPT_CARD,
    PRICE,
    SLUG,
    at,
    charge,
    charged,
    empty_books,
    events,
    open_checkout,
    orders,
    pay,
    payments,
    place,
    receive,
    subscription,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.publishing.test_publish_cuts import Cutter

PAUSE, ADHOC = (
    f"{verb} /payfast/api/subscriptions/{{token}}/{name}" for verb, name in (("PUT", "pause"), ("POST", "adhoc"))
)


@pytest.fixture(autouse=True)
def clean_books(world: World) -> Iterator[None]:
    empty_books(world.dsn)
    yield
    empty_books(world.dsn)


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


@pytest.fixture
async def token(stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox) -> str:
    """PayFast's token of a client that has paid its first month."""
    token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await took(stack, notice)
    return token


@pytest.fixture
async def card(stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox) -> str:
    """The same, of a card that PayFast keeps for charges of ours."""
    token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency), **KEPT_CARD)
    await took(stack, notice)
    return token


async def later(stack: Stack, **duration: float) -> list[str]:
    return await carry_out_orders(at(stack, datetime.now(UTC) + timedelta(**duration)), "run-later")


def calls(sandbox: Sandbox, name: str) -> int:
    return sum(entry["route"].endswith(f"/{name}") for entry in sandbox.journal("payfast"))


async def test_a_pause_leaves_out_its_charges_and_an_unpause_ends_it(
    stack: Stack, token: str, sandbox: Sandbox
) -> None:
    await place(stack, "pause", cycles=2)
    assert await place(stack, "pause", cycles=2) == await place(stack, "pause", cycles=2)

    assert await carry_out_orders(stack, "run-1") == [SLUG]
    paused, there = await subscription(stack), await stack.payfast.fetch(token)
    await place(stack, "unpause")
    await carry_out_orders(stack, "run-2")
    back, there_too = await subscription(stack), await stack.payfast.fetch(token)

    assert (paused["status"], paused["paused_until"]) == ("paused", month_after(month_after(paused["paid_until"])))
    assert (there.status_text, there_too.status_text) == ("PAUSED", "ACTIVE")
    assert (back["status"], back["paused_until"], back["paid_until"]) == ("active", None, paused["paid_until"])
    assert await orders(stack) == [("pause", "done"), ("unpause", "done")]
    assert await events(stack) == ["started", "paid", "paused", "unpaused"]
    assert calls(sandbox, "pause") == 1


@pytest.mark.parametrize("is_heard", [True, False])
async def test_a_pause_whose_answer_is_lost_is_asked_about_and_never_doubled(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox, is_heard: bool
) -> None:
    sandbox.faults(PAUSE, {"kind": "accept_then_drop" if is_heard else "drop_before_accept"})
    await place(stack, "pause")

    await carry_out_orders(stack, "run-1")
    lost = await orders(stack)
    await later(stack, minutes=1)
    await later(stack, minutes=20)

    assert lost == [("pause", "unknown")]
    assert await orders(stack) == [("pause", "done")]
    assert (await subscription(stack))["status"] == "paused"
    assert calls(sandbox, "pause") == (1 if is_heard else 2)
    await charge(sandbox, box, token, outcome="no_itn")  # one charge is left out, and no more
    assert (await stack.payfast.fetch(token)).status_text == "ACTIVE"


async def test_a_cancellation_is_one_with_its_notice(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await place(stack, "cancel")

    await carry_out_orders(stack, "run-1")
    [notice] = [seen.body for seen in await box.requests(1)]
    await took(stack, notice)

    found = await subscription(stack)
    assert (found["status"], found["paid_until"]) == ("cancelled", month_after(found["started_on"]))
    assert await events(stack) == ["started", "paid", "cancelled"]
    assert (await stack.payfast.fetch(token)).status_text == "CANCELLED"
    with pytest.raises(OrderRefused, match="the subscription is cancelled; a new one begins with a new checkout"):
        await place(stack, "pause")


async def test_a_charge_is_made_once_and_its_notice_belongs_to_it(
    stack: Stack, card: str, sandbox: Sandbox, box: LetterBox
) -> None:
    placed = [await place(stack, "charge", amount_cents=7550, item="Extra posts") for _ in range(3)]

    await carry_out_orders(stack, "run-1")
    await carry_out_orders(stack, "run-2")
    [notice] = [seen.body for seen in await box.requests(1)]
    assert await took(stack, notice) == [SLUG]

    assert len(set(placed)) == 1
    assert charged(sandbox) == [PRICE, 7550]
    assert await orders(stack) == [("charge", "done")]
    assert await events(stack) == ["started", "paid", "charged"]
    assert [row["kind"] for row in await payments(stack)] == ["period", "charge"]


@pytest.mark.parametrize("is_heard", [True, False])
async def test_a_charge_whose_answer_is_lost_is_settled_by_the_history(
    stack: Stack, card: str, sandbox: Sandbox, box: LetterBox, is_heard: bool
) -> None:
    sandbox.faults(ADHOC, {"kind": "accept_then_drop" if is_heard else "drop_before_accept"})
    await place(stack, "charge", amount_cents=7550)

    await carry_out_orders(stack, "run-1")
    lost = await orders(stack)
    await later(stack, minutes=1)
    soon = await orders(stack)
    await later(stack, hours=1)
    asked = calls(sandbox, "adhoc")
    await later(stack, hours=3)
    await later(stack, hours=4)

    assert lost == [("charge", "unknown")]
    assert soon == [("charge", "done" if is_heard else "unknown")]
    assert asked == 1
    assert await orders(stack) == [("charge", "done")]
    assert charged(sandbox) == [PRICE, 7550]


async def test_the_notice_of_a_lost_charge_settles_it_too(
    stack: Stack, card: str, sandbox: Sandbox, box: LetterBox
) -> None:
    sandbox.faults(ADHOC, {"kind": "accept_then_drop"})
    await place(stack, "charge", amount_cents=7550)
    await carry_out_orders(stack, "run-1")
    [notice] = [seen.body for seen in await box.requests(1)]

    await took(stack, notice)
    await later(stack, hours=5)

    assert await orders(stack) == [("charge", "done")]
    assert (charged(sandbox), calls(sandbox, "adhoc"), calls(sandbox, "history")) == ([PRICE, 7550], 1, 0)


async def test_a_card_that_the_bank_declines_is_not_charged_again(
    stack: Stack, agency: Organization, card: str, sandbox: Sandbox
) -> None:
    sandbox.faults(ADHOC, {"kind": "declined"})
    await place(stack, "charge", amount_cents=7550)

    await carry_out_orders(stack, "run-1")
    await later(stack, hours=5)

    assert await orders(stack) == [("charge", "refused")]
    assert (charged(sandbox), calls(sandbox, "adhoc")) == ([PRICE], 1)


async def test_an_order_that_payfast_refuses_is_told_once(
    stack: Stack, card: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await place(stack, "charge", amount_cents=7550)
    await stack.payfast.cancel(card)

    await carry_out_orders(stack, "run-1")
    await carry_out_orders(stack, "run-2")

    assert await orders(stack) == [("charge", "refused")]
    assert charged(sandbox) == [PRICE]
    assert [mail["subject"] for mail in sandbox.public("mail")] == ["Not done: charge for kloof-coffee"]


@pytest.mark.parametrize("before", [True, False])
async def test_cut_off_between_any_two_statements_a_card_is_charged_once(
    stack: Stack, world: World, agency: Organization, sandbox: Sandbox, box: LetterBox,
    monkeypatch: pytest.MonkeyPatch, card: str, before: bool,
) -> None:  # fmt: skip
    cutter = _Cut(0, before=before)
    while cutter.was_in_time:
        cutter = _Cut(cutter.at + 1, before=before)
        await place(stack, "charge", f"charge-{cutter.at}", amount_cents=1000 + cutter.at)
        await cutter.run(stack, agency, monkeypatch)
        for hours in (1, 3, 5, 9):
            await later(stack, hours=hours)

        assert charged(sandbox).count(1000 + cutter.at) == 1
        assert {state for _, state in await orders(stack)} == {"done"}
        await receive(stack, *[seen.body for seen in await box.requests(1)])
    await take_notices(stack, "run-9")

    assert cutter.at > 10
    assert [row["state"] for row in await payments(stack)] == ["applied"] * (cutter.at + 1)
    assert (await events(stack)).count("charged") == cutter.at


class _Cut(Cutter):
    async def run(self, stack: Stack, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        with self._counting(monkeypatch):
            self.task = asyncio.create_task(carry_out_orders(stack, f"run-{self.at}"))
            await asyncio.gather(self.task, return_exceptions=True)


async def test_many_runs_at_once_charge_a_card_once(stack: Stack, card: str, sandbox: Sandbox, box: LetterBox) -> None:
    await place(stack, "charge", amount_cents=7550)

    await asyncio.gather(*(carry_out_orders(stack, f"run-{number}") for number in range(6)))

    assert charged(sandbox) == [PRICE, 7550]
    assert await orders(stack) == [("charge", "done")]


@pytest.mark.parametrize(
    ("verb", "what", "words"),
    [
        ("change_plan", {"plan": "platinum"}, "no plan is called 'platinum'"),
        ("change_plan", {"plan": "starter"}, "the plan is 'starter' already"),
        ("charge", {"amount_cents": -100}, r"a charge is between R5.00 and R999999.99, not -100 cents"),
        ("charge", {"amount_cents": 499}, "a charge is between"),
        ("charge", {}, "a charge is between"),
        ("pause", {"cycles": 0}, "a pause leaves out 1 to 12 charges, not 0"),
        ("unpause", {}, "the subscription is active, not paused"),
        ("refund", {}, "no order is called 'refund'"),
    ],
)
async def test_orders_that_make_no_sense_are_refused_by_name(
    stack: Stack, token: str, sandbox: Sandbox, verb: str, what: dict[str, Any], words: str
) -> None:
    with pytest.raises(OrderRefused, match=words):
        await place(stack, verb, **what)

    assert await orders(stack) == []
    assert await carry_out_orders(stack, "run-1") == []


async def test_the_same_order_placed_by_many_at_once_is_one(stack: Stack, token: str) -> None:
    placed = await asyncio.gather(*(place(stack, "pause") for _ in range(8)))

    assert len(set(placed)) == 1
    assert await orders(stack) == [("pause", "waiting")]


async def test_one_order_at_a_time_and_none_for_nobody(stack: Stack, token: str) -> None:
    await place(stack, "pause")

    with pytest.raises(OrderRefused, match="another order for this subscription is not settled yet"):
        await place(stack, "cancel")
    with pytest.raises(OrderRefused, match="outsider has no subscription"):
        await place_order(stack, "outsider", "cancel", key="x", requested_by="operator")
    assert await orders(stack) == [("pause", "waiting")]
