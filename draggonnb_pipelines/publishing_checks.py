"""Asset checks of publishing over all organizations: what is due and silent, what is stopped, what ends soon.

Checks of one partition (`brand_rules_kept` and its neighbours) are recorded by the step that makes it.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from draggonnb_pipelines.domain.reports import Markdown, markdown_text
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.graph import GRAPH_VERSIONS, version_ends
from draggonnb_pipelines.resources.linkedin import LINKEDIN_VERSIONS, sunset_of
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.tenant_events import to_dagster_metadata

AGENDA = load_queries("agenda")
PUNCTUAL = "publishing_is_punctual"
SILENT_AFTER = timedelta(minutes=5)
NOTICE = timedelta(days=60)


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


@dg.asset_check(
    asset="published_posts", description="The versions of LinkedIn's and Meta's APIs live for 60 days at least."
)
def api_versions_last() -> dg.AssetCheckResult:
    settings = load_settings()
    return versions_verdict(settings.linkedin_version, settings.graph_version, datetime.now(UTC).date())


def versions_verdict(linkedin: str, graph: str, today: date) -> dg.AssetCheckResult:
    """The verdict on two versions on a day. A LinkedIn version that we know nothing of fails: 426 stops everything."""
    ends = {
        f"LinkedIn {linkedin} (DRAGGONNB_LINKEDIN_VERSION)": sunset_of(linkedin),
        f"Graph {graph} (DRAGGONNB_GRAPH_VERSION)": version_ends(graph),
    }
    unknown = [] if linkedin in LINKEDIN_VERSIONS else [f"LinkedIn {linkedin} is not in our register"]
    near = [
        f"{name} ends on {end}, in {(end - today).days} days"
        for name, end in ends.items()
        if end is not None and end - today < NOTICE
    ]
    newest = f"newest known: {max(LINKEDIN_VERSIONS)} and {max(GRAPH_VERSIONS)}"
    return dg.AssetCheckResult(
        passed=not near and not unknown,
        description=f"{'; '.join([*unknown, *near])}; {newest}"
        if near or unknown
        else "both live for 60 days and more",
        metadata={name: str(end) if end else "no end announced" for name, end in ends.items()},
    )


publishing_checks = [publishing_is_punctual, no_network_is_stopped, api_versions_last]
