"""Backups as assets: what the night took, and what a restore of it gave.

Both are of all databases at once, without partitions: one run serves everybody, and `backups` in the master has each.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from draggonnb_pipelines.domain.reports import Markdown, markdown_text
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.operations.backups import BackedUp, back_up_all
from draggonnb_pipelines.workflows.operations.drills import Drilled, drill, stale

GROUP = "backups"
OWNERS = ["team:operations"]
DRILL_CHECK = "restore_drill_is_good"
# Every week others, beside the master; `draggonnb backup drill` does everybody.
DRILLED_CLIENTS = 10
_SHOWN = 200


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    description="The newest file of the master and of every client: dumped from one snapshot, sealed, with the rows "
    "and checksums of each table. A database that could not be backed up fails the run, after all others are done.",
)
def tenant_backups(context: dg.AssetExecutionContext, stack: RunStack) -> dg.MaterializeResult:
    done: list[BackedUp] = stack.run(back_up_all, by=f"dagster:{context.run.run_id}")
    failed = [one for one in done if one.fault is not None]
    metadata = to_dagster_metadata({"databases": Markdown(_backups_table(done))})
    metadata |= {
        "backed up": dg.MetadataValue.int(len(done) - len(failed)),
        "failed": dg.MetadataValue.int(len(failed)),
        "bytes": dg.MetadataValue.int(sum(one.bytes for one in done)),
        "rows": dg.MetadataValue.int(sum(one.rows for one in done)),
    }
    if failed:
        names = ", ".join(one.name for one in failed[:5])
        raise dg.Failure(
            f"{len(failed)} of {len(done)} databases were not backed up: {names}. Mend the cause, then: "
            "draggonnb backup create --all",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[tenant_backups],
    check_specs=[
        dg.AssetCheckSpec(
            DRILL_CHECK,
            asset="restore_drill",
            description="Restored backups hold what they say, and every database has one of the last 26 hours.",
        )
    ],
    description="Backups restored beside everything else, compared table by table, timed, and dropped: the master's "
    "and those of ten clients, others each week.",
)
def restore_drill(stack: RunStack) -> Iterator[dg.MaterializeResult]:
    done: list[Drilled] = stack.run(drill, clients=DRILLED_CLIENTS)
    old = stack.run(stale)
    bad = [f"{one.name}: {one.fault}" for one in done if one.fault]
    bad += [
        f"{name}: no good backup since {when:%Y-%m-%d %H:%M}" if when else f"{name}: none" for name, when in old.items()
    ]
    seconds = sum(one.seconds for one in done)
    metadata = to_dagster_metadata({"restored": Markdown(_drills_table(done))})
    metadata |= {
        "restored databases": dg.MetadataValue.int(sum(one.fault is None for one in done)),
        "recovery time (seconds)": dg.MetadataValue.float(seconds),
        "oldest backup (hours)": dg.MetadataValue.float(
            max((one.age.total_seconds() for one in done), default=0) / 3600
        ),
    }
    verdict = dg.AssetCheckResult(
        check_name=DRILL_CHECK,
        passed=not bad,
        description="; ".join(bad[:5]) if bad else f"{len(done)} databases came back as they were, in {seconds:.0f} s",
    )
    yield dg.MaterializeResult(metadata=metadata, check_results=[verdict])


def _backups_table(done: Sequence[BackedUp]) -> str:
    lines = ["| database | rows | bytes | seconds | file |", "|---|---|---|---|---|"]
    for one in sorted(done, key=lambda one: (one.fault is None, one.name))[:_SHOWN]:
        last = markdown_text(f"not backed up: {one.fault}", max_chars=200) if one.fault else f"`{one.file_name}`"
        lines.append(f"| {one.name} | {one.rows} | {one.bytes} | {one.seconds:.1f} | {last} |")
    return "\n".join(lines)


def _drills_table(done: Sequence[Drilled]) -> str:
    lines = ["| database | tables | rows | age of the backup | seconds | verdict |", "|---|---|---|---|---|---|"]
    for one in done[:_SHOWN]:
        verdict = markdown_text(one.fault, max_chars=200) if one.fault else "equal"
        hours = one.age.total_seconds() / 3600
        lines.append(f"| {one.name} | {one.tables} | {one.rows} | {hours:.1f} h | {one.seconds:.1f} | {verdict} |")
    return "\n".join(lines)


backup_assets: list[dg.AssetsDefinition] = [tenant_backups, restore_drill]
