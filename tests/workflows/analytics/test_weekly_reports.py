"""Each client's week is written from its stored figures and told once, whatever is killed, repeated or corrected."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.report_links import report_url
from draggonnb_pipelines.workflows.analytics.snapshots import take_snapshots
from tests.sandbox_process import Sandbox
from tests.workflows.agency_work import database_away
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.measured_week import MONDAY_MORNING, WEEK, measured_week, read, report, stored
from tests.workflows.post_reviews import OWNER, mailed

ADMIN = "admin@draggonnb.example"
SUBJECT = "Your week in posts: 16 to 22 November 2026"
TOLD = "select recipient, channel, status from notification_deliveries where event_key = 'weekly_report:2026-11-16'"
pytestmark = pytest.mark.usefixtures("people")


async def test_a_week_becomes_a_report_that_owners_and_admins_get_by_mail_whatsapp_and_in_the_app(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await measured_week(stack, agency)

    done = await report(stack, agency)

    key = PartitionKey("draggonnb", WEEK)
    assert (done.failed, done.waiting) == ({}, {})
    assert done.done[key].rows == 1
    assert done.done[key].metadata["messages"] == "told to owners and admins"
    [row] = await stored(stack, agency)
    assert (row["week_start"], row["version"]) == (WEEK, 1)
    assert row["content"]["headline"] == "Your posts reached 240 people this week."
    assert [tile["value"] for tile in row["content"]["tiles"]] == ["240", "25", "6,7%", "2"]
    assert mailed(sandbox) == [(ADMIN, SUBJECT), (OWNER, SUBJECT)]
    [message] = sandbox.public("whatsapp")
    assert message["template"] == "weekly_analytics_report"
    link = report_url(stack, agency, WEEK)
    assert message["parameters"] == ["Draggonnb", "16 to 22 November 2026", "2", "240", "25", link]
    bells = await tenant_rows(stack, agency, "select type, message, metadata ->> 'link' as link from notifications")
    assert bells == [{"type": "weekly_report", "message": SUBJECT, "link": link}] * 2
    assert await count(stack, outsider, "weekly_reports", "analytics_snapshots", "notification_deliveries") == {
        "weekly_reports": 0,
        "analytics_snapshots": 0,
        "notification_deliveries": 0,
    }
    # The agency's week is done with the report over all clients.
    assert await master_rows(stack, "select 1 as one from analytics_agenda where week_reported is not null") == []
    weeks = await master_rows(stack, "select organization_id, posts, engagements from client_weeks")
    assert weeks == [{"organization_id": agency.id, "posts": 2, "engagements": 25}]


async def test_the_days_of_a_week_are_those_of_their_snapshots_and_a_day_without_readings_is_not_known(
    stack: Stack, agency: Organization
) -> None:
    await measured_week(stack, agency)
    measured = [PartitionKey(agency.slug, WEEK + timedelta(days=number)) for number in range(1, 8)]
    await take_snapshots(variant(stack, now=lambda: MONDAY_MORNING), "run-0", measured)

    done = await report(stack, agency)

    [row] = await stored(stack, agency)
    # Before the first post there was nothing to gain; on Wednesday, Friday and Saturday nobody could be asked.
    assert [day["value"] for day in row["content"]["days"]] == [0, 6, None, 2, None, None, 17]
    assert "No numbers could be had for 18 November, 20 November, 21 November." in row["html"]
    shown = done.done[PartitionKey("draggonnb", WEEK)].metadata["engagements by day"]
    assert shown.text.startswith("![engagements by day](data:image/png;base64,")
    assert len(shown.text) < 60_000


async def test_the_mail_carries_its_images_and_the_pdf_and_loads_nothing_from_elsewhere(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await measured_week(stack, agency)

    await report(stack, agency)

    mail = next(mail for mail in sandbox.public("mail") if mail["recipient"] == OWNER)
    shown = re.findall(r'src="([^"]*)"', mail["html"])
    inline = [file for file in mail["files"] if file["cid"]]
    assert shown == [f"cid:{file['cid']}" for file in inline]
    attached = [(file["name"], file["content_type"]) for file in mail["files"] if not file["cid"]]
    assert attached == [("report.pdf", "application/pdf")]
    assert not re.search(r"<link|<script|@import|url\(|src=\"http", mail["html"])
    assert "Your posts reached 240 people this week." in mail["text"]
    assert report_url(stack, agency, WEEK) in mail["text"]
    kept = await tenant_rows(
        stack, agency, "select name, octet_length(content) as bytes from report_files order by name"
    )
    assert {file["name"]: file["bytes"] for file in mail["files"]} == {row["name"]: row["bytes"] for row in kept}


async def test_twice_and_by_two_runs_at_once_it_is_one_report_and_each_is_told_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await measured_week(stack, agency)

    await asyncio.gather(report(stack, agency, run_id="run-1"), report(stack, agency, run_id="run-2"))
    again = await report(stack, agency, run_id="run-3")

    assert again.done[PartitionKey("draggonnb", WEEK)].rows == 0
    assert again.done[PartitionKey("draggonnb", WEEK)].metadata["messages"] == "told before; not sent again"
    assert [row["version"] for row in await stored(stack, agency)] == [1]
    assert mailed(sandbox) == [(ADMIN, SUBJECT), (OWNER, SUBJECT)]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1]
    assert len(sandbox.public("whatsapp")) == 1


async def test_a_run_that_is_cut_off_between_storing_and_telling_tells_when_it_is_repeated(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await measured_week(stack, agency)
    await tenant_rows(
        stack,
        agency,
        "create function cut_off() returns trigger language plpgsql as"
        " $$ begin raise exception 'cut off' using errcode = 'admin_shutdown'; end $$;"
        " create trigger cut_off before insert on notification_deliveries for each row execute function cut_off()",
    )
    try:
        cut = await report(stack, agency)
    finally:
        await tenant_rows(stack, agency, "drop function cut_off() cascade")
    assert list(cut.failed) == [PartitionKey("draggonnb", WEEK)]
    assert [row["version"] for row in await stored(stack, agency)] == [1]
    assert mailed(sandbox) == []
    assert await master_rows(stack, "select 1 as one from analytics_agenda where week_reported is not null") == []

    await report(stack, agency, run_id="run-2")

    assert [row["version"] for row in await stored(stack, agency)] == [1]
    assert mailed(sandbox) == [(ADMIN, SUBJECT), (OWNER, SUBJECT)]


async def test_a_corrected_week_is_stored_and_shown_and_not_sent_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    posts = await measured_week(stack, agency)
    await report(stack, agency)
    before = await tenant_rows(stack, agency, TOLD)
    # A reading of the day that comes to light later, before the one that counted until now.
    await read(stack, agency, posts["facebook"], "2026-11-23T06:00:00Z",
               views=310, reach=250, reactions=14, comments=3, shares=1)  # fmt: skip

    again = await report(stack, agency, run_id="run-2")

    first, second = await stored(stack, agency)
    assert (first["version"], second["version"]) == (1, 2)
    assert first["content"]["changes"] == []
    changes = [(row["figure"], row["before"], row["after"]) for row in second["content"]["changes"]]
    assert ("reach", "240", "250") in changes
    assert ("engagements", "25", "27") in changes
    assert second["content"]["tiles"][0]["value"] == "250"
    assert "Corrected figures" in second["html"]
    metadata = again.done[PartitionKey("draggonnb", WEEK)].metadata
    assert (metadata["version"], metadata["messages"]) == (2, "told before; not sent again")
    assert await tenant_rows(stack, agency, TOLD) == before
    assert len(sandbox.public("mail")) == 2


async def test_a_week_long_past_is_written_and_not_sent(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await measured_week(stack, agency)

    done = await report(stack, agency, at=MONDAY_MORNING + timedelta(days=7))

    told = done.done[PartitionKey("draggonnb", WEEK)].metadata["messages"]
    assert told == "stored, and not sent: it is older than the last week"
    assert len(await stored(stack, agency)) == 1
    assert sandbox.public("mail") == []
    assert await count(stack, agency, "notification_deliveries") == {"notification_deliveries": 0}


async def test_an_organization_without_posts_gets_a_short_honest_report(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await report(stack, agency)

    [row] = await stored(stack, agency)
    assert row["content"]["headline"] == "Nothing was published this week, so there is nothing to count."
    assert row["content"]["tiles"] == []
    assert [file["name"] for file in sandbox.public("mail")[0]["files"]] == ["report.pdf"]
    [message] = sandbox.public("whatsapp")
    assert message["parameters"][2:5] == ["0", "not known", "not known"]


async def test_a_post_whose_numbers_never_came_is_missing_and_not_zero(stack: Stack, agency: Organization) -> None:
    posts = await measured_week(stack, agency)
    await tenant_rows(stack, agency, "delete from platform_metrics where queue_id = %s", posts["facebook"])

    await report(stack, agency)

    [row] = await stored(stack, agency)
    rows = {platform["name"]: platform for platform in row["content"]["platforms"]}
    assert (rows["Facebook"]["reach"], rows["Facebook"]["engagements"]) == ("not known", "not known")
    assert (rows["X"]["reach"], rows["X"]["engagements"]) == ("not told", "9")
    assert row["content"]["headline"] == "Your posts were seen 200 times this week."
    assert [line["text"] for line in row["content"]["missing"] if "Facebook" in line["text"]] == [
        "Facebook: all numbers of 1 post"
    ]


@pytest.mark.parametrize(
    ("zone", "at", "ready"),
    [
        ("Africa/Johannesburg", datetime(2026, 11, 23, 5, 59, tzinfo=UTC), "2026-11-23 06:00"),
        ("Pacific/Honolulu", datetime(2026, 11, 23, 9, 59, tzinfo=UTC), "2026-11-23 10:00"),
        ("Pacific/Kiritimati", datetime(2026, 11, 22, 10, 30, tzinfo=UTC), "2026-11-23 06:00"),
    ],
)
async def test_a_week_waits_until_it_is_over_in_its_zone_and_measured(
    stack: Stack, sandbox: Sandbox, agency: Organization, zone: str, at: datetime, ready: str
) -> None:
    await master_rows(stack, "update organizations set timezone = %s where id = %s", zone, agency.id)
    try:
        early = await report(stack, agency, at=at)
        in_time = await report(stack, agency, at=datetime.fromisoformat(f"{ready}+00:00"))
    finally:
        zone = agency.timezone
        await master_rows(stack, "update organizations set timezone = %s where id = %s", zone, agency.id)

    key = PartitionKey("draggonnb", WEEK)
    assert early.waiting == {key: f"its last day is measured at {ready} UTC"}
    assert (early.done, early.failed) == ({}, {})
    assert list(in_time.done) == [key]
    assert len(await stored(stack, agency)) == 1
    assert len(sandbox.public("mail")) == 2


async def test_what_cannot_be_reported_says_why_and_keeps_nobody_else_from_theirs(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    change = "update organizations set status = %s where id = %s"
    await master_rows(stack, change, "offboarding", outsider.id)
    try:
        left = await report(stack, agency, outsider)
        tuesday = await report(stack, agency, week=date(2026, 11, 17))
    finally:
        await master_rows(stack, change, "active", outsider.id)

    assert left.done[PartitionKey("outsider", WEEK)] == KeyReport(rows=0)
    assert left.done[PartitionKey("draggonnb", WEEK)].rows == 1
    assert tuesday.failed == {
        PartitionKey("draggonnb", date(2026, 11, 17)): "2026-11-17 is no Monday: a week is named by the day on which"
        " it began"
    }
    assert await count(stack, outsider, "weekly_reports") == {"weekly_reports": 0}


async def test_one_whose_database_is_away_fails_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    async with database_away(stack, agency):
        done = await report(stack, agency, outsider)

    assert list(done.failed) == [PartitionKey("draggonnb", WEEK)]
    assert list(done.done) == [PartitionKey("outsider", WEEK)]
    assert mailed(sandbox) == [("sales@outsider.example", SUBJECT)]
    agenda = "select organization_id, week_reported from analytics_agenda where week_reported is not null"
    assert await master_rows(stack, agenda) == [{"organization_id": outsider.id, "week_reported": WEEK}]


async def test_figures_that_nobody_can_read_fail_their_own_client_and_no_other(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await measured_week(stack, outsider)
    measured = [PartitionKey(outsider.slug, WEEK + timedelta(days=2))]
    await take_snapshots(variant(stack, now=lambda: MONDAY_MORNING), "run-0", measured)
    spoil = "update analytics_snapshots set metrics = jsonb_set(metrics, '{engagements}', '{\"gained\": true}')"
    await tenant_rows(stack, outsider, spoil)

    done = await report(stack, agency, outsider)

    assert list(done.failed) == [PartitionKey("outsider", WEEK)]
    assert list(done.done) == [PartitionKey("draggonnb", WEEK)]
    assert mailed(sandbox) == [(ADMIN, SUBJECT), (OWNER, SUBJECT)]
