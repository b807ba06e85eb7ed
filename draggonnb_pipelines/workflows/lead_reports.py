"""What a step's outcomes say to the operator: a report per organization and day, and the ledger behind it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import psycopg

from draggonnb_pipelines.domain.reports import (
    CheckOutcome,
    KeyReport,
    Markdown,
    PartitionKey,
    StepReport,
    markdown_text,
)
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.lead_batches import LEADS, Outcome, organizations_by_slug, reason_of

LEDGER = load_queries("ledger")
ROWS_SHOWN = 50


async def report_step(
    stack: Stack,
    asset: str,
    run_id: str,
    keys: Sequence[PartitionKey],
    outcomes: Iterable[Outcome],
    *,
    code_version: str | None = None,
    broken: Mapping[PartitionKey, str] | None = None,
) -> StepReport:
    """One KeyReport per key, failures by key, and the ledger's rows written in one statement.

    A key fails if a lead of it failed. Where leads of it only wait (for a message's fate, for a batch), it waits.

    Args:
        code_version: the prompt's hash, for assets that rest on one.
        broken: keys that failed before any lead of theirs could be looked at.
    """
    by_key: dict[PartitionKey, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_key[outcome.work.key].append(outcome)
    failed = dict(broken or {})
    waiting: dict[PartitionKey, str] = {}
    for key, of_key in by_key.items():
        problems = [outcome for outcome in of_key if outcome.problem is not None]
        if problems and key not in failed:
            only_waits = all(outcome.waits for outcome in problems)
            (waiting if only_waits else failed)[key] = _reason(of_key, problems)
    counts, away = await _day_counts(stack, [key for key in keys if key not in failed and key not in waiting])
    failed |= away
    done = {key: _key_report(asset, by_key.get(key, []), counts.get(key, {}), code_version) for key in counts}
    await _write_ledger(stack, asset, run_id, counts)
    asked = set(keys)
    return StepReport(
        done=done,
        failed={key: reason for key, reason in failed.items() if key in asked},
        waiting={key: reason for key, reason in waiting.items() if key in asked},
    )


async def _day_counts(
    stack: Stack, keys: Sequence[PartitionKey]
) -> tuple[dict[PartitionKey, dict[str, Any]], dict[PartitionKey, str]]:
    """Per key what there is on that day by now, whichever runs made it; and the keys whose tenant is away."""
    days: dict[str, list[date]] = defaultdict(list)
    for key in keys:
        days[key.slug].append(key.day)
    organizations = await organizations_by_slug(stack, list(days))

    async def of_tenant(slug: str) -> tuple[dict[PartitionKey, dict[str, Any]], dict[PartitionKey, str]]:
        try:
            async with stack.tenants.open(organizations[slug]) as tenant:
                found = {row["day"]: row async for row in LEADS.day_counts(tenant.conn, days=days[slug])}
        except (TenantUnavailable, psycopg.Error) as error:
            return {}, {PartitionKey(slug, day): reason_of(error) for day in days[slug]}
        return {PartitionKey(slug, day): found.get(day, {}) for day in days[slug]}, {}

    parts = await asyncio.gather(*map(of_tenant, days))
    counts = {key: row for part, _ in parts for key, row in part.items()}
    return counts, {key: reason for _, part in parts for key, reason in part.items()}


def _key_report(
    asset: str, outcomes: Sequence[Outcome], counts: Mapping[str, Any], code_version: str | None
) -> KeyReport:
    metadata: dict[str, Any] = {"leads": Markdown(_table(outcomes)), "leads in this run": len(outcomes)}
    if counts.get("needs_review"):
        metadata["needs review"] = counts["needs_review"]
    tokens = sum(outcome.tokens for outcome in outcomes)
    if tokens:
        metadata["tokens"] = tokens
        metadata["cost (USD)"] = float(sum(outcome.cost_usd for outcome in outcomes))
    if code_version:
        metadata["prompt"] = code_version[:12]
    previews = [outcome.preview for outcome in outcomes if outcome.preview]
    if previews:
        metadata["analysis"] = Markdown(previews[0])
    return KeyReport(rows=counts.get(asset, 0), metadata=metadata, checks=_checks(asset, outcomes))


def _checks(asset: str, outcomes: Sequence[Outcome]) -> list[CheckOutcome]:
    if asset != "business_analyses":
        return []
    wrong = [outcome for outcome in outcomes if not outcome.needs_review and outcome.columns.get("quick wins") != 3]
    return [
        CheckOutcome(
            "three_quick_wins",
            passed=not wrong,
            description=f"{len(wrong)} of {len(outcomes)} analyses do not have exactly three quick wins"
            if wrong
            else f"{len(outcomes)} analyses, three quick wins each",
        )
    ]


def _reason(outcomes: Sequence[Outcome], problems: Sequence[Outcome]) -> str:
    first = problems[0]
    assert first.problem is not None
    verb = "wait" if all(outcome.waits for outcome in problems) else "failed"
    return f"{len(problems)} of {len(outcomes)} leads {verb}: {reason_of(first.problem)}"


def _table(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "nothing to do"
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.columns))
    lines = ["| lead | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for outcome in outcomes[:ROWS_SHOWN]:
        cells = [_cell(outcome.columns.get(name, "")) for name in names]
        lines.append(f"| `{str(outcome.work.lead_id)[:8]}` | " + " | ".join(cells) + " |")
    if len(outcomes) > ROWS_SHOWN:
        lines.append(f"\n… and {len(outcomes) - ROWS_SHOWN} more")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, Markdown):
        return value.text
    return markdown_text("not known" if value is None else value, max_chars=200)


async def _write_ledger(
    stack: Stack, asset: str, run_id: str, counts: Mapping[PartitionKey, Mapping[str, Any]]
) -> None:
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
