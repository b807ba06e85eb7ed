"""The events of partitions: what Dagster is told about each organization and day.

Lives here: every event that a tenant run writes, and the project's only use of Dagster's semi-private event API
(`write_planned_events`; a test fails when a new Dagster changes it).
Does not live here: when they are written (`tenant_runs.py`).
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData

from draggonnb_pipelines.domain.reports import (
    NO_DAY,
    CheckOutcome,
    KeyReport,
    Link,
    Markdown,
    Metadata,
    PartitionKey,
    markdown_text,
)
from draggonnb_pipelines.partitions import parse, to_dagster

# A verdict names at most this many partitions: it is read by people, and stored in the run's failure event.
SHOWN_FAILURES = 200
STOPPED_AT = "stopped at"  # of a run whose partitions failed: at which assets


def write_planned_events(context: dg.AssetExecutionContext, asset: dg.AssetKey, keys: Iterable[PartitionKey]) -> None:
    """Says that this run means to materialize these partitions.

    Dagster shows a partition as failed only if its latest planned event has no later materialization and that run
    failed; for a run without a partition range nobody else writes planned events per partition.
    """
    step = str(context.op_execution_context.op_handle)
    for key in keys:
        planned = AssetMaterializationPlannedData(asset, partition=to_dagster(key), partitions_subset=None)
        event = dg.DagsterEvent.build_asset_materialization_planned_event(context.run.job_name, step, planned)
        context.instance.report_dagster_event(event, run_id=context.run.run_id, log_level="DEBUG")


def materialization(asset: dg.AssetKey, key: PartitionKey, report: KeyReport) -> dg.AssetMaterialization:
    """One partition is done."""
    metadata = {"dagster/partition_row_count": report.rows, **to_dagster_metadata(report.metadata)}
    return dg.AssetMaterialization(asset, partition=to_dagster(key), metadata=metadata)


def check_evaluation(asset: dg.AssetKey, key: PartitionKey, outcome: CheckOutcome) -> dg.AssetCheckEvaluation:
    """One check on one partition."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=outcome.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.WARN if outcome.severity == "warn" else dg.AssetCheckSeverity.ERROR,
        description=outcome.description or None,
        metadata=to_dagster_metadata(outcome.metadata),
        partition=str(to_dagster(key)),
    )


def to_dagster_metadata(metadata: Metadata) -> dict[str, Any]:
    """Our plain metadata in Dagster's types; what it does not know is shown as text. None is left out."""
    return {name: _metadata_value(value) for name, value in metadata.items() if value is not None}


def _metadata_value(value: object) -> Any:
    if isinstance(value, Markdown):
        return dg.MetadataValue.md(value.text)
    if isinstance(value, Link):
        return dg.MetadataValue.url(value.url)
    if isinstance(value, datetime):
        return dg.MetadataValue.timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | int | float | str | dg.MetadataValue):
        return value
    if isinstance(value, Mapping | list | tuple):
        return dg.MetadataValue.json(dict(value) if isinstance(value, Mapping) else list(value))
    return str(value)


def materialized_by_run_group(
    instance: dg.DagsterInstance, run: dg.DagsterRun
) -> dict[dg.AssetKey, dict[PartitionKey, dg.AssetMaterialization]]:
    """Per asset the partitions that this run, or one that it re-executes, has materialized already."""
    group = instance.get_run_group(run.run_id)
    runs = group[1] if group else [run]
    found: dict[dg.AssetKey, dict[PartitionKey, dg.AssetMaterialization]] = {}
    for member in runs:
        for entry in instance.all_logs(member.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
            event = entry.asset_materialization
            if event and event.partition:
                again = dg.AssetMaterialization(
                    event.asset_key, partition=to_dagster(parse(event.partition)), metadata=event.metadata
                )
                found.setdefault(event.asset_key, {})[parse(event.partition)] = again
    return found


def verdict(failed: Mapping[PartitionKey, tuple[str, str]], *, total: int) -> dg.Failure:
    """The end of a run in which some partitions failed: named, with a table, never retried by Dagster.

    Args:
        failed: per key the asset at which it stopped, and why.
        total: how many partitions the run worked on.
    """
    slugs = list(dict.fromkeys(key.slug for key in failed))
    named = ", ".join(slugs[:10]) + (f" and {len(slugs) - 10} more" if len(slugs) > 10 else "")
    rows = [
        f"| {key.slug} | {_day(key)} | {asset} | {markdown_text(reason, max_chars=300)} |"
        for key, (asset, reason) in list(failed.items())[:SHOWN_FAILURES]
    ]
    table = "\n".join(["| organization | day | stopped at | reason |", "|---|---|---|---|", *rows])
    return dg.Failure(
        description=f"{len(failed)} of {total} partitions failed; the others are done. Failed: {named}. "
        "Re-execute this run (from failure or all) to do exactly these again.",
        metadata={
            "failed": dg.MetadataValue.md(table),
            "failed_partitions": len(failed),
            "organizations": len(slugs),
            STOPPED_AT: ",".join(sorted({asset for asset, _ in failed.values()})),
        },
        allow_retries=False,
    )


def _day(key: PartitionKey) -> str:
    return "" if key.day == NO_DAY else key.day.isoformat()
