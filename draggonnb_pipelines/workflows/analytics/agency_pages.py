"""How the agency's weekly report reads: its mail, and the tables and the chart that the operator sees in Dagster.

Lives here: words and tables of the figures that `agency_report.py` gathers. Not here: the figures, sending.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from draggonnb_pipelines.domain.invoices import period_in_words, rand
from draggonnb_pipelines.domain.reports import Markdown, markdown_text
from draggonnb_pipelines.workflows.pages import render

# Mailboxes cut long mails off; the worst come first, and the stored report has all.
CLIENTS_IN_MAIL = 40
CLIENTS_IN_TABLE = 100
CLIENTS_IN_CHART = 20


def subject_of(content: Mapping[str, Any]) -> str:
    totals = content["totals"]
    losing = f", at a loss: {totals['losing']}" if totals["losing"] else ""
    return f"Week of {content['week_start']}: {rand(totals['left_cents'])} left, clients: {totals['counted']}{losing}"


def mail_bodies(content: Mapping[str, Any]) -> tuple[str, str]:
    """HTML and plain text of the mail; the HTML is also what is stored."""
    values: dict[str, Any] = {
        "report": content,
        "subject": subject_of(content),
        "period": _period(content),
        "shown": content["clients"][:CLIENTS_IN_MAIL],
        "rand": rand,
        "count": _count,
    }
    return render("agency_report.html.j2", **values), render("agency_report.txt.j2", **values)


def report_metadata(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the asset shows: totals, clients with the worst first, who is missing, and the chart."""
    totals = content["totals"]
    metadata: dict[str, Any] = {
        "week": _period(content),
        "active clients": totals["active"],
        "posts": totals["posts"],
        "cost (ZAR)": totals["cost_cents"] / 100,
        "revenue (ZAR)": totals["revenue_cents"] / 100,
        "margin (ZAR)": totals["margin_cents"] / 100,
        "at a loss": totals["losing"],
        "missing clients": len(content["missing"]),
        "totals": Markdown(_totals_table(content)),
        "clients": Markdown(_clients_table(content["clients"])),
    }
    if content["missing"]:
        lines = ["| client | why it is missing |", "|---|---|"]
        lines += [f"| {markdown_text(one['slug'])} | {markdown_text(one['reason'])} |" for one in content["missing"]]
        metadata["missing"] = Markdown("\n".join(lines))
    if content["clients"]:
        from draggonnb_pipelines.resources.margin_chart import margin_chart  # heavy, and for one run a week

        shown = content["clients"][:CLIENTS_IN_CHART]
        png = margin_chart([(line["slug"], line["revenue_cents"], line["cost_cents"]) for line in shown])
        metadata["chart"] = Markdown(f"![paid and cost](data:image/png;base64,{base64.b64encode(png).decode()})")
    return metadata


def _period(content: Mapping[str, Any]) -> str:
    return period_in_words(
        date.fromisoformat(content["week_start"]), date.fromisoformat(content["week_end"]) + timedelta(days=1)
    )


def _totals_table(content: Mapping[str, Any]) -> str:
    totals, own = content["totals"], content["agency"]
    rows = {
        f"paid for this week by {totals['counted']} clients, without VAT": rand(totals["revenue_cents"]),
        f"models ({_count(totals['tokens'])} tokens)": rand(-totals["ai_cents"]),
        f"X ({_count(totals['x_posts'])} posts, {_count(totals['x_reads'])} reads)": rand(-totals["x_cents"]),
        "vendors' plans": rand(-totals["vendors_cents"]),
        "**margin of the clients**": f"**{rand(totals['margin_cents'])}**",
        "the agency's own costs": rand(-own["cost_cents"]) if own else "not known",
        "**left**": f"**{rand(totals['left_cents'])}**",
    }
    head = [f"| {_period(content)}, R{content['usd_zar']:.2f} for a dollar | |", "|---|---:|"]
    return "\n".join([*head, *(f"| {name} | {amount} |" for name, amount in rows.items())])


def _clients_table(lines: Sequence[Mapping[str, Any]]) -> str:
    if not lines:
        return "no client's week is known"
    names = ("client", "plan", "posts", "engagements", "tokens", "models", "X", "vendors", "paid", "margin")
    table = ["| " + " | ".join(names) + " |", "|---|---|" + "---:|" * (len(names) - 2)]
    for line in lines[:CLIENTS_IN_TABLE]:
        money = (line[name] for name in ("ai_cents", "x_cents", "vendors_cents", "revenue_cents", "margin_cents"))
        counts = (_count(line[name]) for name in ("posts", "engagements", "tokens"))
        cells = [markdown_text(line["slug"]), line["plan"] or "none", *counts, *map(rand, money)]
        table.append("| " + " | ".join(cells) + " |")
    if len(lines) > CLIENTS_IN_TABLE:
        table.append(f"\n… and {len(lines) - CLIENTS_IN_TABLE} more, with larger margins")
    return "\n".join(table)


def _count(number: int | None) -> str:
    return "not known" if number is None else f"{number:,}".replace(",", "\u00a0")
