"""The page of an invoice: the stored PDF for who has its address, nothing for anybody else."""

import hashlib
import logging

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from tests.api.conftest import ServeApi
from tests.workflows.invoice_work import Ledger

TOKEN = "i" * 43
PDF = b"%PDF-1.3 as it was stored"


@pytest.fixture
def stored(agency: Organization, master_dsn: str) -> None:
    ledger = Ledger(master_dsn)
    subscription = ledger.subscribe(agency)
    payment = ledger.pay(subscription, "3000001")
    invoice = ledger.value(
        "insert into invoices (organization_id, subscription_id, payment_id, number, period_start, period_end,"
        " net_cents, vat_cents, amount_cents, status, paid_at, token_sha256)"
        " values (%s, %s, %s, 7, '2026-11-23', '2026-12-23', 130435, 19565, 150000, 'paid', now(), %s) returning id",
        *(agency.id, subscription, payment, hashlib.sha256(TOKEN.encode()).digest()),
    )
    digest = hashlib.sha256(PDF).digest()
    ledger.rows("insert into invoice_documents (invoice_id, pdf, pdf_sha256) values (%s, %s, %s)", invoice, PDF, digest)


@pytest.mark.usefixtures("stored")
async def test_the_address_shows_the_pdf_as_it_was_stored_and_nobody_keeps_it(http: httpx.AsyncClient) -> None:
    page = await http.get(f"/invoices/{TOKEN}")

    assert (page.status_code, page.content) == (200, PDF)
    assert page.headers["content-type"] == "application/pdf"
    assert page.headers["content-disposition"] == 'inline; filename="DRG-000007.pdf"'
    assert page.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["referrer-policy"] == "no-referrer"
    head = await http.head(f"/invoices/{TOKEN}")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("token", ["x" * 43, TOKEN[:-1], TOKEN + "i", "%00", "é"])
async def test_any_other_address_shows_nothing(http: httpx.AsyncClient, token: str) -> None:
    page = await http.get(f"/invoices/{token}")

    assert page.status_code == 404
    assert "We cannot find this invoice" in page.text
    assert b"%PDF" not in page.content


@pytest.mark.usefixtures("stored")
async def test_who_asks_too_often_waits_and_no_log_has_the_address(
    serve_api: ServeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "draggonnb_pipelines.api.app")
    with serve_api(api_rate_per_minute=2) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            answers = [(await http.get(f"/invoices/{TOKEN}")).status_code for _ in range(4)]

    assert answers[0] == 200
    assert answers[-1] == 429
    assert "/invoices/{token}" in caplog.text
    assert TOKEN not in caplog.text
