"""The page of an invoice: one A4 sheet as PDF, or more where the lines need them.

Lives here: where everything stands. Not here: the facts and their print form (`domain/invoices.py`), where the PDF is
kept (`workflows/billing/invoice_delivery.py`).
The font and the page are those of all our PDFs (`pdf_sheet.py`). The same invoice always gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from fpdf import FPDF, Align
from fpdf.enums import MethodReturnValue

from draggonnb_pipelines.domain.invoices import Invoice, Party, day_in_words, percent, rand
from draggonnb_pipelines.resources.pdf_sheet import (
    FONT,
    GREY,
    INK,
    MARGIN_MM,
    Sheet,
    new_sheet,
    printable,
    rule,
    write,
)


def invoice_pdf(invoice: Invoice) -> bytes:
    """Lay the invoice out."""
    page = _sheet(invoice)
    _heading(page, invoice)
    _parties(page, invoice)
    _lines(page, invoice)
    _totals(page, invoice)
    _payment(page, invoice)
    return bytes(page.output())


def _sheet(invoice: Invoice) -> Sheet:
    return new_sheet(
        title=f"{invoice.title.capitalize()} {invoice.number}",
        author=invoice.seller.name,
        made_on=invoice.issued_on,
        foot=f"{invoice.seller.name}  ·  {invoice.title.lower()} {invoice.number}",
    )


def _heading(page: FPDF, invoice: Invoice) -> None:
    top = page.get_y()
    write(page, 20, invoice.title, bold=True, line_mm=9)
    write(page, 11, invoice.number, color=GREY, line_mm=6)
    bottom = page.get_y()
    page.set_y(top)
    write(page, 12, invoice.seller.name, bold=True, align=Align.R, line_mm=6)
    for line in (*invoice.seller.address, *_vat_of(invoice.seller)):
        write(page, 9, line, align=Align.R, line_mm=4.6)
    page.set_y(max(bottom, page.get_y()) + 5)
    rule(page)


def _parties(page: FPDF, invoice: Invoice) -> None:
    page.ln(4)
    top, half = page.get_y(), page.epw / 2
    write(page, 8, "BILLED TO", color=GREY, width=half)
    write(page, 11, invoice.buyer.name, bold=True, width=half - 5, line_mm=6)
    for line in (*invoice.buyer.address, *_vat_of(invoice.buyer)):
        write(page, 9.5, line, width=half - 5)
    bottom = page.get_y()
    page.set_y(top)
    facts = [("Invoice number", invoice.number), ("Date of issue", day_in_words(invoice.issued_on))]
    facts += [("Paid on", day_in_words(invoice.paid_on)), ("Period", invoice.period)]
    for name, value in facts:
        page.set_x(MARGIN_MM + half)
        write(page, 8, name, color=GREY, width=half)
        page.set_x(MARGIN_MM + half)
        write(page, 9.5, value, width=half)
    page.set_y(max(bottom, page.get_y()) + 8)


def _lines(page: FPDF, invoice: Invoice) -> None:
    included = f", VAT of {percent(invoice.vat_basis_points)} included" if invoice.vat_cents else ""
    _row(page, ("Description", "Quantity", f"Amount{included}"), 8, grey=True)
    rule(page)
    for line in invoice.lines:
        page.ln(2)
        _row(page, (line.description, "1", rand(line.amount_cents)), 10)
        page.ln(2)
        rule(page)


def _totals(page: FPDF, invoice: Invoice) -> None:
    page.ln(3)
    if invoice.seller.vat_number:
        _row(page, ("", "Total without VAT", rand(invoice.net_cents)), 10)
        _row(page, ("", f"VAT at {percent(invoice.vat_basis_points)}", rand(invoice.vat_cents)), 10)
    page.ln(1)
    _row(page, ("", "Total", rand(invoice.amount_cents)), 13, bold=True)
    _row(page, ("", "Paid", rand(invoice.amount_cents)), 10)
    _row(page, ("", "Still to pay", rand(0)), 10)


def _payment(page: FPDF, invoice: Invoice) -> None:
    page.ln(8)
    reference = f", payment {invoice.payment_reference}" if invoice.payment_reference else ""
    write(page, 9, f"Paid by PayFast on {day_in_words(invoice.paid_on)}{reference}. Nothing is owed.")
    if invoice.seller.vat_number:
        words = "All amounts are in South African rand (ZAR). Prices include VAT."
    else:
        words = f"All amounts are in South African rand (ZAR). {invoice.seller.name} is not registered for VAT."
    write(page, 9, words)


def _row(page: FPDF, cells: Sequence[str], size: float, *, bold: bool = False, grey: bool = False) -> None:
    """Three cells, together on one page."""
    widths = (page.epw * 0.50, page.epw * 0.22, page.epw * 0.28)
    line_mm = size * 0.56
    page.set_font(FONT, "B" if bold else "", size)
    measured = (
        page.multi_cell(width, line_mm, printable(page, text), dry_run=True, output=MethodReturnValue.HEIGHT)
        for text, width in zip(cells, widths, strict=True)
    )
    height_mm = max(cast(Iterable[float], measured))
    if page.will_page_break(height_mm):
        page.add_page()
    top, x = page.get_y(), MARGIN_MM
    for text, width, align in zip(cells, widths, (Align.L, Align.R, Align.R), strict=True):
        page.set_xy(x, top)
        write(page, size, text, bold=bold, color=GREY if grey else INK, width=width, align=align, line_mm=line_mm)
        x += width
    page.set_y(top + height_mm)


def _vat_of(party: Party) -> tuple[str, ...]:
    return (f"VAT number {party.vat_number}",) if party.vat_number else ()
