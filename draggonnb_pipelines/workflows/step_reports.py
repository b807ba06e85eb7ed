"""What any step's outcomes say to the operator, and the ledger in master behind it.

Lives here: failed and waiting partitions, tables of outcomes, counts per day. Not here: what is counted and shown of
leads (`lead_reports.py`), of content (`content_reports.py`), of publishing (`publish_reports.py`).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date
from typing import Any

import psycopg

from draggonnb_pipelines.domain.reports import Markdown, PartitionKey, markdown_text
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.inbox_batches import StepOutcome, WorkT, organizations_by_slug, reason_of

LEDGER = load_queries("ledger")
ROWS_SHOWN = 50

# From a tenant and some days, a row per day: how many there are of each asset, by its name.
DayCounts = Callable[[TenantDb, Sequence[date]], AsyncIterator[dict[str, Any]]]


def troubles(
    outcomes: Mapping[PartitionKey, Sequence[StepOutcome[WorkT]]], noun: str
) -> tuple[dict[PartitionKey, str], dict[PartitionKey, str]]:
    """The partitions that failed, and those that only wait, each with its reason."""
    failed: dict[PartitionKey, str] = {}
    waiting: dict[PartitionKey, str] = {}
    for key, of_key in outcomes.items():
        problems = [outcome for outcome in of_key if outcome.problem is not None]
        if not problems:
            continue
        only_waits = all(outcome.waits for outcome in problems)
        first = problems[0].problem
        assert first is not None
        verb = "wait" if only_waits else "failed"
        reason = f"{len(problems)} of {len(of_key)} {noun} {verb}: {reason_of(first)}"
        (waiting if only_waits else failed)[key] = reason
    return failed, waiting


def by_partition(outcomes: Sequence[StepOutcome[WorkT]]) -> dict[PartitionKey, list[StepOutcome[WorkT]]]:
    found: dict[PartitionKey, list[StepOutcome[WorkT]]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.work.key].append(outcome)
    return found


async def day_counts(
    stack: Stack, keys: Sequence[PartitionKey], count: DayCounts
) -> tuple[dict[PartitionKey, dict[str, Any]], dict[PartitionKey, str]]:
    """Per key what there is on that day by now, whichever runs made it; and the keys whose tenant is away."""
    days: dict[str, list[date]] = defaultdict(list)
    for key in keys:
        days[key.slug].append(key.day)
    organizations = await organizations_by_slug(stack, list(days))

    async def of_tenant(slug: str) -> tuple[dict[PartitionKey, dict[str, Any]], dict[PartitionKey, str]]:
        try:
            async with stack.tenants.open(organizations[slug]) as tenant:
                found = {row["day"]: row async for row in count(tenant, days[slug])}
        except (TenantUnavailable, psycopg.Error) as error:
            return {}, {PartitionKey(slug, day): reason_of(error) for day in days[slug]}
        return {PartitionKey(slug, day): found.get(day, {}) for day in days[slug]}, {}

    parts = await asyncio.gather(*map(of_tenant, days))
    counts = {key: row for part, _ in parts for key, row in part.items()}
    return counts, {key: reason for _, part in parts for key, reason in part.items()}


def outcome_table(outcomes: Sequence[StepOutcome[WorkT]], noun: str, name_of: Callable[[WorkT], str]) -> str:
    """A row per outcome, as Markdown; at most `ROWS_SHOWN`."""
    if not outcomes:
        return "nothing to do"
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.columns))
    lines = [f"| {noun} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for outcome in outcomes[:ROWS_SHOWN]:
        cells = [_cell(outcome.columns.get(name, "")) for name in names]
        lines.append(f"| `{name_of(outcome.work)[:8]}` | " + " | ".join(cells) + " |")
    if len(outcomes) > ROWS_SHOWN:
        lines.append(f"\n… and {len(outcomes) - ROWS_SHOWN} more")
    return "\n".join(lines)


def outcome_metadata(outcomes: Sequence[StepOutcome[WorkT]]) -> dict[str, Any]:
    """Tokens and cost of these outcomes, where there were any."""
    tokens = sum(outcome.tokens for outcome in outcomes)
    cost = float(sum(outcome.cost_usd for outcome in outcomes))
    return {"tokens": tokens, "cost (USD)": cost} if tokens else {}


async def write_ledger(stack: Stack, asset: str, run_id: str, counts: Mapping[PartitionKey, Mapping[str, Any]]) -> None:
    """The ledger's rows of all keys, in one statement."""
    if not counts:
        return
    rows = list(counts.items())
    async with stack.master.connection() as conn:
        await LEDGER.record(
            conn,
            asset=asset,
            run_id=run_id,
            now=stack.now(),
            slugs=[key.slug for key, _ in rows],
            days=[key.day for key, _ in rows],
            rows=[count.get(asset, 0) for _, count in rows],
            parked=[count.get("needs_review", 0) for _, count in rows],
            code_versions=[count.get(f"{asset}_prompt") for _, count in rows],
        )


def _cell(value: object) -> str:
    if isinstance(value, Markdown):
        return value.text
    return markdown_text("not known" if value is None else value, max_chars=200)
