"""Asset checks of publishing over all organizations: what is due and silent, what is stopped.

Checks of one partition (`brand_rules_kept` and its neighbours) are recorded by the step that makes it; versions that
end are the whole installation's matter (`operations_checks.py`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from draggonnb_pipelines.domain.reports import Markdown, markdown_text
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.tenant_events import to_dagster_metadata

AGENDA = load_queries("agenda")
PUNCTUAL = "publishing_is_punctual"
SILENT_AFTER = timedelta(minutes=5)


@dg.asset_check(
    asset="published_posts", name=PUNCTUAL, description="Nothing is due for more than five minutes without a run."
)
def publishing_is_punctual(master: MasterQueries) -> dg.AssetCheckResult:
    return punctuality_of(master, datetime.now(UTC))


def punctuality_of(master: MasterQueries, now: datetime) -> dg.AssetCheckResult:
    """The verdict of `publishing_is_punctual` at `now`."""

    async def oldest(conn: Connection) -> dict[str, Any]:
        return await AGENDA.oldest_due(conn)

    found = master.ask(oldest)
    late = max(now - found["oldest"], timedelta(0)) if found["oldest"] else timedelta(0)
    is_punctual = late <= SILENT_AFTER
    remedy = "" if is_punctual else " Look at the runs of publish_due_posts, and at the daemon's health."
    return dg.AssetCheckResult(
        passed=is_punctual,
        description=f"{found['waiting']} organizations have something due, the oldest for "
        f"{late // timedelta(minutes=1)} min.{remedy}",
        metadata={"organizations": found["waiting"], "oldest (minutes)": late.total_seconds() / 60},
    )


@dg.asset_check(
    asset="published_posts", description="No network is stopped because of a wrong set-up or an old version."
)
def no_network_is_stopped(master: MasterQueries) -> dg.AssetCheckResult:
    async def quotas(conn: Connection) -> list[dict[str, Any]]:
        return [row async for row in AGENDA.app_quotas(conn)]

    rows = master.ask(quotas)
    stopped = [row for row in rows if row["stopped_reason"]]
    lines = ["| network | left of the quota | used | silent until | stopped |", "|---|---|---|---|---|"]
    for row in rows:
        until = f"{row['resume_at']:%Y-%m-%d %H:%M} UTC" if row["resume_at"] else ""
        used = "" if row["used_percent"] is None else f"{row['used_percent']:.0f} %"
        left = "" if row["remaining"] is None else row["remaining"]
        reason = markdown_text(row["stopped_reason"] or "", max_chars=200)
        lines.append(f"| {row['vendor']} | {left} | {used} | {until} | {reason} |")
    names = ", ".join(row["vendor"] for row in stopped)
    return dg.AssetCheckResult(
        passed=not stopped,
        description=f"stopped: {names}. Mend the cause, then: draggonnb publish resume {stopped[0]['vendor']}"
        if stopped
        else "all networks are open",
        metadata=to_dagster_metadata({"quotas": Markdown("\n".join(lines))}) if rows else {},
    )


publishing_checks = [publishing_is_punctual, no_network_is_stopped]
