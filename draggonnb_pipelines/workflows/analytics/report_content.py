"""What a weekly report says: from the figures of a snapshot to the words and numbers that its reader sees.

Lives here: which figures are told, in what order, and what is said where one is missing. Nothing is calculated here
that a snapshot does not hold (`workflows/analytics/snapshots.py`).
Not here: the words (`domain/locales/`), how it looks (`report_pages.py`, `resources/report_pdf.py`), charts
(`resources/report_charts.py`), storing and sending (`weekly_reports.py`).

The content is plain JSON: texts are ready to be shown and not yet escaped; where a number is missing, its raw value is
null and its text says so.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from draggonnb_pipelines.domain.reports import is_web_address
from draggonnb_pipelines.workflows.analytics.report_figures import Figures
from draggonnb_pipelines.workflows.analytics.report_words import Words

SCHEMA = 1
TOP_POSTS = 3
BEST_TIMES = 4
CHANGES_SHOWN = 12
MISSING_SHOWN = 12
LEAST_WEEKS = 3  # before that a line of weeks shows nothing

Series = Mapping[date, int | None]


def report_content(
    metrics: Mapping[str, Any],
    *,
    organization: str,
    week_start: date,
    days: Series,
    weeks: Series,
    changes: Mapping[str, Sequence[Any]],
    words: Words,
) -> dict[str, Any]:
    """The report as JSON.

    Args:
        metrics: of the snapshot of the week.
        days: engagements gained by local day, of this week and the one before, as the days' snapshots have them.
        weeks: engagements gained by week (its Monday), of the last weeks, this one included.
        changes: since the report that was written before: each figure that differs, by its path in the snapshot, as
            (before, after); empty for a first one.
    """
    figures = Figures(metrics, words)
    published = metrics["posts"]["published"]
    silent = not published and not any(figures.value(name) for name in ("reach", "views", "engagements"))
    missing = _missing(metrics, words)
    return {
        "schema": SCHEMA,
        "locale": words.tag,
        "organization": organization,
        "week_start": week_start.isoformat(),
        "week": words.week(week_start),
        "headline": _headline(figures, published, silent=silent),
        "glance": _glance(metrics, figures, missing, silent=silent),
        "tiles": [] if silent else figures.tiles(published),
        "days": [] if silent else _days(days, week_start, words),
        "weeks": [] if silent else _weeks(weeks, week_start, words),
        "platforms": [] if silent else figures.platforms(),
        "top_posts": [_post(post, words) for post in metrics["top_posts"][:TOP_POSTS]],
        "times": [_time(slot, words) for slot in _best(metrics["best_times"])],
        "anomalies": [text for one in metrics["anomalies"] if (text := figures.anomaly(one))],
        "missing": missing,
        "changes": _changes(changes, figures),
        "is_restated": bool(changes),
        "for_whatsapp": [words.number(published), figures.text("reach"), figures.text("engagements")],
    }


def _headline(figures: Figures, published: int, *, silent: bool) -> str:
    say, reach, views = figures.words.say, figures.value("reach"), figures.value("views")
    if silent:
        return say("report.headline_silent")
    if reach is None:
        if views is None:
            return say("report.headline_unknown")
        shown = figures.words.number(views)
        return say("report.headline_views" if published else "report.headline_earlier_views", views=shown)
    if reach < 0:
        return say("report.headline_corrected")
    shown = figures.words.number(reach)
    if not published:
        return say("report.headline_earlier", reach=shown)
    percent = figures.growth("reach").get("percent")
    if percent is None:
        return say("report.headline_reach", reach=shown)
    way = "more" if percent > 0 else "less" if percent < 0 else "same"
    return say(f"report.headline_{way}", reach=shown, percent=figures.words.percent(abs(percent) / 100))


def _glance(metrics: Mapping[str, Any], figures: Figures, missing: Sequence[Any], *, silent: bool) -> list[str]:
    """Two or three sentences for who reads no further."""
    words = figures.words
    if silent:
        return [words.say("report.silent_advice")]
    told = []
    best = next((post for post in metrics["top_posts"] if post.get("engagements")), None)
    if best:
        platform = words.name("platform", best["platform"])
        number = words.number(best["engagements"])
        told.append(words.say("report.best_post", platform=platform, engagements=number))
    if times := _best(metrics["best_times"]):
        weekday, hour = words.weekday(int(times[0]["weekday"])), words.hour(int(times[0]["hour"]))
        told.append(words.say("report.best_time", weekday=weekday, hour=hour))
    if missing:
        told.append(words.say("report.missing_short"))
    return told


def _days(days: Series, week_start: date, words: Words) -> list[dict[str, Any]]:
    """Seven days, each beside the same weekday of the week before; none where not one of the seven is known."""
    shown = [week_start + timedelta(days=n) for n in range(7)]
    if all(days.get(day) is None for day in shown):
        return []
    return [
        {
            "day": day.isoformat(),
            "label": words.weekday(day.weekday(), "EEE"),
            "value": days.get(day),
            "previous": days.get(day - timedelta(days=7)),
            "text": _number(days.get(day), words),
        }
        for day in shown
    ]


def _weeks(weeks: Series, week_start: date, words: Words) -> list[dict[str, Any]]:
    """From the first week that is known on; a week between that is not known stays a gap."""
    known = sorted(week for week, value in weeks.items() if value is not None and week <= week_start)
    if len(known) < LEAST_WEEKS:
        return []
    count = (week_start - known[0]).days // 7 + 1
    shown = [known[0] + timedelta(weeks=n) for n in range(count)]
    return [
        {
            "week": week.isoformat(),
            "label": words.day(week, "short_day"),
            "value": weeks.get(week),
            "text": _number(weeks.get(week), words),
        }
        for week in shown
    ]


def _post(post: Mapping[str, Any], words: Words) -> dict[str, Any]:
    facts = []
    if post.get("engagements") is not None:
        facts.append(words.count("value.post_engagements", post["engagements"]))
    if post.get("reach") is not None:
        facts.append(words.say("value.post_reach", reach=words.number(post["reach"])))
    if post.get("rate") is not None:
        facts.append(words.say("value.post_rate", rate=words.percent(post["rate"])))
    url = post.get("url") or ""
    return {
        "platform": words.name("platform", post["platform"]),
        "text": " ".join((post.get("text") or "").split()) or words.say("value.no_text"),
        "facts": facts or [words.say("value.unknown")],
        "url": url if is_web_address(url) else None,
    }


def _best(slots: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(slots, key=lambda slot: (-slot["rate"], slot["weekday"], slot["hour"]))[:BEST_TIMES]


def _time(slot: Mapping[str, Any], words: Words) -> dict[str, Any]:
    weekday, hour = int(slot["weekday"]), words.hour(int(slot["hour"]))
    return {
        "label": words.say("value.time", weekday=words.weekday(weekday), hour=hour),
        "rate": slot["rate"],
        "low": slot["low"],
        "high": slot["high"],
        "text": words.say(
            "value.time_rate",
            rate=words.percent(slot["rate"]),
            low=words.percent(slot["low"]),
            high=words.percent(slot["high"]),
            posts=words.count("value.posts", slot["posts"]),
        ),
    }


def _missing(metrics: Mapping[str, Any], words: Words) -> list[dict[str, str]]:
    """What could not be had, and why."""
    rows = metrics["missing"]
    lines = [
        {
            "text": words.say(
                "value.missing_metric",
                platform=words.name("platform", row["platform"]),
                metric=words.name("metric", row["metric"]),
                posts=words.count("value.posts", row["posts"]),
            ),
            "reason": " ".join(str(row.get("reason") or "").split()),
        }
        for row in rows[:MISSING_SHOWN]
    ]
    if dates := metrics.get("days_without_readings"):
        shown = ", ".join(words.day(date.fromisoformat(day), "day_and_month") for day in dates)
        lines.append({"text": words.say("value.missing_days", days=shown), "reason": ""})
    if len(rows) > MISSING_SHOWN:
        lines.append({"text": words.count("value.missing_more", len(rows) - MISSING_SHOWN), "reason": ""})
    return lines


def _changes(changes: Mapping[str, Sequence[Any]], figures: Figures) -> list[dict[str, str]]:
    told = []
    for path, (before, after) in changes.items():
        # Of a week it is told what it gained, so that alone is corrected.
        label = None if "totals." in path or path.endswith("engagements.value") else figures.label(path)
        if label is not None:
            told.append({"figure": label, "before": figures.shown(path, before), "after": figures.shown(path, after)})
    return told[:CHANGES_SHOWN]


def _number(value: int | None, words: Words) -> str:
    return words.say("value.unknown") if value is None else words.number(value)
