"""Asset checks over all organizations: what stands still, what is dead, who is behind the current prompts.

Checks of one partition (`three_quick_wins`) are recorded by the step that makes it.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from draggonnb_pipelines.domain.reports import Markdown, markdown_text
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.leads import lead_analyses, proposals

INBOX = load_queries("inbox")
LEDGER = load_queries("ledger")
INBOX_FRESHNESS = "inbox_is_fresh"
OLDEST_WAIT = timedelta(minutes=15)


@dg.asset_check(
    asset="leads", name=INBOX_FRESHNESS, description="No delivery waits for more than 15 minutes to be worked off."
)
def inbox_is_fresh(master: MasterQueries) -> dg.AssetCheckResult:
    return inbox_freshness_of(master, datetime.now(UTC))


def inbox_freshness_of(master: MasterQueries, now: datetime) -> dg.AssetCheckResult:
    """The verdict of `inbox_is_fresh` at `now`."""

    async def summary(conn: Connection) -> dict[str, Any]:
        return await INBOX.waiting_summary(conn)

    found = master.ask(summary)
    age = now - found["oldest"] if found["oldest"] else timedelta(0)
    minutes = age.total_seconds() / 60
    held = f"{found['held']} of them are held, their clients being moved: `draggonnb tenant move`. "
    is_nobodys_move = age > OLDEST_WAIT and found["waiting"] > found["held"]
    return dg.AssetCheckResult(
        passed=age <= OLDEST_WAIT,
        description=f"{found['waiting']} deliveries wait, the oldest for {minutes:.0f} min. "
        + (held if found["held"] else "")
        + ("See `draggonnb inbox list`, the lead runs, and the daemon's health." if is_nobodys_move else ""),
        metadata={"waiting": found["waiting"], "held": found["held"], "oldest (minutes)": minutes},
    )


@dg.asset_check(asset="leads", description="No delivery was given up; each one is shown with its reason.")
def no_dead_deliveries(master: MasterQueries) -> dg.AssetCheckResult:
    async def dead(conn: Connection) -> list[dict[str, Any]]:
        return [row async for row in INBOX.list_rows(conn, state="dead", slug=None, row_limit=50)]

    rows = master.ask(dead)
    lines = ["| delivery | organization | received | reason |", "|---|---|---|---|"]
    for row in rows:
        reason = markdown_text(row["last_error"], max_chars=200)
        lines.append(f"| `{row['id']}` | {row['slug']} | {row['received_at']:%Y-%m-%d %H:%M} | {reason} |")
    return dg.AssetCheckResult(
        passed=not rows,
        description=f"{len(rows)} dead deliveries. Mend the cause, then: draggonnb inbox replay ID" if rows else "none",
        metadata=to_dagster_metadata({"dead": Markdown("\n".join(lines))}) if rows else {},
    )


@dg.asset_check(
    asset="business_analyses",
    description="Every organization's newest analyses and proposals rest on the current prompts.",
)
def prompts_are_current(master: MasterQueries) -> dg.AssetCheckResult:
    current = {
        "competitor_analyses": lead_analyses.competitors_prompt().hash,
        "business_analyses": lead_analyses.business_prompt().hash,
        "proposals": proposals.proposal_prompt().hash,
    }

    async def behind(conn: Connection) -> list[dict[str, Any]]:
        rows = LEDGER.behind(conn, assets=list(current), versions=list(current.values()))
        return [row async for row in rows]

    rows = master.ask(behind)
    lines = ["| organization | asset | days | from | to |", "|---|---|---|---|---|"]
    lines += [f"| {r['slug']} | {r['asset']} | {r['days']} | {r['from_day']} | {r['to_day']} |" for r in rows[:200]]
    organizations = len({row["slug"] for row in rows})
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{organizations} organizations are behind; the job reprocess_leads brings them up to date."
        if rows
        else "all are on the current prompts",
        metadata=to_dagster_metadata({"behind": Markdown("\n".join(lines))}) if rows else {},
    )


lead_checks = [inbox_is_fresh, no_dead_deliveries, prompts_are_current]
