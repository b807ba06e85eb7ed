"""The page of an invoice, read back as a reader of PDFs reads it."""

import io
from dataclasses import replace
from datetime import date

import pytest
from pypdf import PdfReader

from draggonnb_pipelines.domain.invoices import Invoice, Line, Party
from draggonnb_pipelines.resources.invoice_pdf import invoice_pdf

INVOICE = Invoice(
    number="DRG-000042",
    kind="period",
    issued_on=date(2026, 11, 24),
    paid_on=date(2026, 11, 23),
    payment_reference="3000001",
    period_start=date(2026, 11, 23),
    period_end=date(2026, 12, 23),
    net_cents=130435,
    vat_cents=19565,
    amount_cents=150000,
    vat_basis_points=1500,
    seller=Party("DraggonnB (Pty) Ltd", ("12 Loop Street", "Cape Town"), "4123456789"),
    buyer=Party("Kloof Street Coffee", ("Front Desk",)),
    lines=(Line("DraggonnB CRMM, plan Growth, one month", 150000),),
)


def text_of(invoice: Invoice) -> str:
    """All pages' text, with plain spaces."""
    reader = PdfReader(io.BytesIO(invoice_pdf(invoice)))
    return "\n".join(page.extract_text() for page in reader.pages).replace("\u00a0", " ")


def test_a_tax_invoice_shows_all_that_the_law_asks_for() -> None:
    text = text_of(INVOICE)

    for shown in (
        "TAX INVOICE",
        "DRG-000042",
        "DraggonnB (Pty) Ltd",
        "12 Loop Street",
        "VAT number 4123456789",
        "Kloof Street Coffee",
        "Front Desk",
        "24 November 2026",
        "23 November 2026 to 22 December 2026",
        "DraggonnB CRMM, plan Growth, one month",
        "Total without VAT",
        "R 1 304,35",
        "VAT at 15 %",
        "R 195,65",
        "R 1 500,00",
        "payment 3000001",
    ):
        assert shown in text
    assert PdfReader(io.BytesIO(invoice_pdf(INVOICE))).get_num_pages() == 1


def test_who_is_not_registered_for_vat_writes_a_plain_invoice_and_claims_none() -> None:
    seller = replace(INVOICE.seller, vat_number=None)

    text = text_of(replace(INVOICE, seller=seller, net_cents=150000, vat_cents=0, vat_basis_points=0))

    assert text.startswith("INVOICE")
    assert "not registered for VAT" in text
    for claimed in ("TAX INVOICE", "VAT number", "VAT at", "without VAT", "15 %", "included"):
        assert claimed not in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Tshikhuḓo ḽa Ṱhohoyanḓou", "Tshikhuḓo ḽa Ṱhohoyanḓou"),
        ("Œuvre Żółć Ελλάς Ярослав", "Œuvre Żółć Ελλάς Ярослав"),
        ("Cafe\u0301", "Café"),
        ("株式会社 Kloof", "ZhuShiHuiShe Kloof"),
        ("Kloof\u202e\u0000 Coffee", "Kloof Coffee"),
        ("**Kloof** <b>__x__</b>", "**Kloof** <b>__x__</b>"),
    ],
)
def test_names_of_any_script_are_printed(name: str, shown: str) -> None:
    assert shown in text_of(replace(INVOICE, buyer=Party(name)))


def test_long_names_and_many_lines_go_on_below_and_on_the_next_page() -> None:
    lines = tuple(Line(f"Charge {number}; " + "for the campaign " * 12, 100) for number in range(20))

    text = text_of(replace(INVOICE, buyer=Party("Very long name " * 13), lines=lines))

    for number in range(20):
        assert f"Charge {number};" in text
    assert "page 4 of 4" in text


def test_the_same_invoice_is_the_same_bytes() -> None:
    assert invoice_pdf(INVOICE) == invoice_pdf(INVOICE)
    assert invoice_pdf(INVOICE) != invoice_pdf(replace(INVOICE, number="DRG-000043"))
