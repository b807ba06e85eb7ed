"""What a step's outcomes say to the operator: a report per organization and day, and the ledger behind it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.reports import CheckOutcome, KeyReport, Markdown, PartitionKey, StepReport
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.lead_batches import Outcome, organizations_by_slug, reason_of

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

    A key fails if a lead of it failed; one that only waits (for a message's fate, for a batch) fails too, with
    "waits": it is not done yet, and the row comes again by itself.

    Args:
        code_version: the prompt's hash, for assets that rest on one.
        broken: keys that failed before any lead of theirs could be looked at.
    """
    by_key: dict[PartitionKey, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_key[outcome.work.key].append(outcome)
    failed = dict(broken or {})
    done: dict[PartitionKey, KeyReport] = {}
    for key in keys:
        of_key = by_key.get(key, [])
        problems = [outcome for outcome in of_key if outcome.problem is not None]
        if problems and key not in failed:
            failed[key] = _failure(of_key, problems)
        if key not in failed:
            done[key] = _key_report(asset, of_key, code_version)
    await _write_ledger(stack, asset, run_id, done, by_key, code_version)
    return StepReport(done=done, failed={key: reason for key, reason in failed.items() if key in set(keys)})


def _key_report(asset: str, outcomes: Sequence[Outcome], code_version: str | None) -> KeyReport:
    metadata: dict[str, Any] = {"leads": Markdown(_table(outcomes))}
    parked = sum(outcome.needs_review for outcome in outcomes)
    if parked:
        metadata["needs review"] = parked
    tokens = sum(outcome.tokens for outcome in outcomes)
    if tokens:
        metadata["tokens"] = tokens
        metadata["cost (USD)"] = float(sum(outcome.cost_usd for outcome in outcomes))
    if code_version:
        metadata["prompt"] = code_version[:12]
    previews = [outcome.preview for outcome in outcomes if outcome.preview]
    if previews:
        metadata["analysis"] = Markdown(previews[0])
    return KeyReport(rows=len(outcomes), metadata=metadata, checks=_checks(asset, outcomes))


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


def _failure(outcomes: Sequence[Outcome], problems: Sequence[Outcome]) -> str:
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
    return " ".join(str(value if value is not None else "not known").split()).replace("|", "\\|")[:200]


async def _write_ledger(
    stack: Stack,
    asset: str,
    run_id: str,
    done: Mapping[PartitionKey, KeyReport],
    by_key: Mapping[PartitionKey, Sequence[Outcome]],
    code_version: str | None,
) -> None:
    if not done:
        return
    organizations = await organizations_by_slug(stack, list({key.slug for key in done}))
    ids: dict[str, UUID] = {slug: organization.id for slug, organization in organizations.items()}
    kept = [key for key in done if key.slug in ids]
    async with stack.master.connection() as conn:
        await LEDGER.record(
            conn,
            asset=asset,
            run_id=run_id,
            code_version=code_version,
            now=stack.now(),
            organization_ids=[ids[key.slug] for key in kept],
            days=[key.day for key in kept],
            rows=[done[key].rows for key in kept],
            parked=[sum(outcome.needs_review for outcome in by_key.get(key, [])) for key in kept],
        )
