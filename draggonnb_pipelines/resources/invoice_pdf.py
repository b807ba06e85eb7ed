"""The page of an invoice: one A4 sheet as PDF, or more where the lines need them.

Lives here: where everything stands. Not here: the facts and their print form (`domain/invoices.py`), where the PDF is
kept (`workflows/invoice_delivery.py`).
The same invoice always gives the same bytes. The font is embedded; what it has no glyph for (Chinese, Amharic) is
written in Latin letters, so that no part of a name is lost.
"""

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import cast

from anyascii import anyascii
from fpdf import FPDF, Align, XPos, YPos
from fpdf.enums import MethodReturnValue
from fpdf.fonts import TTFFont

from draggonnb_pipelines.domain.invoices import Invoice, Party, day_in_words, percent, rand

_FONTS = Path(__file__).parent / "fonts"
_FONT = "DejaVu"
_MARGIN_MM = 20.0
_GREY = (96, 96, 104)
_RULE = (200, 200, 206)
_LINE_MM = 5.2
# It tells at length which tables of the font it keeps.
logging.getLogger("fontTools").setLevel(logging.WARNING)


def invoice_pdf(invoice: Invoice) -> bytes:
    """Lay the invoice out."""
    page = _sheet(invoice)
    _heading(page, invoice)
    _parties(page, invoice)
    _lines(page, invoice)
    _totals(page, invoice)
    _payment(page, invoice)
    return bytes(page.output())


class _Sheet(FPDF):
    """A4 with a foot on every page."""

    foot = ""

    def footer(self) -> None:
        self.set_y(-16)
        _write(self, 8, self.foot + f"  ·  page {self.page_no()} of {{nb}}", grey=True)


def _sheet(invoice: Invoice) -> _Sheet:
    page = _Sheet(format="A4")
    page.set_margin(_MARGIN_MM)
    page.c_margin = 0
    page.set_auto_page_break(True, margin=24)
    page.add_font(_FONT, "", _FONTS / "DejaVuSansCondensed.ttf")
    page.add_font(_FONT, "B", _FONTS / "DejaVuSansCondensed-Bold.ttf")
    page.set_title(f"{invoice.title.capitalize()} {invoice.number}")
    page.set_author(invoice.seller.name)
    page.set_lang("en-ZA")
    page.set_creation_date(datetime.combine(invoice.issued_on, time(), UTC))
    page.foot = f"{invoice.seller.name}  ·  {invoice.title.lower()} {invoice.number}"
    page.add_page()
    return page


def _heading(page: FPDF, invoice: Invoice) -> None:
    top = page.get_y()
    _write(page, 20, invoice.title, bold=True, line_mm=9)
    _write(page, 11, invoice.number, grey=True, line_mm=6)
    bottom = page.get_y()
    page.set_y(top)
    _write(page, 12, invoice.seller.name, bold=True, align=Align.R, line_mm=6)
    for line in (*invoice.seller.address, *_vat_of(invoice.seller)):
        _write(page, 9, line, align=Align.R, line_mm=4.6)
    page.set_y(max(bottom, page.get_y()) + 5)
    _rule(page)


def _parties(page: FPDF, invoice: Invoice) -> None:
    page.ln(4)
    top, half = page.get_y(), page.epw / 2
    _write(page, 8, "BILLED TO", grey=True, width=half)
    _write(page, 11, invoice.buyer.name, bold=True, width=half - 5, line_mm=6)
    for line in (*invoice.buyer.address, *_vat_of(invoice.buyer)):
        _write(page, 9.5, line, width=half - 5)
    bottom = page.get_y()
    page.set_y(top)
    facts = [("Invoice number", invoice.number), ("Date of issue", day_in_words(invoice.issued_on))]
    facts += [("Paid on", day_in_words(invoice.paid_on)), ("Period", invoice.period)]
    for name, value in facts:
        page.set_x(_MARGIN_MM + half)
        _write(page, 8, name, grey=True, width=half)
        page.set_x(_MARGIN_MM + half)
        _write(page, 9.5, value, width=half)
    page.set_y(max(bottom, page.get_y()) + 8)


def _lines(page: FPDF, invoice: Invoice) -> None:
    included = f", VAT of {percent(invoice.vat_basis_points)} included" if invoice.vat_cents else ""
    _row(page, ("Description", "Quantity", f"Amount{included}"), 8, grey=True)
    _rule(page)
    for line in invoice.lines:
        page.ln(2)
        _row(page, (line.description, "1", rand(line.amount_cents)), 10)
        page.ln(2)
        _rule(page)


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
    _write(page, 9, f"Paid by PayFast on {day_in_words(invoice.paid_on)}{reference}. Nothing is owed.")
    if invoice.seller.vat_number:
        words = "All amounts are in South African rand (ZAR). Prices include VAT."
    else:
        words = f"All amounts are in South African rand (ZAR). {invoice.seller.name} is not registered for VAT."
    _write(page, 9, words)


def _row(page: FPDF, cells: Sequence[str], size: float, *, bold: bool = False, grey: bool = False) -> None:
    """Three cells, together on one page."""
    widths = (page.epw * 0.50, page.epw * 0.22, page.epw * 0.28)
    line_mm = size * 0.56
    page.set_font(_FONT, "B" if bold else "", size)
    measured = (
        page.multi_cell(width, line_mm, _printable(page, text), dry_run=True, output=MethodReturnValue.HEIGHT)
        for text, width in zip(cells, widths, strict=True)
    )
    height_mm = max(cast(Iterable[float], measured))
    if page.will_page_break(height_mm):
        page.add_page()
    top, x = page.get_y(), _MARGIN_MM
    for text, width, align in zip(cells, widths, (Align.L, Align.R, Align.R), strict=True):
        page.set_xy(x, top)
        _write(page, size, text, bold=bold, grey=grey, width=width, align=align, line_mm=line_mm)
        x += width
    page.set_y(top + height_mm)


def _write(
    page: FPDF,
    size: float,
    text: str,
    *,
    bold: bool = False,
    grey: bool = False,
    width: float = 0,
    align: Align = Align.L,
    line_mm: float = _LINE_MM,
) -> None:
    """Text at the current place, wrapped at the width; the next one begins below it."""
    page.set_font(_FONT, "B" if bold else "", size)
    page.set_text_color(*(_GREY if grey else (20, 20, 24)))
    page.multi_cell(width, line_mm, _printable(page, text), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _printable(page: FPDF, text: str) -> str:
    """Without what turns or hides text, and with Latin letters for what the font cannot show."""
    font = page.current_font
    assert isinstance(font, TTFFont)
    kept = (char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char)[0] != "C")
    return "".join(char if ord(char) in font.cmap else anyascii(char) for char in kept)


def _rule(page: FPDF) -> None:
    page.set_draw_color(*_RULE)
    page.line(_MARGIN_MM, page.get_y(), _MARGIN_MM + page.epw, page.get_y())


def _vat_of(party: Party) -> tuple[str, ...]:
    return (f"VAT number {party.vat_number}",) if party.vat_number else ()
