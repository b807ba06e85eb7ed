"""How a weekly report looks: the page of the app, the HTML and the text of its mail, its charts and its PDF.

Lives here: which of these is made of which part of the content. Not here: what the report says (`report_content.py`),
where its files are kept and who gets the mail (`weekly_reports.py`), drawing (`resources/report_charts.py`,
`resources/report_pdf.py`).
One template serves the page and the mail. The page keeps its stylesheet in one element, which its headers allow; the
mail has the styles written into each element, because many mail programs drop stylesheets. Neither loads anything from
elsewhere.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import css_inline

from draggonnb_pipelines.workflows.analytics.report_sheets import listed, pdf_document
from draggonnb_pipelines.workflows.analytics.report_words import words_of
from draggonnb_pipelines.workflows.pages import TEMPLATES, render

# Stands for the place of a report's files in its stored page; whoever serves the page puts the address there.
FILES_MARK = "report-file:"
PDF_NAME = "report.pdf"
_IMAGE = re.compile(rf'src="{FILES_MARK}([a-z]+)\.png"')


def page_html(content: Mapping[str, Any]) -> str:
    """The report as one HTML document whose images and PDF are behind `FILES_MARK`."""
    return _html(content, page=True, link="")


def mail_html(content: Mapping[str, Any], link: str) -> str:
    """The same for a mail: styles inlined, images by Content-ID (RFC 2392), a button to the page."""
    html = _IMAGE.sub(lambda found: f'src="cid:{content_id(found[1])}"', _html(content, page=False, link=link))
    return _inliner().inline(html)


def mail_text(content: Mapping[str, Any], link: str) -> str:
    """The same in plain text."""
    words = words_of(content["locale"])
    return render("week_report.txt.j2", r=content, say=words.say, heading=_heading, link=link)


def content_id(chart: str) -> str:
    """By which the mail's HTML names a chart; unique within one mail."""
    return f"{chart}@reports.draggonnb.app"


def charts(content: Mapping[str, Any]) -> dict[str, bytes]:
    """The charts that this content has figures for, by name: PNG files."""
    from draggonnb_pipelines.resources import report_charts as draw  # a second to load, and few processes need it

    words = words_of(content["locale"])
    made = {}
    if days := content["days"]:
        bars = [draw.Bar(day["label"], day["value"], day["previous"]) for day in days]
        names = ("this_week", "week_before", "no_numbers")
        legend = draw.Legend(*(words.say(f"chart.{name}") for name in names))
        made["days"] = draw.bars_chart(bars, legend, words.number)
    if weeks := content["weeks"]:
        made["weeks"] = draw.line_chart([draw.Bar(week["label"], week["value"]) for week in weeks], words.number)
    if times := content["times"]:
        intervals = [draw.Interval(slot["label"], slot["rate"], slot["low"], slot["high"]) for slot in times]
        made["times"] = draw.intervals_chart(intervals, words.percent)
    return made


def pdf(content: Mapping[str, Any], made: Mapping[str, bytes]) -> bytes:
    """The report as PDF, with the charts that were made of it."""
    from draggonnb_pipelines.resources.report_pdf import report_pdf

    return report_pdf(pdf_document(content, made))


def _html(content: Mapping[str, Any], *, page: bool, link: str) -> str:
    words = words_of(content["locale"])
    return render(
        "week_report.html.j2",
        r=content,
        say=words.say,
        listed=listed,
        style=_stylesheet(),
        files=FILES_MARK,
        page=page,
        link=link,
    )


def _heading(words: str) -> str:
    return f"{words}\n{'-' * len(words)}"


@cache
def _stylesheet() -> str:
    return (TEMPLATES / "week_report.css").read_text(encoding="utf-8").strip()


@cache
def _inliner() -> css_inline.CSSInliner:
    # The rules for small and for dark screens cannot be inlined and stay in a style element.
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
