"""A server comes back with orders that PayFast has carried out since the dump: nobody is charged or paused twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.billing.subscription_orders import carry_out_orders
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.server_restores import restore_server
from tests.conftest import MakeOrganization
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.backup_work import BY, rows, settings_of
from tests.workflows.billing_work import KEPT_CARD, PRICE, at, charged, open_checkout, orders, pay, place, took
from tests.workflows.operations.test_server_restores import lose


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


@pytest.fixture
async def settings(
    master_dsn: str, make_organization: MakeOrganization, sandbox: Sandbox, box: LetterBox, tmp_path: Path
) -> Settings:
    """A client whose card PayFast keeps, with a charge that is ordered and waits while the backup is taken."""
    settings = settings_of(master_dsn, tmp_path, sandbox.port)
    agency = await make_organization("draggonnb")
    async with open_stack(settings) as stack:
        _, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency), **KEPT_CARD)
        await took(stack, notice)
        await place(stack, "charge", amount_cents=7550, item="Extra posts")
        # Hours ago, so that age alone would say that PayFast has not done it.
        rows(settings.dsn, "update subscription_orders set created_at = created_at - interval '3 hours'")
        await back_up_all(stack, [], by=BY)
    return settings


async def later(stack: Stack, **duration: float) -> list[tuple[str, str]]:
    await carry_out_orders(at(stack, datetime.now(UTC) + timedelta(**duration)), "run-later")
    return await orders(stack)


@pytest.mark.parametrize("was_charged", [True, False])
async def test_a_charge_that_waited_in_the_dump_is_asked_about_before_it_is_made(
    settings: Settings, sandbox: Sandbox, was_charged: bool
):
    if was_charged:
        async with open_stack(settings) as stack:
            await carry_out_orders(stack, "run-1")
    await lose(settings, [])

    await restore_server(settings, by=BY)

    async with open_stack(settings) as stack:
        assert await orders(stack) == [("charge", "unknown")]
        assert await later(stack, minutes=1) == [("charge", "unknown")]
        assert charged(sandbox) == ([PRICE, 7550] if was_charged else [PRICE])
        assert await later(stack, hours=3) == [("charge", "done")]
        await later(stack, hours=4)
        assert charged(sandbox) == [PRICE, 7550]
        assert rows(settings.dsn, "select attempts from subscription_orders") == [{"attempts": 0 if was_charged else 1}]
