"""The last asset of the content group: what is public, per organization and UTC day."""

from collections.abc import Mapping

from draggonnb_pipelines.assets.content_runs import CHECKS, GROUP, OWNERS, ContentRun, is_generation
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset
from draggonnb_pipelines.workflows.publishing import publishing
from draggonnb_pipelines.workflows.publishing.publish_reports import report_published


def due_keys(run: TenantRun[ContentRun], stack: RunStack) -> Mapping[PartitionKey, frozenset[str]]:
    """Today's partitions of the clients with something to do, and which of the two assets that concerns."""
    config = run.config
    busy = stack.run(publishing.plan_run, run.run_id, shard=config.shard, everyone=config.everyone)
    today = stack.stack.now().date()
    return {
        PartitionKey(slug, today): frozenset(
            {"published_posts", "content_queue"} if work.has_approved else {"published_posts"}
        )
        for slug, work in busy.items()
    }


@tenant_asset(
    group=GROUP,
    skip_when=is_generation,
    owners=OWNERS,
    kinds={"facebook", "linkedin", "postgres"},
    deps=["content_queue"],
    checks=CHECKS["published_posts"],
    description="Posts as they went out: each once, with its link, its lateness and its cost. What became of a call is "
    "settled by reading the platform, never by sending again.",
    column_schema={
        "id": "uuid",
        "post_id": "uuid",
        "platform_id": "text",
        "account_id": "uuid",
        "status": "text",
        "platform_post_id": "text",
        "platform_url": "text",
        "publish_at": "timestamptz",
        "published_at": "timestamptz",
        "lateness_seconds": "int",
        "cost_usd": "numeric",
    },
)
def published_posts(run: TenantRun[ContentRun], stack: RunStack) -> StepReport:
    chosen, shard = run.slugs, run.config.shard
    clients = stack.run(publishing.publish_due, run.run_id, chosen, shard=shard, others_join=not run.is_range)
    return stack.run(report_published, run.run_id, run.keys, clients)
