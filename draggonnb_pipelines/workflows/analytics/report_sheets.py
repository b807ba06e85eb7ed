"""The weekly report for print: its content in the order in which the PDF shows it.

Not here: where it stands on the page (`resources/report_pdf.py`), the mail and the page (`report_pages.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from draggonnb_pipelines.workflows.analytics.report_words import Words, words_of

if TYPE_CHECKING:
    from draggonnb_pipelines.resources.report_pdf import ReportDocument, Section


def pdf_document(content: Mapping[str, Any], charts: Mapping[str, bytes]) -> "ReportDocument":
    """What the PDF of this content shows; `charts` by name, as PNG."""
    from draggonnb_pipelines.resources.report_pdf import ReportDocument, Tile

    words = words_of(content["locale"])
    say = words.say
    names = ("label", "value", "change", "note", "is_known")
    return ReportDocument(
        title=say("report.subject", week=content["week"]),
        kicker=f"{say('report.kicker')} · {content['week']}",
        organization=content["organization"],
        headline=content["headline"],
        glance=tuple(content["glance"]),
        tiles=tuple(Tile(**{name: tile[name] for name in names}) for tile in content["tiles"]),
        sections=tuple(_sections(content, charts, words)),
        closing=say("section.method_words") if content["tiles"] else "",
        foot=say("report.made_for", organization=content["organization"]),
        page_words=words.phrase("report.page_of"),
        language=content["locale"],
        # The day on which it could be made at the earliest: the same content is the same file.
        made_on=date.fromisoformat(content["week_start"]) + timedelta(days=7),
    )


def listed(rows: Sequence[Mapping[str, Any]]) -> str:
    """What a chart shows, for who cannot see it."""
    return "; ".join(f"{row['label']}: {row['text']}" for row in rows)


def _sections(content: Mapping[str, Any], charts: Mapping[str, bytes], words: Words) -> "list[Section]":
    from draggonnb_pipelines.resources.report_pdf import Section, Table

    say, sections = words.say, []

    def chart(name: str) -> None:
        if name in charts:
            note, alt = say(f"section.{name}_note"), say(f"report.alt_{name}", **{name: listed(content[name])})
            sections.append(Section(say(f"section.{name}"), note, chart=charts[name], chart_words=alt))

    def lines(name: str, rows: Sequence[tuple[str, str]], note: str = "") -> None:
        if rows:
            sections.append(Section(say(f"section.{name}"), note, lines=tuple(rows)))

    def table(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], note: str = "") -> None:
        if rows:
            header = tuple(say(f"column.{column}") for column in columns)
            cells = tuple(tuple(row["name" if column == "platform" else column] for column in columns) for row in rows)
            sections.append(Section(say(f"section.{name}"), note, table=Table(header, cells)))

    chart("days")
    table("platforms", ("platform", "posts", "reach", "engagements", "rate"), content["platforms"])
    posts = [(post["text"], f"{post['platform']} · {' · '.join(post['facts'])}") for post in content["top_posts"]]
    lines("top_posts", posts)
    chart("times")
    chart("weeks")
    lines("anomalies", [(line, "") for line in content["anomalies"]])
    table("restated", ("figure", "before", "after"), content["changes"], say("section.restated_note"))
    if content["is_restated"] and not content["changes"]:
        sections.append(Section(say("section.restated"), say("section.restated_other")))
    missing = [(line["text"], line["reason"]) for line in content["missing"]]
    lines("missing", missing, say("section.missing_note"))
    return sections
