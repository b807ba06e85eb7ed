"""The asset check of data protection: nothing is left, in any database, that should have gone."""

import dagster as dg

from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.operations.retention import retention_outcome


@dg.asset_check(asset="tenant_schema", description="No row of any table is older than its retention allows.")
def nothing_outlives_its_retention(stack: RunStack) -> dg.AssetCheckResult:
    outcome = stack.run(retention_outcome)
    return dg.AssetCheckResult(
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=outcome.description,
        metadata=to_dagster_metadata(outcome.metadata),
    )
