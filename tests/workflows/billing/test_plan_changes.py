"""Plans change to the cent: a larger one now, a smaller one with the next period."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.proration import difference_for_the_rest
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.subscription_orders import carry_out_orders
from draggonnb_pipelines.workflows.billing.subscriptions import tend_subscriptions
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
    subscription,
    took,
)
from tests.workflows.conftest import World

GROWTH = 350000


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


async def test_a_larger_plan_begins_now_and_its_difference_comes_with_the_next_charge(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    begun = await subscription(stack)
    ten_days_on = at(stack, datetime.now(UTC) + timedelta(days=10))
    await place(ten_days_on, "change_plan", plan="growth")
    await carry_out_orders(ten_days_on, "run-1")

    today = south_african_day(ten_days_on.now())
    start, end = begun["started_on"], begun["paid_until"]
    difference = difference_for_the_rest(PRICE, GROWTH, period_start=start, period_end=end, today=today)
    assert 0 < difference < GROWTH - PRICE
    found = await subscription(stack)
    assert (found["plan_key"], found["organization_plan"], found["amount_cents"]) == ("growth", "growth", GROWTH)
    assert (await stack.payfast.fetch(token)).amount_cents == GROWTH + difference

    assert await took(stack, *(await charge(sandbox, box, token))) == [SLUG]
    await tend_subscriptions(stack, "run-2", [PartitionKey(SLUG)])
    assert (await stack.payfast.fetch(token)).amount_cents == GROWTH
    assert await took(stack, *(await charge(sandbox, box, token))) == [SLUG]

    assert charged(sandbox) == [PRICE, GROWTH + difference, GROWTH]
    assert {row["state"] for row in await payments(stack)} == {"applied"}
    assert await events(stack) == ["started", "paid", "plan_changed", "paid", "paid"]


async def test_a_smaller_plan_begins_with_the_next_period(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    terms = {"plan_key": "growth", "amount_cents": GROWTH, "recurring_cents": GROWTH}
    token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency, **terms))
    await took(stack, notice)
    await place(stack, "change_plan", plan="starter")

    await carry_out_orders(stack, "run-1")
    noted = await subscription(stack)
    await took(stack, *(await charge(sandbox, box, token)))
    after = await subscription(stack)

    assert (noted["plan_key"], noted["amount_cents"]) == ("growth", GROWTH)
    assert (noted["next_plan_key"], noted["next_amount_cents"], noted["next_from"]) == (
        "starter",
        PRICE,
        noted["paid_until"],
    )
    assert (after["plan_key"], after["organization_plan"], after["amount_cents"]) == ("starter", "starter", PRICE)
    assert (after["next_plan_key"], after["next_from"]) == (None, None)
    assert charged(sandbox) == [GROWTH, PRICE]


async def test_a_larger_plan_on_a_kept_card_is_charged_at_once(
    stack: Stack, card: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await place(stack, "change_plan", plan="growth")

    await carry_out_orders(stack, "run-1")
    [notice] = [seen.body for seen in await box.requests(1)]
    await took(stack, notice)

    assert charged(sandbox) == [PRICE, GROWTH - PRICE]  # on the first day: all of the difference
    assert await orders(stack) == [("change_plan", "done"), ("charge", "done")]
    assert (await subscription(stack))["plan_key"] == "growth"
    assert [row["kind"] for row in await payments(stack)] == ["period", "charge"]
