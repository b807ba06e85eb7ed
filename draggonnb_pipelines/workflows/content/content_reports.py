"""What a step's outcomes say to the operator about content: a report per organization and day, and the checks."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any

from draggonnb_pipelines.domain.reports import (
    CheckOutcome,
    KeyReport,
    Markdown,
    PartitionKey,
    StepReport,
    markdown_text,
)
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.content_batches import Outcome
from draggonnb_pipelines.workflows.content.content_checks import CONTENT
from draggonnb_pipelines.workflows.content.scheduling import POSTS_AT_ONCE, Enqueued, enqueue_ready
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of
from draggonnb_pipelines.workflows.step_reports import (
    by_partition,
    day_counts,
    outcome_metadata,
    outcome_table,
    troubles,
    write_ledger,
)

PREVIEWS_SHOWN = 3
CLIENTS_AT_ONCE = 16
# Checks before anything is scheduled: which findings each one is about.
CHECKS = {
    "brand_rules_kept": frozenset({"banned_word", "banned_claim", "risky_claim", "missing_disclaimer"}),
    "claims_have_sources": frozenset({"figure_without_source"}),
    "nothing_said_twice": frozenset({"near_duplicate", "same_slot"}),
    "platform_rules_kept": frozenset({"platform_rule", "not_mended"}),
}


async def report_content(
    stack: Stack,
    asset: str,
    run_id: str,
    keys: Sequence[PartitionKey],
    outcomes: Sequence[Outcome],
    *,
    code_version: str | None = None,
    broken: Mapping[PartitionKey, str] | None = None,
) -> StepReport:
    """One report per key, failures by key, and the ledger's rows. The posts' findings become the asset's checks."""
    by_key = by_partition(outcomes)
    failed, waiting = troubles(by_key, "requests")
    failed |= broken or {}
    counts, away = await day_counts(stack, [key for key in keys if key not in failed and key not in waiting], _count)
    failed |= away
    organizations = await organizations_by_slug(stack, list({key.slug for key in counts}))
    done = {}
    for key, count in counts.items():
        metadata = _metadata(by_key.get(key, []), count, code_version)
        checks: list[CheckOutcome] = []
        if asset == "generated_posts":
            async with stack.tenants.open(organizations[key.slug]) as tenant:
                checks = await _checks(tenant, by_key.get(key, []))
        done[key] = KeyReport(rows=count.get(asset, 0), metadata=metadata, checks=checks)
    await write_ledger(stack, asset, run_id, counts)
    asked = set(keys)
    return StepReport(
        done=done,
        failed={key: reason for key, reason in failed.items() if key in asked},
        waiting={key: reason for key, reason in waiting.items() if key in asked and key not in failed},
    )


async def enqueue_approved(stack: Stack, keys: Sequence[PartitionKey]) -> StepReport:
    """Put on the queue what was approved since, and report on it; a client's trouble is its own.

    Of a client with very many no more than one look's: the others' due posts wait for this step, and the rest is put on
    the queue in its turns of the next one.
    """
    organizations = await organizations_by_slug(stack, [key.slug for key in keys])
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def of_key(key: PartitionKey) -> KeyReport | str:
        async with permits:
            try:
                made = await enqueue_ready(stack, organizations[key.slug], most=POSTS_AT_ONCE)
            except Exception as error:
                return reason_of(error)
        rows = sum(one.rows for one in made)
        return KeyReport(rows=rows, metadata={"queued": Markdown(_queued(made)), "rows": rows})

    found = dict(zip(keys, await asyncio.gather(*map(of_key, keys)), strict=True))
    return StepReport(
        done={key: report for key, report in found.items() if isinstance(report, KeyReport)},
        failed={key: reason for key, reason in found.items() if isinstance(reason, str)},
    )


def _count(tenant: TenantDb, days: Sequence[date]) -> AsyncIterator[dict[str, Any]]:
    return CONTENT.day_counts(tenant.conn, days=list(days))


def _metadata(outcomes: Sequence[Outcome], counts: Mapping[str, Any], code_version: str | None) -> dict[str, Any]:
    table = outcome_table(outcomes, "request", lambda work: str(work.request_id))
    metadata: dict[str, Any] = {"requests": Markdown(table), "requests in this run": len(outcomes)}
    if counts.get("needs_review"):
        metadata["needs review"] = counts["needs_review"]
    metadata |= outcome_metadata(outcomes)
    if code_version:
        metadata["prompt"] = code_version[:12]
    if previews := [outcome.preview for outcome in outcomes if outcome.preview]:
        metadata["posts"] = Markdown("\n\n---\n\n".join(previews[:PREVIEWS_SHOWN]))
    return metadata


async def _checks(tenant: TenantDb, outcomes: Sequence[Outcome]) -> list[CheckOutcome]:
    ids = [outcome.work.request_id for outcome in outcomes]
    findings = [row async for row in CONTENT.findings_of(tenant.conn, request_ids=ids)]
    checks = []
    for name, rules in CHECKS.items():
        found = [row for row in findings if row["rule"] in rules]
        blocks = any(row["severity"] == "block" for row in found)
        lines = ["| post | platform | rule | reason |", "|---|---|---|---|"]
        for row in found[:50]:
            reason = markdown_text(row["reason"], max_chars=200)
            lines.append(f"| `{str(row['post_id'])[:8]}` | {row['platform'] or 'all'} | {row['rule']} | {reason} |")
        checks.append(
            CheckOutcome(
                name,
                passed=not found,
                description=f"{len(found)} findings" if found else "nothing found",
                severity="error" if blocks else "warn",
                metadata={"findings": Markdown("\n".join(lines))} if found else {},
            )
        )
    return checks


def _queued(made: Sequence[Enqueued]) -> str:
    if not made:
        return "nothing was approved since"
    lines = ["| post | goes out (UTC) | networks | rows | why not |", "|---|---|---|---|---|"]
    for one in made[:50]:
        why = markdown_text(one.reason or "", max_chars=200)
        lines.append(
            f"| `{str(one.post_id)[:8]}` | {one.publish_at:%Y-%m-%d %H:%M} | {', '.join(one.platforms)} | {one.rows} "
            f"| {why} |"
        )
    return "\n".join(lines)
