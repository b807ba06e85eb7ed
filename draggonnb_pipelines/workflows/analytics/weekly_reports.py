"""The weekly report of each client: written from the week's snapshot, stored, and told once.

Lives here: which week may be reported, versions, files, whom it reaches. Not here: what it says (`report_content.py`),
how it looks (`report_pages.py`), the figures (`snapshots.py`), the agency's own report (`agency_report.py`).
A report is stored before anybody is told: a run that is killed between the two is repeated, finds the version that it
stored, and tells of that one. Whoever was told of a week is not told again, whatever becomes of its figures later.
"""

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.periods import Period
from draggonnb_pipelines.domain.reports import KeyReport, Markdown, PartitionKey, StepReport, markdown_text
from draggonnb_pipelines.domain.restatements import changes_of
from draggonnb_pipelines.domain.usage import zone_of
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics import report_pages
from draggonnb_pipelines.workflows.analytics.analytics_agenda import figures_failed, week_reported
from draggonnb_pipelines.workflows.analytics.client_costs import note_client_week
from draggonnb_pipelines.workflows.analytics.report_content import report_content
from draggonnb_pipelines.workflows.analytics.report_links import report_url
from draggonnb_pipelines.workflows.analytics.report_words import words_of
from draggonnb_pipelines.workflows.analytics.snapshot_versions import period_snapshot
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of
from draggonnb_pipelines.workflows.messages.notices import Notice, tell
from draggonnb_pipelines.workflows.step_reports import write_ledger

REPORTS = load_queries("reports")
ASSET = "weekly_reports"
EVENT = "weekly_report"
READERS = ("owner", "admin")
CLIENTS_AT_ONCE = 8
WEEKS_SHOWN = 8
WEEK = timedelta(weeks=1)
# The platforms are read at this hour (UTC), which gives the last day of the week its numbers.
MEASURED_AT = time(6, tzinfo=UTC)
# A chart is some 13 kB of the event log: every client of a run over a thousand would be 13 MB a week.
CHARTS_IN_METADATA = 100
log = logging.getLogger(__name__)


async def write_week_reports(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """Write and tell the reports of these weeks; `day` of a key is the Monday on which its week began.

    In any number of runs at once, and again: figures that did not change make no new version, and nobody is told
    twice. A week that is not over in the organization's zone, or whose last day is not measured yet, waits.
    """
    organizations = await organizations_by_slug(stack, list(dict.fromkeys(key.slug for key in keys)))
    permits, drawing = asyncio.Semaphore(CLIENTS_AT_ONCE), asyncio.Lock()
    with_chart = len(keys) <= CHARTS_IN_METADATA

    async def of_key(key: PartitionKey) -> StepReport:
        organization = organizations.get(key.slug)
        if left_out := _left_out(key, organization, stack.now()):
            return left_out
        assert organization is not None
        async with permits:
            try:
                done = await _report(stack, run_id, organization, key.day, drawing, with_chart=with_chart)
                return StepReport(done={key: done})
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                log.warning("run %s: no report of %s for %s: %s", run_id, key.slug, key.day, reason_of(error))
                return StepReport(failed={key: reason_of(error)})
            except Exception as error:  # what one client's figures break must not take the others' reports with it
                log.exception("run %s: the report of %s for %s broke", run_id, key.slug, key.day)
                return StepReport(failed={key: reason_of(error)})

    parts = await asyncio.gather(*map(of_key, dict.fromkeys(keys)))
    report = StepReport.joined(parts)
    await _note(stack, run_id, report, organizations)
    return report


def _left_out(key: PartitionKey, organization: Organization | None, now: datetime) -> StepReport | None:
    """Keys for which nothing is to be written, or not yet."""
    if organization is None:
        return StepReport(failed={key: "there is no such organization"})
    if key.day.isoweekday() != 1:
        return StepReport(failed={key: f"{key.day} is no Monday: a week is named by the day on which it began"})
    if organization.status == "provisioning":
        return StepReport(waiting={key: "its system is still being set up"})
    if organization.status in ("offboarding", "closed"):  # its database is put away, or gone
        return StepReport(done={key: KeyReport(rows=0)})
    over = Period.starting("week", key.day).over_at(organization.timezone)
    ready = max(over, datetime.combine(key.day + WEEK, MEASURED_AT))
    if now < ready:
        return StepReport(waiting={key: f"its last day is measured at {ready:%Y-%m-%d %H:%M} UTC"})
    return None


async def _report(
    stack: Stack, run_id: str, organization: Organization, week_start: date, drawing: asyncio.Lock, *, with_chart: bool
) -> KeyReport:
    """1. the week's snapshot  2. a version, if its figures are new  3. telling, once  4. what the week cost."""
    async with stack.tenants.open(organization) as tenant:
        snapshot = await period_snapshot(tenant, "week", week_start, run_id=run_id)
        before = await REPORTS.newest_report(tenant.conn, week_start=week_start)
        is_known = before is not None and before["snapshot_id"] == snapshot["id"]
        content = None if is_known else await _content(tenant, week_start, snapshot, before)
    files: dict[str, bytes] = {}
    stored = before
    if content is not None:
        async with drawing:  # matplotlib's caches are no place for two threads
            files = await asyncio.to_thread(_files, content)
        stored = await _store(stack, run_id, organization, week_start, snapshot, before, content, files)
    assert stored is not None
    told = await _tell(stack, organization, week_start, stored)
    await note_client_week(stack, organization, week_start, snapshot["metrics"])
    chart = files.get("days.png") if with_chart and stored["content"] == content else None
    return KeyReport(rows=int(not is_known), metadata=_metadata(week_start, stored, snapshot, told, chart))


async def _content(
    tenant: TenantDb, week_start: date, snapshot: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    days = REPORTS.gains(tenant.conn, period="day", since=week_start - WEEK, until=week_start + WEEK)
    by_day = {row["period_start"]: row["gained"] async for row in days}
    first = week_start - (WEEKS_SHOWN - 1) * WEEK
    weeks = REPORTS.gains(tenant.conn, period="week", since=first, until=week_start + WEEK)
    by_week = {row["period_start"]: row["gained"] async for row in weeks}
    return report_content(
        snapshot["metrics"],
        organization=tenant.organization.name,
        week_start=week_start,
        days=by_day,
        weeks=by_week,
        # Against what was told, which need not be the version just before.
        changes=changes_of(before["metrics"], snapshot["metrics"]) if before else {},
        words=words_of(tenant.organization.locale),
    )


def _files(content: Mapping[str, Any]) -> dict[str, bytes]:
    charts = report_pages.charts(content)
    pdf = report_pages.pdf(content, charts)
    return {f"{name}.png": png for name, png in charts.items()} | {report_pages.PDF_NAME: pdf}


async def _store(
    stack: Stack,
    run_id: str,
    organization: Organization,
    week_start: date,
    snapshot: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    content: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> Mapping[str, Any]:
    """The report and its files in one transaction; the one that another run has stored meanwhile, if it was quicker."""
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        stored = await REPORTS.store_report(
            tenant.conn,
            week_start=week_start,
            version=before["version"] + 1 if before else 1,
            snapshot_id=snapshot["id"],
            content=Jsonb(content),
            html=report_pages.page_html(content),
            run_id=run_id,
        )
        if stored is None:
            return await REPORTS.newest_report(tenant.conn, week_start=week_start)
        await REPORTS.store_files(
            tenant.conn,
            report_id=stored["id"],
            names=list(files),
            content_types=["application/pdf" if name.endswith(".pdf") else "image/png" for name in files],
            contents=list(files.values()),
        )
        return stored


async def _tell(stack: Stack, organization: Organization, week_start: date, stored: Mapping[str, Any]) -> str:
    """Plan the messages, unless somebody has them already or the week is long past; what was done, for the operator."""
    event_key = f"{EVENT}:{week_start}"
    today = stack.now().astimezone(zone_of(organization.timezone)).date()
    async with stack.tenants.open(organization) as tenant:
        if await REPORTS.is_told(tenant.conn, event_key=event_key):
            return "told before; not sent again"
        files = [row async for row in REPORTS.files_of(tenant.conn, report_id=stored["id"])]
    if today >= week_start + 2 * WEEK:
        return "stored, and not sent: it is older than the last week"
    await tell(stack, organization, [_notice(stack, organization, week_start, event_key, stored["content"], files)])
    return "told to owners and admins"


def _notice(
    stack: Stack,
    organization: Organization,
    week_start: date,
    event_key: str,
    content: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
) -> Notice:
    words, link = words_of(content["locale"]), report_url(stack, organization, week_start)

    def named(row: Mapping[str, Any]) -> tuple[UUID, str | None]:
        stem, _, kind = row["name"].rpartition(".")
        return row["id"], report_pages.content_id(stem) if kind == "png" else None

    return Notice(
        event_key=event_key,
        type=EVENT,
        subject=words.say("report.subject", week=content["week"]),
        lines=(content["headline"], *content["glance"]),
        link=link,
        roles=READERS,
        whatsapp=(organization.name, content["week"], *content["for_whatsapp"], link),
        mail_html=report_pages.mail_html(content, link),
        mail_text=report_pages.mail_text(content, link),
        files=tuple(map(named, files)),
    )


def _metadata(
    week_start: date, stored: Mapping[str, Any], snapshot: Mapping[str, Any], told: str, chart: bytes | None
) -> dict[str, Any]:
    """For the operator; the report's address is a secret of its readers and is not in it."""
    content = stored["content"]
    metadata: dict[str, Any] = {
        "week": f"{week_start} to {week_start + timedelta(days=6)}",
        "headline": content["headline"],
        "version": stored["version"],
        "snapshot version": snapshot["version"],
        "messages": told,
        "figures": Markdown(_table(("figure", "value", "change"), content["tiles"], ("label", "value", "change"))),
    }
    if content["changes"]:
        names = ("figure", "before", "after")
        metadata["restated"] = Markdown(_table(names, content["changes"], names))
    if content["missing"]:
        metadata["missing"] = Markdown(_table(("what", "reason"), content["missing"], ("text", "reason")))
    if chart:
        image = base64.b64encode(chart).decode()
        metadata["engagements by day"] = Markdown(f"![engagements by day](data:image/png;base64,{image})")
    return metadata


def _table(header: Sequence[str], rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    if not rows:
        return "nothing was published"
    lines = [header, ["---"] * len(header), *([markdown_text(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


async def _note(stack: Stack, run_id: str, report: StepReport, organizations: Mapping[str, Organization]) -> None:
    """In the master: the ledger's rows, of each client the newest week that is reported, and whose report failed.

    Of the agency it is noted once the report over all clients is out too (`agency_report.py`): a run that is killed
    between the two leaves the agency's week due.
    """
    await write_ledger(stack, ASSET, run_id, {key: {ASSET: done.rows} for key, done in report.done.items()})
    async with stack.master.connection() as conn:
        for day in sorted({key.day for key in report.done}):
            of_day = [key.slug for key in report.done if key.day == day and key.slug != AGENCY_SLUG]
            await week_reported(conn, [organizations[slug].id for slug in of_day], day)
        away = {organizations[key.slug].id for key in report.failed if key.slug in organizations}
        await figures_failed(conn, stack.now(), sorted(away))
