"""A report as PDF: A4 sheets with a cover, figures, charts and tables.

Lives here: where everything stands. Not here: what it says (`workflows/analytics/report_content.py`), the charts
(`report_charts.py`), fonts and foot (`pdf_sheet.py`).
The same report always gives the same bytes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fpdf import Align
from PIL import Image

from draggonnb_pipelines.resources.pdf_sheet import FONT, GREY, MARGIN_MM, Sheet, new_sheet, printable, rule, write

_COVER, _COVER_SOFT, _WHITE = (20, 50, 59), (188, 211, 214), (255, 255, 255)
_ACCENT, _GOLD, _WARN = (13, 106, 114), (240, 182, 76), (138, 75, 0)


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the figures on top."""

    label: str
    value: str
    change: str = ""
    note: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Its first column is the widest and stands left, the others stand right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it: a note, then a chart (PNG), a table, lines of which each has a small one."""

    heading: str
    note: str = ""
    chart: bytes | None = None
    chart_words: str = ""
    table: Table | None = None
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """What the PDF shows. `page_words` has {page} and {pages}; `made_on` stands in it as the day of its making."""

    title: str
    kicker: str
    organization: str
    headline: str
    glance: tuple[str, ...]
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    closing: str
    foot: str
    page_words: str
    language: str
    made_on: date


def report_pdf(report: ReportDocument) -> bytes:
    """Lay the report out."""
    page = new_sheet(
        title=report.title,
        author="DraggonnB",
        made_on=report.made_on,
        foot=report.foot,
        language=report.language,
    )
    page.page_words = report.page_words
    _cover(page, report)
    for line in report.glance:
        write(page, 11, line, line_mm=6)
    _tiles(page, report.tiles)
    for section in report.sections:
        _section(page, section)
    if report.closing:
        page.ln(6)
        write(page, 8.5, report.closing, color=GREY, line_mm=4.4)
    return bytes(page.output())


def _cover(page: Sheet, report: ReportDocument) -> None:
    """A dark band across the top, as tall as its words."""
    words = ((9, report.kicker, 5.0, False), (11, report.organization, 6.0, True), (19, report.headline, 8.6, False))
    inset, gap = 7.0, 3.0
    height = 2 * inset + gap + sum(_height(page, text, size, line_mm, bold) for size, text, line_mm, bold in words)
    page.set_fill_color(*_COVER)
    page.rect(0, 0, page.w, height + 8, style="F")
    page.set_fill_color(*_GOLD)
    page.rect(0, height + 8, page.w, 1.2, style="F")
    page.set_y(inset + 5)
    for size, text, line_mm, bold in words:
        if size > 11:
            page.ln(gap)
        write(page, size, text, bold=bold, color=_COVER_SOFT if size < 11 else _WHITE, line_mm=line_mm)
    page.set_y(height + 16)


def _height(page: Sheet, text: str, size: float, line_mm: float, bold: bool) -> float:
    page.set_font(FONT, "B" if bold else "", size)
    lines = page.multi_cell(0, line_mm, printable(page, text), dry_run=True, output="LINES")
    assert isinstance(lines, list)
    return line_mm * len(lines)


def _tiles(page: Sheet, tiles: Sequence[Tile]) -> None:
    """Side by side, and each line of them at one height."""
    if not tiles:
        return
    page.ln(5)
    width = page.epw / len(tiles)
    rows = (
        [(8.0, tile.label, GREY) for tile in tiles],
        # Words in place of a number are written small.
        [(19.0, tile.value, _ACCENT) if tile.is_known else (12.0, tile.value, _WARN) for tile in tiles],
        [(8.0, tile.change, GREY) for tile in tiles],
        [(8.0, tile.note, _WARN) for tile in tiles],
    )
    for row in rows:
        top = lowest = page.get_y()
        for place, (size, text, color) in enumerate(row):
            if text:
                page.set_xy(MARGIN_MM + place * width, top)
                line_mm = 9.5 if size > 8 else 4.0
                write(page, size, text, bold=size > 8, color=color, width=width - 4, line_mm=line_mm)
                lowest = max(lowest, page.get_y())
        page.set_y(lowest)


def _section(page: Sheet, section: Section) -> None:
    """Its heading never stands alone at the foot of a page."""
    image = Image.open(io.BytesIO(section.chart)) if section.chart else None
    chart_mm = page.epw * image.height / image.width if image else 0.0
    if page.will_page_break(16 + (chart_mm or 14)):
        page.add_page()
    else:
        page.ln(7)
    write(page, 13, section.heading, bold=True, line_mm=7)
    if section.note:
        write(page, 9, section.note, color=GREY, line_mm=4.6)
    if image:
        page.ln(1.5)
        page.image(image, w=page.epw, h=chart_mm, alt_text=section.chart_words)
    if section.table:
        _table(page, section.table)
    for words, small in section.lines:
        page.ln(1.2)
        if page.will_page_break(10):
            page.add_page()
        write(page, 10, words)
        if small:
            write(page, 8.5, small, color=GREY, line_mm=4.4)


def _table(page: Sheet, table: Table) -> None:
    count = len(table.header)
    widths = (page.epw * 0.28, *[page.epw * 0.72 / (count - 1)] * (count - 1))
    page.ln(1)
    for place, cells in enumerate((table.header, *table.rows)):
        if page.will_page_break(8):
            page.add_page()
        page.ln(1.4)
        top, lowest, x = page.get_y(), page.get_y(), MARGIN_MM
        for column, (text, width) in enumerate(zip(cells, widths, strict=True)):
            page.set_xy(x, top)
            color, align = (GREY, Align.R) if not place else ((20, 20, 24), Align.R)
            write(
                page,
                9 if not place else 10,
                text,
                bold=bool(place) and not column,
                color=color,
                width=width - 2,
                align=align if column else Align.L,
            )
            lowest, x = max(lowest, page.get_y()), x + width
        page.set_y(lowest + 1.2)
        rule(page)
