"""A notice that never came: PayFast's history begins the client, it gets its invoice, and the books agree."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import SAST
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.billing.books import compare_books, read_history
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments
from draggonnb_pipelines.workflows.billing.payments import take_notices
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.payfast_till import buy, checkout
from tests.sandbox_process import Sandbox
from tests.workflows.invoice_work import Ledger


@pytest.fixture
async def fresh(master_dsn: str, sandbox: Sandbox) -> AsyncIterator[Stack]:
    """A master database of its own: a client begins in it."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=master_dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=sandbox.port,
        seller_vat_number="4123456789",
    )
    async with open_stack(settings) as stack:
        yield stack


async def test_a_lost_notice_loses_no_payment(
    fresh: Stack, sandbox: Sandbox, make_organization: MakeOrganization, master_dsn: str
) -> None:
    agency, ledger = await make_organization("draggonnb"), Ledger(master_dsn)
    open_checkout(ledger, agency)
    assert (await buy(sandbox, fresh.payfast, checkout(m_payment_id="DRG-lost"))).status_code < 400
    today = datetime.now(SAST).date()
    assert await take_notices(fresh, "run-1") == []

    read = await read_history(fresh, "run-1", today, today)
    assert len(read.missed) == 1
    assert await take_notices(fresh, "run-1") == ["walmer-dental"]
    assert await take_notices(fresh, "run-2") == []
    key = PartitionKey("walmer-dental", datetime.now(SAST).date())
    assert list((await invoice_payments(fresh, "run-1", [key])).done) == [key]
    compared = await compare_books(fresh, "run-1", [key, PartitionKey("draggonnb", key.day)])

    assert [check.passed for report in compared.done.values() for check in report.checks] == [True, True]
    [invoice] = ledger.invoices()
    assert (invoice["number"], invoice["amount_cents"], invoice["period_start"]) == (1, 150000, today)
    assert invoice["buyer"]["name"] == "Walmer Dental"
    assert invoice["buyer"]["email"] == "owner@walmer.example"
    assert ledger.value("select count(*) from provisionings") == 1
    assert (await read_history(fresh, "run-2", today, today)).missed == ()


def open_checkout(ledger: Ledger, agency: Organization) -> None:
    ledger.insert(
        "checkouts",
        {
            "token_sha256": hashlib.sha256(b"lost").digest(),
            "m_payment_id": "DRG-lost",
            "seller_id": agency.id,
            "plan_key": ledger.value("select key from plans order by position limit 1"),
            "amount_cents": 150000,
            "recurring_cents": 150000,
            "company": "Walmer Dental",
            "contact_name": "Front Desk",
            "contact_email": "owner@walmer.example",
            "approved_at": datetime.now(SAST),
            "expires_at": datetime.now(SAST),
        },
    )
