"""A4 sheets as PDF: the font, the foot of each page, and text that any name can be written with.

Not here: what stands on a sheet (`invoice_pdf.py`, `report_pdf.py`).
The font is embedded; what it has no glyph for (Chinese, Amharic, emoji) is written in Latin letters, so that no part of
a name is lost. The same content always gives the same bytes.
"""

import logging
import unicodedata
from datetime import UTC, date, datetime, time
from pathlib import Path

from anyascii import anyascii
from fpdf import FPDF, Align, XPos, YPos
from fpdf.fonts import TTFFont

FONT = "DejaVu"
MARGIN_MM = 20.0
LINE_MM = 5.2
INK = (20, 20, 24)
GREY = (96, 96, 104)
_RULE = (200, 200, 206)
_FONTS = Path(__file__).parent / "fonts"
# It tells at length which tables of the font it keeps.
logging.getLogger("fontTools").setLevel(logging.WARNING)


class Sheet(FPDF):
    """A4 with a foot on every page. `page_words` has {page} and {pages}."""

    foot = ""
    page_words = "page {page} of {pages}"

    def footer(self) -> None:
        self.set_y(-16)
        place = self.page_words.format(page=self.page_no(), pages="{nb}")
        write(self, 8, f"{self.foot}  ·  {place}", color=GREY)


def new_sheet(*, title: str, author: str, made_on: date, foot: str, language: str = "en-ZA") -> Sheet:
    """A document with its first page begun. `made_on` stands for the time of its making."""
    page = Sheet(format="A4")
    page.set_margin(MARGIN_MM)
    page.c_margin = 0
    page.set_auto_page_break(True, margin=24)
    page.add_font(FONT, "", _FONTS / "DejaVuSansCondensed.ttf")
    page.add_font(FONT, "B", _FONTS / "DejaVuSansCondensed-Bold.ttf")
    page.set_title(title)
    page.set_author(author)
    page.set_lang(language)
    page.set_creation_date(datetime.combine(made_on, time(), UTC))
    page.foot = foot
    page.add_page()
    return page


def write(
    page: FPDF,
    size: float,
    text: str,
    *,
    bold: bool = False,
    color: tuple[int, int, int] = INK,
    width: float = 0,
    align: Align = Align.L,
    line_mm: float = LINE_MM,
) -> None:
    """Text at the current place, wrapped at the width; the next one begins below it."""
    page.set_font(FONT, "B" if bold else "", size)
    page.set_text_color(*color)
    page.multi_cell(width, line_mm, printable(page, text), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def printable(page: FPDF, text: str) -> str:
    """Without what turns or hides text, and with Latin letters for what the font cannot show."""
    font = page.current_font
    assert isinstance(font, TTFFont)
    kept = (char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char)[0] != "C")
    return "".join(char if ord(char) in font.cmap else anyascii(char) for char in kept)


def rule(page: FPDF) -> None:
    """A thin line across the page."""
    page.set_draw_color(*_RULE)
    page.line(MARGIN_MM, page.get_y(), MARGIN_MM + page.epw, page.get_y())
