"""Asset checks of billing and provisioning over all clients: who is stuck, what was refused, what nobody knows of."""

from typing import Any

import dagster as dg

from draggonnb_pipelines.domain.reports import Markdown, markdown_text
from draggonnb_pipelines.resources.bindings import MasterQueries, RunStack
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.provisioning.orphans import as_check, compare_with_vendors

PROVISIONING = load_queries("provisioning")


@dg.asset_check(
    asset="supabase_project",
    description="No paid client is stopped or waits for more than an hour, and nobody who leaves is stuck.",
)
def nobody_is_stuck(master: MasterQueries) -> dg.AssetCheckResult:
    rows = master.ask(_stuck)
    lines = ["| client | state | last step | since | why |", "|---|---|---|---|---|"]
    for row in rows:
        why = markdown_text(row["last_error"] or "", max_chars=300)
        since = f"{row['updated_at']:%Y-%m-%d %H:%M} UTC"
        lines.append(f"| {row['slug']} | {row['state']} | {row['last_step'] or ''} | {since} | {why} |")
    names = ", ".join(row["slug"] for row in rows)
    return dg.AssetCheckResult(
        passed=not rows,
        description=f"stuck: {names}. Mend the cause; then materialize the client's partition, or abort it: "
        f"draggonnb tenant abort {rows[0]['slug']}. Who leaves goes on by itself every hour"
        if rows
        else "everybody who paid is set up or on the way",
        metadata=to_dagster_metadata({"stuck": Markdown("\n".join(lines))}) if rows else {},
    )


@dg.asset_check(asset="subscriptions", description="No notice of a payment was refused or waits for a person today.")
def payments_are_clear(master: MasterQueries) -> dg.AssetCheckResult:
    rows = master.ask(_unclear)
    lines = ["| received | state | payment | from | why |", "|---|---|---|---|---|"]
    for row in rows:
        why = markdown_text(row["reason"] or "", max_chars=300)
        payment = markdown_text(row["m_payment_id"] or "", max_chars=60)
        lines.append(
            f"| {row['received_at']:%Y-%m-%d %H:%M} UTC | {row['state']} | {payment} | {row['source_ip']} | {why} |"
        )
    open_rows = [row for row in rows if row["state"] != "rejected"]
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.ERROR if open_rows else dg.AssetCheckSeverity.WARN,
        description=f"{len(open_rows)} wait, {len(rows) - len(open_rows)} were refused; a refusal changes nothing"
        if rows
        else "every notice was believed and applied",
        metadata=to_dagster_metadata({"notices": Markdown("\n".join(lines))}) if rows else {},
    )


@dg.asset_check(asset="supabase_project", description="Vendors hold what the ledger says, and nothing else of ours.")
def no_orphans(stack: RunStack) -> dg.AssetCheckResult:
    outcome = as_check(stack.run(compare_with_vendors))
    return dg.AssetCheckResult(
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=outcome.description,
        metadata=to_dagster_metadata(outcome.metadata),
    )


async def _stuck(conn: Connection) -> list[dict[str, Any]]:
    stuck = [row async for row in PROVISIONING.stuck_clients(conn)]
    return stuck + [row async for row in PROVISIONING.stuck_leavers(conn)]


async def _unclear(conn: Connection) -> list[dict[str, Any]]:
    return [row async for row in PROVISIONING.unclear_notices(conn)]


provisioning_checks = [nobody_is_stuck, payments_are_clear, no_orphans]
