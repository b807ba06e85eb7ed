"""What a step's outcomes say to the operator about leads: a report per organization and day."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from draggonnb_pipelines.domain.reports import CheckOutcome, KeyReport, Markdown, PartitionKey, StepReport
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_batches import LEADS, Outcome
from draggonnb_pipelines.workflows.step_reports import (
    by_partition,
    day_counts,
    outcome_metadata,
    outcome_table,
    troubles,
    write_ledger,
)


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
    by_key = by_partition(list(outcomes))
    failed, waiting = troubles(by_key, "leads")
    failed |= broken or {}
    counts, away = await day_counts(stack, [key for key in keys if key not in failed and key not in waiting], _count)
    failed |= away
    done = {key: _key_report(asset, by_key.get(key, []), counts.get(key, {}), code_version) for key in counts}
    await write_ledger(stack, asset, run_id, counts)
    asked = set(keys)
    return StepReport(
        done=done,
        failed={key: reason for key, reason in failed.items() if key in asked},
        waiting={key: reason for key, reason in waiting.items() if key in asked and key not in failed},
    )


def _count(tenant: TenantDb, days: Sequence[date]) -> AsyncIterator[dict[str, Any]]:
    return LEADS.day_counts(tenant.conn, days=list(days))


def _key_report(
    asset: str, outcomes: Sequence[Outcome], counts: Mapping[str, Any], code_version: str | None
) -> KeyReport:
    table = outcome_table(outcomes, "lead", lambda work: str(work.lead_id))
    metadata: dict[str, Any] = {"leads": Markdown(table), "leads in this run": len(outcomes)}
    if counts.get("needs_review"):
        metadata["needs review"] = counts["needs_review"]
    metadata |= outcome_metadata(outcomes)
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
