"""The agency's weekly report: figures calculated by hand, nobody who is missing counted as nothing, one mail a week."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.agency_report import report_on_agency, write_agency_report
from draggonnb_pipelines.workflows.analytics.analytics_agenda import snapshot_taken, weeks_to_report
from draggonnb_pipelines.workflows.analytics.weekly_reports import write_week_reports
from tests.sandbox_process import Sandbox
from tests.workflows.agency_work import (
    MONDAY_MORNING,
    WEEK,
    asked_claude,
    busy_week,
    database_away,
    forget_weeks,
    other_client,
    paid,
    report,
    reports,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, master_rows, variant
from tests.workflows.post_reviews import mailed

# A quiet client's place at the vendors: (10 + 0.5 + 0.2 + 0.1) USD x 7 / 30 = 2.52 USD, at R18 a dollar R45.36.
PLACE_CENTS = 4536
OWNER = "sales@draggonnb.example"


@pytest.fixture(autouse=True)
def no_weeks(stack: Stack, world: World) -> Iterator[None]:
    forget_weeks(world)
    yield
    forget_weeks(world)


def figures(line: dict[str, Any]) -> tuple[int, ...]:
    names = ("ai_cents", "x_cents", "vendors_cents", "cost_cents", "revenue_cents", "margin_cents")
    return tuple(line[name] for name in names)


async def test_the_report_says_what_each_client_brought_in_and_cost_worst_first(
    stack: Stack, outsider: Organization, agency: Organization
) -> None:
    await busy_week(stack, outsider)
    await paid(stack, "outsider", 304_348, "2026-11-20", "2026-12-20")
    await asked_claude(stack, agency, "2026-11-25T08:00:00Z", 40, "0.05")
    week = {"posts": 9, "readings": 40, "engagements": 120, "ai_cost_usd": "4", "x_cost_usd": "0.5"}
    await other_client(stack, "leaver", status="closed", **week)
    await paid(stack, "leaver", 10_000, "2026-11-01", "2026-12-01")

    done = await report(stack)

    [stored] = await reports(stack)
    content = stored["content"]
    assert [line["slug"] for line in content["clients"]] == ["leaver", "outsider"]
    losing, earning = content["clients"]
    # R72 + R9 + R45.36 of cost; 10000 x 7 / 30 = 2333.33 cents were paid for the week.
    assert figures(losing) == (7200, 900, PLACE_CENTS, 12_636, 2333, -10_303)
    # 0.35 USD; 0.218 USD = R3.924; 304348 x 7 / 30 = 71014.53 cents.
    assert figures(earning) == (630, 392, PLACE_CENTS, 5558, 71_015, 65_457)
    assert (earning["posts"], earning["tokens"], earning["x_posts"], earning["x_reads"]) == (3, 1500, 2, 3)
    assert earning["vendors"] == {"n8n": 0.046667, "server": 0.023333, "supabase": 2.333333, "vercel": 0.116667}
    assert figures(content["agency"]) == (90, 0, PLACE_CENTS, 4626, 0, -4626)
    assert content["totals"] == {
        "active": 1,
        "counted": 2,
        "without_posts": 0,
        "losing": 1,
        "engagements": 120,
        "engagements_of": 1,
        "posts": 12,
        "tokens": 1500,
        "x_posts": 2,
        "x_reads": 3,
        "ai_cents": 7830,
        "x_cents": 1292,
        "vendors_cents": 9072,
        "cost_cents": 18_194,
        "revenue_cents": 73_348,
        "margin_cents": 55_154,
        "left_cents": 50_528,
    }
    assert (content["week_start"], content["week_end"], content["usd_zar"]) == ("2026-11-23", "2026-11-29", 18.0)
    assert content["missing"] == []
    assert (stored["version"], stored["run_id"], done.rows) == (1, "run-1", 2)


async def test_a_client_whose_database_is_away_is_named_and_counted_nowhere(
    stack: Stack, sandbox: Sandbox, outsider: Organization
) -> None:
    await other_client(stack, "away-shop")
    await paid(stack, "away-shop", 300_000, "2026-11-01", "2026-12-01")

    done = await report(stack)

    [stored] = await reports(stack)
    [missing] = stored["content"]["missing"]
    assert (missing["slug"], missing["name"]) == ("away-shop", "Away-Shop")
    assert "away-shop" in missing["reason"]
    assert [line["slug"] for line in stored["content"]["clients"]] == ["outsider"]
    totals = stored["content"]["totals"]
    assert (totals["active"], totals["counted"], totals["revenue_cents"]) == (2, 1, 0)
    assert totals["cost_cents"] == PLACE_CENTS
    assert (done.rows, done.metadata["missing clients"]) == (1, 1)
    assert "away-shop" in done.metadata["missing"].text
    [mail] = sandbox.public("mail")
    assert "1 missing, and in none of these figures:\n- Away-Shop: " in mail["text"]


async def test_a_client_that_comes_back_restates_the_week_and_mails_nothing_again(
    stack: Stack, sandbox: Sandbox, outsider: Organization
) -> None:
    await busy_week(stack, outsider)
    async with database_away(stack, outsider):
        first = await report(stack)

    second = await report(stack, "run-2")

    stored = await reports(stack)
    assert [(row["version"], row["run_id"], row["content"]["totals"]["posts"]) for row in stored] == [
        (1, "run-1", 0),
        (2, "run-2", 3),
    ]
    assert (first.metadata["version"], first.metadata["restates"]) == (1, None)
    assert (second.metadata["version"], second.metadata["restates"]) == (2, 1)
    assert len(mailed(sandbox)) == 1


async def test_the_report_is_stored_and_mailed_once_however_often_it_is_written(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await busy_week(stack, outsider)

    await asyncio.gather(report(stack, "run-1"), report(stack, "run-2"))
    again = await report(stack, "run-3")

    [stored] = await reports(stack)
    assert (again.metadata["version"], again.metadata["restates"]) == (1, None)
    [mail] = sandbox.public("mail")
    assert (mail["recipient"], mail["transmissions"]) == (OWNER, 1)
    # -5558 of the client and -4536 of the agency itself.
    assert mail["subject"] == "Week of 2026-11-23: -R 100,94 left, clients: 1, at a loss: 1"
    assert "- Outsider (no plan): 3 posts, paid R\u00a00,00, cost R\u00a055,58, margin -R\u00a055,58" in mail["text"]
    assert again.metadata["mailed"] == "in the outbox for the agency's owners, once"
    assert stored["html"].startswith("<!doctype html>")
    assert "nothing paid for this week" in stored["html"]
    assert await count(stack, outsider, "notification_deliveries", "notifications") == {
        "notification_deliveries": 0,
        "notifications": 0,
    }


async def test_the_agencys_own_database_being_away_keeps_the_report_and_mails_it_later(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    async with database_away(stack, agency):
        with pytest.raises(TenantUnavailable):
            await report(stack)
    [stored] = await reports(stack)
    assert [one["slug"] for one in stored["content"]["missing"]] == ["draggonnb"]
    assert mailed(sandbox) == []

    await report(stack)

    assert [recipient for recipient, _ in mailed(sandbox)] == [OWNER]


async def test_a_week_that_is_not_over_for_a_client_is_missing_and_for_the_agency_refused(
    stack: Stack, sandbox: Sandbox, outsider: Organization
) -> None:
    await master_rows(stack, "update organizations set timezone = 'Pacific/Pago_Pago' where slug = 'outsider'")
    try:
        await report(stack)
    finally:
        await master_rows(stack, "update organizations set timezone = 'Africa/Johannesburg'")
    [stored] = await reports(stack)
    assert [one["reason"] for one in stored["content"]["missing"]] == ["its week ends at 2026-11-30 11:00 UTC"]

    with pytest.raises(ValueError, match="the week of 2026-11-23 is not over"):
        await report(stack, at=datetime.fromisoformat("2026-11-29T23:59:59Z"))
    with pytest.raises(ValueError, match="2026-11-24 is a Tuesday"):
        await write_agency_report(variant(stack, now=lambda: MONDAY_MORNING), "run-1", date(2026, 11, 24))
    assert len(await reports(stack)) == 1


async def test_an_old_week_is_written_and_not_mailed(stack: Stack, sandbox: Sandbox, outsider: Organization) -> None:
    done = await report(stack, at=MONDAY_MORNING + timedelta(days=7))

    assert len(await reports(stack)) == 1
    assert done.metadata["mailed"] == "no: the week is long over"
    assert mailed(sandbox) == []


async def test_who_came_after_the_week_or_has_no_system_yet_is_not_in_it(stack: Stack) -> None:
    await other_client(stack, "set-up", status="provisioning")
    await other_client(stack, "leaving", status="offboarding")
    await other_client(stack, "newer")
    await master_rows(stack, "update organizations set created_at = '2026-11-30' where slug = 'newer'")

    await report(stack)

    [stored] = await reports(stack)
    assert [line["slug"] for line in stored["content"]["clients"]] == ["outsider"]
    assert stored["content"]["missing"] == []


async def test_the_operator_sees_tables_and_a_chart_small_enough_for_the_event_log(
    stack: Stack, outsider: Organization
) -> None:
    for number in range(30):
        week = {"posts": number, "ai_cost_usd": number, "engagements": None if number % 2 else number}
        await other_client(stack, f"shop-{number}", **week)

    metadata = (await report(stack, usd_zar=20.0)).metadata

    rows = metadata["clients"].text.splitlines()
    # 29 USD and 2.52 USD at R20.
    assert rows[2].startswith("| shop-29 | starter | 29 | not known | 0 | R\u00a0580,00 | R\u00a00,00 | R\u00a050,40 |")
    assert len(rows) == 2 + 31
    assert metadata["totals"].text.splitlines()[0].endswith("R20.00 for a dollar | |")
    assert metadata["chart"].text.startswith("![paid and cost](data:image/png;base64,iVBOR")
    assert len(metadata["chart"].text) < 60_000


async def test_the_step_reports_each_week_of_the_agency_by_itself(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    week, week_before, running = (PartitionKey("draggonnb", date(2026, 11, day)) for day in (23, 16, 30))
    of_a_client = PartitionKey("outsider", week.day)

    found = await report_on_agency(
        variant(stack, now=lambda: MONDAY_MORNING), "run-1", [week, week_before, running, of_a_client]
    )

    assert {key: one.rows for key, one in found.done.items()} == {week: 1, week_before: 1, of_a_client: 0}
    assert (found.failed, found.waiting) == ({}, {running: "the week of 2026-11-30 is not over"})
    assert [row["week_start"] for row in await reports(stack)] == [week_before.day, week.day]
    assert len(mailed(sandbox)) == 1

    async with database_away(stack, agency):
        away = await report_on_agency(variant(stack, now=lambda: MONDAY_MORNING), "run-2", [week, of_a_client])
    assert (set(away.done), set(away.failed)) == ({of_a_client}, {week})
    put_off = await master_rows(stack, "select figures_failures from analytics_agenda where figures_failures > 0")
    assert put_off == [{"figures_failures": 1}]


async def test_the_agencys_week_is_due_until_the_report_over_all_clients_is_out(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    monday = variant(stack, now=lambda: MONDAY_MORNING)
    keys = [PartitionKey(slug, WEEK) for slug in ("draggonnb", "outsider")]
    async with stack.master.connection() as conn:
        await snapshot_taken(conn, [agency.id, outsider.id], MONDAY_MORNING.date())
    due = [(one.slug, one.week_start) for one in await weeks_to_report(monday)]
    assert due == [("draggonnb", WEEK), ("outsider", WEEK)]

    # A run that is killed here has told every client of its week, and nobody of all of them.
    await write_week_reports(monday, "run-1", keys)
    assert [(one.slug, one.week_start) for one in await weeks_to_report(monday)] == [("draggonnb", WEEK)]

    await report_on_agency(monday, "run-2", keys[:1])
    assert await weeks_to_report(monday) == []
    assert len([mail for mail in mailed(sandbox) if mail[0] == OWNER]) == 2
