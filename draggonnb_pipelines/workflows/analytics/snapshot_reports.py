"""What the operator sees of a snapshot: the figures, a chart of the days before, what is missing, what was restated.

Not here: the figures (`domain/engagement.py`) and their versions (`snapshots.py`).
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from draggonnb_pipelines.domain.metric_registry import unavailable
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import Markdown, markdown_text

CHART_DAYS = 28
ROWS_SHOWN = 20
WITHOUT_READINGS = "days without readings"
_GAINS = ("views", "reach", "reactions", "comments", "shares", "clicks")

# A row of `analytics_snapshots`, and the version that was the newest before this run; None: there was none.
Taken = tuple[Mapping[str, Any], Mapping[str, Any] | None]


def snapshot_metadata(
    taken: Sequence[Taken], series: Sequence[int | None], before: Sequence[Taken] = ()
) -> dict[str, Any]:
    """Metadata of one key. A picture of dots for each of a thousand clients would be tens of MB a day in the event log,
    so the chart is a drawing of 2 kB.

    Args:
        taken: the day first, then a month that ended with it.
        series: engagements gained on each of the last 28 days; None: not known.
        before: of the day before, told where it was restated.
    """
    row, _ = taken[0]
    metrics = row["metrics"]
    metadata: dict[str, Any] = {
        "figures": Markdown(figures_table(metrics)),
        "engagements by day": Markdown(f"![the last {len(series)} days]({days_chart(series)})"),
        "day": row["period_start"].isoformat(),
        "version": row["version"],
        "posts": metrics["posts"]["published"],
        "readings": sum(map(len, metrics["sources"].values())),
    }
    if metrics["anomalies"]:
        metadata["unusual"] = Markdown("\n".join(f"- {markdown_text(one['text'])}" for one in metrics["anomalies"]))
    if metrics["missing"]:
        metadata["missing"] = Markdown(missing_table(metrics["missing"]))
    if metrics["days_without_readings"]:
        metadata[WITHOUT_READINGS] = ", ".join(metrics["days_without_readings"]) + ": these numbers cannot be had again"
    restated = [
        restatement_table(new, old) for new, old in (*taken, *before) if old is not None and old["id"] != new["id"]
    ]
    if restated:
        metadata["restated"] = Markdown("\n\n".join(restated))
    return metadata | {row["period"]: _name(row) for row, _ in taken[1:]}


def figures_table(metrics: Mapping[str, Any]) -> str:
    """A row for the client and for each platform: gains of the period, and the rate of its posts."""
    lines = [
        "| | posts | " + " | ".join(_GAINS) + " | engagements | rate by reach | rate by views |",
        "|---" * (len(_GAINS) + 5) + "|",
    ]
    for name, part in [("all", metrics), *sorted(metrics["platforms"].items())]:
        untold = unavailable(Platform(name)) if name in metrics["platforms"] else {}
        gains = ["not told" if metric in untold else _number(part["gained"][metric]["value"]) for metric in _GAINS]
        rates = [_percent(part[rate]["value"]) for rate in ("rate_by_reach", "rate_by_views")]
        cells = [str(part["posts"]["published"]), *gains, _number(part["engagements"]["gained"]), *rates]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def days_chart(series: Sequence[int | None]) -> str:
    """A bar for each day as a data URI of SVG: grey where the day's number is not known, red below zero, the last day
    darker. Short, since Dagster shows Markdown of a thousand characters and more only on a click."""
    top = max([abs(value) for value in series if value is not None], default=0) or 1
    bars: dict[str, str] = {}
    for place, value in enumerate(series):
        height = 6 if value is None else max(1, round(90 * abs(value) / top))
        is_last = place == len(series) - 1
        color = "#c9c5bf" if value is None else "#b91c1c" if value < 0 else "#0f766e" if is_last else "#6fada8"
        bars[color] = bars.get(color, "") + f"M{16 * place + 6} 102v-{height}"
    paths = "".join(f'<path stroke="{color}" d="{path}"/>' for color, path in bars.items())
    label = f'<text y="8" font-size="9" fill="#57534e">highest: {_number(top)}</text>'
    width = 16 * max(len(series), 1)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="102" stroke-width="12">'
    return f"data:image/svg+xml;base64,{base64.b64encode(f'{head}{label}{paths}</svg>'.encode()).decode()}"


def missing_table(missing: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| platform | metric | posts | reason |", "|---|---|---|---|"]
    for row in missing[:ROWS_SHOWN]:
        lines.append(f"| {row['platform']} | {row['metric']} | {row['posts']} | {markdown_text(row['reason'])} |")
    return "\n".join([*lines, *_more(missing)])


def restatement_table(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """What a version says differently from the one before."""
    changes = list(new["changes"].items())
    lines = [
        f"{_name(new)} restates version {old['version']}: {len(changes)} figures",
        "",
        "| figure | before | now |",
        "|---|---|---|",
    ]
    lines += [
        f"| {markdown_text(path)} | {_cell(before)} | {_cell(now)} |" for path, (before, now) in changes[:ROWS_SHOWN]
    ]
    return "\n".join([*lines, *_more(changes)])


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['period']} from {row['period_start']:%Y-%m-%d}, version {row['version']}"


def _more(rows: Sequence[Any]) -> list[str]:
    return [f"\n… and {len(rows) - ROWS_SHOWN} more"] if len(rows) > ROWS_SHOWN else []


def _cell(value: object) -> str:
    """Lists hold words of posts, which need not stand in the event log."""
    return f"{len(value)} rows" if isinstance(value, list) else "not known" if value is None else markdown_text(value)


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"
