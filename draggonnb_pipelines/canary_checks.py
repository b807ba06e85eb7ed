"""The asset check that publishes: whether a post of ours gets to the public by way of everything that is between."""

import dagster as dg

from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.operations.canary import fly_canary


@dg.asset_check(
    asset="published_posts",
    description="A test post of the agency's own became public by way of sensor, daemon and publisher, and was deleted "
    "again. Asking for this check publishes.",
)
def canary_is_public(stack: RunStack) -> dg.AssetCheckResult:
    outcome = stack.run(fly_canary)
    return dg.AssetCheckResult(
        passed=outcome.passed, description=outcome.description, metadata=to_dagster_metadata(outcome.metadata)
    )
