"""The report as PDF, read back as a reader of PDFs reads it."""

import io
from dataclasses import replace
from datetime import date

from pypdf import PdfReader

from draggonnb_pipelines.resources.report_charts import Interval, intervals_chart
from draggonnb_pipelines.resources.report_pdf import ReportDocument, Section, Table, Tile, report_pdf

CHART = intervals_chart([Interval("Thursday 18:00", 0.06, 0.04, 0.08)], str)
REPORT = ReportDocument(
    title="Your week in posts",
    kicker="Weekly report · 16 to 22 November 2026",
    organization="Kloof Street Coffee",
    headline="Your posts reached 12 345 people, 14% more than the week before.",
    glance=("The best post was on Instagram.",),
    tiles=(Tile("People reached", "12 345", "▲ 14%", "without 2 posts"), Tile("Rate", "not known", is_known=False)),
    sections=(
        Section("Day by day", "Engagements on each day.", chart=CHART, chart_words="Thursday 18:00: 6%"),
        Section("By platform", table=Table(("Platform", "Posts", "Reach"), (("Facebook", "3", "not known"),))),
        Section("What is missing", "Never counted as zero.", lines=(("Facebook: reach of 3 posts", "code 100"),)),
    ),
    closing="How this is counted.",
    foot="Made for Kloof Street Coffee",
    page_words="page {page} of {pages}",
    language="en-ZA",
    made_on=date(2026, 11, 23),
)


def read(report: ReportDocument) -> tuple[str, PdfReader]:
    reader = PdfReader(io.BytesIO(report_pdf(report)))
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split()), reader


def test_everything_that_the_report_says_is_on_one_sheet_with_its_chart() -> None:
    text, reader = read(REPORT)

    for words in (
        "Kloof Street Coffee",
        "Your posts reached 12 345 people, 14% more than the week before.",
        "The best post was on Instagram.",
        "People reached",
        "▲ 14%",
        "without 2 posts",
        "not known",
        "Day by day",
        "Facebook 3 not known",
        "Facebook: reach of 3 posts",
        "code 100",
        "How this is counted.",
        "page 1 of 1",
    ):
        assert words in text
    assert len(reader.pages) == 1
    assert len(reader.pages[0].images) == 1
    assert reader.metadata is not None
    assert reader.metadata.title == "Your week in posts"


def test_names_of_any_script_and_any_length_are_printed() -> None:
    name = "Tshikhuḓo ḽa Ṱhohoyanḓou " * 6 + "株式会社 ☕️ Kloof\u202e"

    text, _ = read(replace(REPORT, organization=name, glance=("x" * 600,)))

    assert "Tshikhuḓo ḽa Ṱhohoyanḓou Tshikhuḓo" in text
    assert "ZhuShiHuiShe" in text


def test_a_long_report_goes_on_to_the_next_sheets_and_loses_nothing() -> None:
    lines = tuple((f"Line {number} of what is missing", "for a reason") for number in range(120))
    rows = tuple((f"Row {number}", "1", "2") for number in range(60))
    sections = (Section("Missing", lines=lines), Section("Rows", table=Table(("Platform", "Posts", "Reach"), rows)))

    text, reader = read(replace(REPORT, sections=(*sections, *[REPORT.sections[0]] * 5)))

    assert all(f"Line {number} of what" in text for number in range(120))
    assert all(f"Row {number} 1 2" in text for number in range(60))
    assert f"page {len(reader.pages)} of {len(reader.pages)}" in text
    assert text.count("Engagements on each day.") == 5
    assert all(page.images for page in reader.pages if "Day by day" in page.extract_text())


def test_the_same_report_is_the_same_bytes() -> None:
    assert report_pdf(REPORT) == report_pdf(REPORT)
    assert report_pdf(REPORT) != report_pdf(replace(REPORT, headline="Another"))
