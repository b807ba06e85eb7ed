"""`draggonnb billing payments | settle | recheck`: money for which there was no place, and what a person did about it.

Not here: what an answer does (`workflows/billing/payment_answers.py`), the surface (`billing_verbs.py`).
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import installation, session
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.billing.payment_alerts import described
from draggonnb_pipelines.workflows.billing.payment_answers import check_payment_again, settle_payment
from draggonnb_pipelines.workflows.billing.payment_effects import PAYMENTS

ROWS_SHOWN = 100
REFUSED_FOR = timedelta(days=7)
_STYLES = {"needs_review": "yellow", "rejected": "red"}


def show_payments(*, refused: bool) -> None:
    """A table of what waits, with the question that a person is asked."""

    async def read(settings: Settings) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        async with session(settings) as opened, opened.master.connection() as conn:
            since = now - REFUSED_FOR if refused else now + REFUSED_FOR
            return [row async for row in PAYMENTS.open_payments(conn, refused_since=since, row_limit=ROWS_SHOWN)]

    with installation() as settings:
        rows = asyncio.run(read(settings))
    if not rows:
        console().print("no payment waits")
        return
    shown = table("payment", "received (UTC)", "state", "what it says", "question", unbroken=("payment", "state"))
    for row in rows:
        state = cell(row["state"], _STYLES.get(row["state"], ""))
        shown.add_row(cell(row["id"]), cell(row["received_at"]), state, cell(described(row)), cell(row["reason"]))
    console().print(shown)


def settle(payment_id: UUID, way: str, *, note: str) -> None:
    """Close it.

    Raises:
        OperatorError: it waits for no answer, or for none of this kind.
    """

    async def work(settings: Settings) -> None:
        async with session(settings) as opened:
            await settle_payment(opened.master, payment_id, way, note=note, by=operator(), now=datetime.now(UTC))

    with installation() as settings:
        asyncio.run(work(settings))
    console().print(cell(f"payment {payment_id} is settled: {way}", "green"))


def recheck(payment_id: UUID) -> None:
    """Have it checked again by the next run.

    Raises:
        OperatorError: it was applied or settled.
    """

    async def work(settings: Settings) -> None:
        async with session(settings) as opened:
            await check_payment_again(opened.master, payment_id, by=operator(), now=datetime.now(UTC))

    with installation() as settings:
        asyncio.run(work(settings))
    console().print(f"payment {payment_id} is checked again by the next run")
