"""The agency's weekly report: what all clients did, what each brought in and cost, and who lost money, worst first.

Lives here: gathering, storing and mailing. Not here: the arithmetic (`domain/client_costs.py`), one client's week
(`client_costs.py`), how it reads (`agency_pages.py`).
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.client_costs import (
    DAYS_OF_WEEK,
    ClientWeek,
    PaidPeriod,
    PlanCost,
    check_week,
    rand_cents,
    revenue_of_week,
    vendor_cost_of_week,
    week_bounds,
)
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey, StepReport
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics.agency_pages import mail_bodies, report_metadata, subject_of
from draggonnb_pipelines.workflows.analytics.analytics_agenda import figures_failed, week_reported
from draggonnb_pipelines.workflows.analytics.client_costs import note_client_week
from draggonnb_pipelines.workflows.billing.payment_alerts import agency_of
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.messages.notices import Notice, tell

REPORTS = load_queries("agency_reports")
CLIENTS_AT_ONCE = 8
WEEK = timedelta(days=DAYS_OF_WEEK)
SUMS = ("posts", "tokens", "x_posts", "x_reads", "ai_cents", "x_cents", "vendors_cents", "cost_cents", "revenue_cents",
        "margin_cents")  # fmt: skip
log = logging.getLogger(__name__)


async def report_on_agency(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """The agency's report of each week among the keys, whose days are the Mondays on which the weeks began.

    Other organizations' keys have nothing to do; a week that is not over waits. Only with this report the agency's
    week counts as reported: until then the week stays due.
    """
    done: dict[PartitionKey, KeyReport] = {}
    failed: dict[PartitionKey, str] = {}
    waiting: dict[PartitionKey, str] = {}
    for key in keys:
        if key.slug != AGENCY_SLUG:
            done[key] = KeyReport(rows=0)
        elif stack.now() < _end_of(key.day):
            waiting[key] = f"the week of {key.day} is not over"
        else:
            try:
                report = await write_agency_report(stack, run_id, key.day)
                await _note(stack, key.day)
                done[key] = report
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                log.warning("run %s: the report of the week of %s: %s", run_id, key.day, reason_of(error))
                failed[key] = reason_of(error)
                await _put_off(stack)
    return StepReport(done=done, failed=failed, waiting=waiting)


async def write_agency_report(stack: Stack, run_id: str, week_start: date) -> KeyReport:
    """Write the report of a week that is over and mail it to the agency's owners, once.

    1. every client's week: as its own report has left it in master, or else counted now; a client whose database is
       away is named as missing and counts nowhere
    2. figures that differ from the report's last version are a new version, which is stored and never mailed
    3. the mail, while the week is the last one: who writes the report of an old week anew mails nothing

    Raises:
        ValueError: the day is no Monday, or the week is not over.
        TenantUnavailable: the agency's own database is away; the report is stored, and mailed by the next call.
    """
    ended_at = _end_of(week_start)
    if stack.now() < ended_at:
        raise ValueError(f"the week of {week_start} is not over")
    content = await _gather(stack, run_id, week_start)
    html, text = mail_bodies(content)
    version, restates = await _store(stack, run_id, week_start, content, html)
    mailed = "no: the week is long over"
    if stack.now() < ended_at + WEEK:
        mailed = await _mail(stack, content, html, text)
    return KeyReport(
        rows=len(content["clients"]),
        metadata={**report_metadata(content), "version": version, "restates": restates, "mailed": mailed},
    )


def _end_of(week_start: date) -> datetime:
    return datetime.combine(check_week(week_start) + WEEK, time(), UTC)


async def _note(stack: Stack, week_start: date) -> None:
    agency = await agency_of(stack)
    if agency is not None:
        async with stack.master.connection() as conn:
            await week_reported(conn, [agency.id], week_start)


async def _put_off(stack: Stack) -> None:
    agency = await agency_of(stack)
    if agency is not None:
        async with stack.master.connection() as conn:
            await figures_failed(conn, stack.now(), [agency.id])


async def _gather(stack: Stack, run_id: str, week_start: date) -> dict[str, Any]:
    """All figures, plain numbers as JSON has them: dollars to six digits, cents of rand whole."""
    span = {"week_start": week_start, "week_end": week_start + WEEK}
    async with stack.master.connection() as conn:
        clients = [row async for row in REPORTS.clients_of_week(conn, **span)]
        costs = [PlanCost(**row) async for row in REPORTS.plan_costs(conn, week_end=span["week_end"])]
        ids = [row["id"] for row in clients]
        periods: dict[UUID, list[PaidPeriod]] = defaultdict(list)
        async for row in REPORTS.paid_periods(conn, organization_ids=ids, **span):
            periods[row.pop("organization_id")].append(PaidPeriod(**row))
    weeks = await _weeks(stack, run_id, clients, week_start)
    usd_zar = Decimal(str(stack.settings.usd_zar))
    lines: list[dict[str, Any]] = []
    missing: list[dict[str, str]] = []
    own: dict[str, Any] | None = None
    for client in clients:
        week = weeks[client["slug"]]
        if isinstance(week, str):
            missing.append({"slug": client["slug"], "name": client["name"], "reason": week})
            continue
        vendors = vendor_cost_of_week(costs, week_start, client["since"])
        line = _line(client, week, vendors, revenue_of_week(periods[client["id"]], week_start), usd_zar)
        if client["slug"] == AGENCY_SLUG:
            own = line
        else:
            lines.append(line)
    lines.sort(key=lambda line: (line["margin_cents"], line["slug"]))
    return {
        "schema": 1,
        "week_start": week_start.isoformat(),
        "week_end": (span["week_end"] - timedelta(days=1)).isoformat(),
        "usd_zar": float(usd_zar),
        "totals": _totals(lines, own, clients),
        "clients": lines,
        "agency": own,
        "missing": missing,
    }


async def _weeks(
    stack: Stack, run_id: str, clients: Sequence[Mapping[str, Any]], week_start: date
) -> dict[str, ClientWeek | str]:
    """By slug each client's week, or why it is missing."""
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def of_client(client: Mapping[str, Any]) -> ClientWeek | str:
        if client["is_counted"]:
            return _kept_week(client)
        _, ends_at = week_bounds(week_start, client["timezone"])
        if stack.now() < ends_at:
            return f"its week ends at {ends_at:%Y-%m-%d %H:%M} UTC"
        organization = Organization(**{name: client[name] for name in Organization.__dataclass_fields__})
        async with permits:
            try:
                return await note_client_week(stack, organization, week_start, None)
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                log.warning("run %s: the week of %s is missing: %s", run_id, organization.slug, reason_of(error))
                return reason_of(error)

    found = await asyncio.gather(*map(of_client, clients))
    return {client["slug"]: week for client, week in zip(clients, found, strict=True)}


def _kept_week(row: Mapping[str, Any]) -> ClientWeek:
    columns = ("posts", "readings", "engagements", "ai_cost_usd", "x_cost_usd")
    counts = {name: row["figures"].get(name, 0) for name in ("tokens", "x_posts", "x_reads")}
    return ClientWeek(**{name: row[name] for name in columns}, **counts)


def _line(
    client: Mapping[str, Any], week: ClientWeek, vendors: Mapping[str, Decimal], revenue_cents: int, usd_zar: Decimal
) -> dict[str, Any]:
    """One client. Each part is rounded to the cent by itself, so that the parts add up to the cost."""
    parts = {"ai": week.ai_cost_usd, "x": week.x_cost_usd, "vendors": sum(vendors.values(), Decimal(0))}
    cents = {name: rand_cents(usd, usd_zar) for name, usd in parts.items()}
    cost_cents = sum(cents.values())
    return {
        **{name: client[name] for name in ("slug", "name", "status")},
        "plan": client["plan_key"],
        **{name: getattr(week, name) for name in ("posts", "engagements", "tokens", "x_posts", "x_reads")},
        **{f"{name}_usd": float(usd) for name, usd in parts.items()},
        **{f"{name}_cents": amount for name, amount in cents.items()},
        "vendors": {vendor: float(usd) for vendor, usd in vendors.items()},
        "cost_cents": cost_cents,
        "revenue_cents": revenue_cents,
        "margin_cents": revenue_cents - cost_cents,
    }


def _totals(
    lines: Sequence[Mapping[str, Any]], own: Mapping[str, Any] | None, clients: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Over the clients that are counted; the agency's own costs stand beside them and are off what is left at last."""
    known = [line["engagements"] for line in lines if line["engagements"] is not None]
    sums = {name: sum(line[name] for line in lines) for name in SUMS}
    return {
        "active": sum(client["status"] == "active" and client["slug"] != AGENCY_SLUG for client in clients),
        "counted": len(lines),
        "without_posts": sum(not line["posts"] for line in lines),
        "losing": sum(line["margin_cents"] < 0 for line in lines),
        "engagements": sum(known) if known else None,
        "engagements_of": len(known),
        **sums,
        "left_cents": sums["margin_cents"] - (own["cost_cents"] if own else 0),
    }


async def _store(
    stack: Stack, run_id: str, week_start: date, content: Mapping[str, Any], html: str
) -> tuple[int, int | None]:
    """The version that holds these figures, and the one that it restates, if this call has stored it."""
    async with stack.master.connection() as conn, conn.transaction():
        await REPORTS.lock_reports(conn)
        newest = await REPORTS.newest_report(conn, week_start=week_start)
        if newest and newest["content"] == json.loads(json.dumps(content)):
            return newest["version"], None
        version = 1 + (newest["version"] if newest else 0)
        await REPORTS.put_report(
            conn, week_start=week_start, version=version, content=Jsonb(content), html=html, run_id=run_id
        )
    return version, newest["version"] if newest else None


async def _mail(stack: Stack, content: Mapping[str, Any], html: str, text: str) -> str:
    agency = await agency_of(stack)
    if agency is None:
        return f"no: there is no organization {AGENCY_SLUG}"
    notice = Notice(
        event_key=f"agency_report:{content['week_start']}",
        type="agency_report",
        subject=subject_of(content),
        lines=(),
        roles=("owner",),
        mail_html=html,
        mail_text=text,
    )
    await tell(stack, agency, [notice])
    return "in the outbox for the agency's owners, once"
