"""What vendors, mailboxes, Dagster and databases have of the week's story, against what they must have: each thing
once, and nothing of it at the outsider's.

Not here: how it came about (`test_week_story.py`).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests

from draggonnb_pipelines.partitions import key
from tests.stories.system import System
from tests.workflows.publish_work import PLATFORM_IDS

AGENCY, CLIENT, OUTSIDER = "draggonnb", "kloof-street-coffee", "outsider"
ALL = (AGENCY, CLIENT, OUTSIDER)
TEXT = "Our filter roast from Ethiopia is here. Come and taste it."
SUBJECT = "Your week in posts: "
EARLY = {"views": 100, "reach": 80, "reactions": 4, "comments": 1, "shares": 0, "saves": 0, "quotes": 0}
LATE = {"views": 300, "reach": 200, "reactions": 9, "comments": 2, "shares": 1, "saves": 0, "quotes": 0}
UNTOLD = {"facebook": {"saves", "quotes"}, "instagram": {"quotes"}, "linkedin": {"saves", "quotes"}, "x": {"reach"}}
READINGS = """
select q.platform_id, m.collected_at, m.engagement_data as counts, m.is_gone
from platform_metrics m join content_queue q on q.id = m.queue_id order by m.collected_at, q.platform_id
"""
TOLD = """
select event_key, channel, recipient, status, attempts from notification_deliveries
where event_key like 'weekly_report:%%' or event_key like 'agency_report:%%' order by event_key, channel
"""


def check_readings(system: System, mornings: Sequence[datetime]) -> None:
    """The four that were asked for, and four of each morning: what each network tells, and no more."""
    readings = system.tenant(CLIENT, READINGS)
    assert len(readings) == 4 * (1 + len(mornings))
    counted = [EARLY, LATE][-len(mornings) :]
    for place, (morning, numbers) in enumerate(zip(mornings, counted, strict=True), start=1):
        of_morning = readings[4 * place : 4 * place + 4]
        assert [row["platform_id"] for row in of_morning] == sorted(PLATFORM_IDS)
        for row in of_morning:
            assert morning <= row["collected_at"] < morning + timedelta(minutes=2)
            told = {name: count for name, count in numbers.items() if name not in UNTOLD[row["platform_id"]]}
            assert {name: row["counts"].get(name) for name in numbers if name in row["counts"]} == told
    assert system.tenant(OUTSIDER, READINGS) == system.tenant(AGENCY, READINGS) == []


def check_figures(system: System, week_start: date) -> None:
    """The week's snapshot and the one report that rests on it."""
    [row] = system.tenant(
        CLIENT,
        "select r.week_start, r.version, r.content, s.metrics, s.period, s.version as snapshot_version"
        " from weekly_reports r join analytics_snapshots s on s.id = r.snapshot_id",
    )
    assert (row["week_start"], row["version"], row["period"]) == (week_start, 1, "week")
    assert row["snapshot_version"] == 1
    assert row["metrics"]["posts"] == {"published": 4, "measured": 4, "by_platform": dict.fromkeys(PLATFORM_IDS, 1)}
    totals = row["metrics"]["totals"]
    assert {name: totals[name]["value"] for name in ("views", "reach", "reactions", "comments", "shares")} == {
        "views": 1200,
        "reach": 600,
        "reactions": 36,
        "comments": 8,
        "shares": 4,
    }
    assert row["metrics"]["engagements"]["gained"] == 48
    assert row["content"]["headline"] == "Your posts reached 600 people this week."
    kept = "select period, period_start, version from analytics_snapshots where period_start >= %s order by 1, 2"
    days = [(one["period"], one["version"]) for one in system.tenant(CLIENT, kept, week_start)]
    assert set(days) == {("day", 1), ("week", 1)}


def check_messages(system: System, week_start: date) -> None:
    """Mail, WhatsApp and bell for each owner, each once; the agency's report to its owner alone."""
    event = f"weekly_report:{week_start}"
    for slug in ALL:
        rows = [row for row in system.tenant(slug, TOLD) if row["event_key"] == event]
        assert [row["channel"] for row in rows] == ["email", "in_app", "whatsapp"]
        assert {row["status"] for row in rows} <= {"sent", "delivered"}
        bells = system.tenant(slug, "select message from notifications where type = 'weekly_report'")
        assert [bell["message"].startswith(SUBJECT) for bell in bells] == [True]
    mails = system.sandbox.public("mail")
    weekly = [mail for mail in mails if mail["subject"].startswith(SUBJECT)]
    assert sorted((mail["recipient"], mail["transmissions"]) for mail in weekly) == [
        (f"sales@{slug}.example", 1) for slug in sorted(ALL)
    ]
    [ours] = [mail for mail in weekly if mail["recipient"] == f"sales@{CLIENT}.example"]
    attached = {(file["name"], file["content_type"], file["cid"] is None) for file in ours["files"]}
    assert ("report.pdf", "application/pdf", True) in attached
    assert ("days.png", "image/png", False) in attached
    assert {f"cid:{file['cid']}" for file in ours["files"] if file["cid"]} == set(
        re.findall(r'src="([^"]+)"', ours["html"])
    )
    messages = system.sandbox.public("whatsapp")
    assert sorted(message["callback_data"].partition(":")[0] for message in messages) == sorted(ALL)
    assert {message["template"] for message in messages} == {"weekly_analytics_report"}
    [told] = [one for one in messages if one["callback_data"].startswith(CLIENT)]
    assert (told["parameters"][0], told["parameters"][2:5]) == ("Kloof Street Coffee", ["4", "600", "48"])
    agency = [row for row in system.tenant(AGENCY, TOLD) if row["event_key"] == f"agency_report:{week_start}"]
    assert ("email", f"sales@{AGENCY}.example", "sent") in {
        (row["channel"], row["recipient"], row["status"]) for row in agency
    }
    assert len([mail for mail in mails if mail["recipient"] == f"sales@{AGENCY}.example"]) == 2


def check_pages(system: System) -> None:
    """The page of the mail's link with what it shows; nobody finds it without the link."""
    [mail] = [mail for mail in _weekly_mails(system) if mail["recipient"] == f"sales@{CLIENT}.example"]
    [link] = set(re.findall(r"http\S+/reports/[\w.-]+", mail["text"]))
    page = requests.get(link, timeout=10)
    assert (page.status_code, "Your posts reached 600 people this week." in page.text) == (200, True)
    assert "noindex" in page.headers["x-robots-tag"]
    shown = set(re.findall(r'(?:src|href)="(/reports/[^"]+)"', page.text))
    assert {path.rpartition("/")[2] for path in shown} >= {"days.png", "report.pdf"}
    for path in shown:
        file = requests.get(system.settings.base_url + path, timeout=10)
        kind = "application/pdf" if path.endswith(".pdf") else "image/png"
        assert (file.status_code, file.headers["content-type"]) == (200, kind)
    assert requests.get(link.replace(CLIENT, OUTSIDER), timeout=10).status_code == 404
    assert requests.get(f"{link[:-4]}aaaa", timeout=10).status_code == 404


def check_partitions(system: System, mornings: Sequence[datetime], week_start: date) -> None:
    """Each asset of exactly these days and this week; snapshots also of the days on which nothing ran."""
    found = system.materialized("platform_metrics", "analytics_snapshots", "weekly_reports", "agency_reports")
    read = {key(slug, morning.date()) for slug in ALL for morning in mornings}
    daily = {key(slug, day) for slug in ALL for day in _days(mornings)}
    today = key(CLIENT, datetime.now(UTC).date())
    assert found["platform_metrics"] == read | {today}  # of the numbers that were asked for
    assert found["analytics_snapshots"] - {today} == daily
    assert found["weekly_reports"] == {key(slug, week_start) for slug in ALL}
    assert found["agency_reports"] == {key(AGENCY, week_start)}


def check_outsider(system: System, untouched: Mapping[str, int], mornings: Sequence[datetime]) -> None:
    """It has an honest report of its own, nothing of the other's, and no other row than these."""
    [row] = system.tenant(OUTSIDER, "select content::text as content, html from weekly_reports")
    for words in (TEXT[:20], "Kloof Street", CLIENT, "reached 600"):
        assert words not in row["content"]
        assert words not in row["html"]
    counts = system.table_counts(OUTSIDER)
    new = {table.removeprefix("public."): counts[table] - untouched[table] for table in counts}
    assert {table: rows for table, rows in new.items() if rows and table != "report_files"} == {
        "analytics_snapshots": len(_days(mornings)) + 1 + _month_begins(system),
        "weekly_reports": 1,
        "notification_deliveries": 3,
        "notifications": 1,
    }


def _days(mornings: Sequence[datetime]) -> list[date]:
    """From the first of these mornings to the last."""
    first, last = mornings[0].date(), mornings[-1].date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _month_begins(system: System) -> int:
    return system.tenant(OUTSIDER, "select count(*) as n from analytics_snapshots where period = 'month'")[0]["n"]


def _weekly_mails(system: System) -> list[dict[str, Any]]:
    return [mail for mail in system.sandbox.public("mail") if mail["subject"].startswith(SUBJECT)]


def everything_said(system: System) -> dict[str, Any]:
    """What a repeated Monday must not add to."""
    mails = {(mail["recipient"], mail["subject"], mail["transmissions"]) for mail in system.sandbox.public("mail")}
    kept = ("platform_metrics", "analytics_snapshots", "weekly_reports", "notification_deliveries", "notifications")
    counts = {slug: system.table_counts(slug) for slug in ALL}
    return {
        "mails": mails,
        "messages": [message["id"] for message in system.sandbox.public("whatsapp")],
        "rows": {slug: {table: counts[slug][f"public.{table}"] for table in kept} for slug in ALL},
        "agency": system.master("select week_start, version from agency_reports"),
    }
