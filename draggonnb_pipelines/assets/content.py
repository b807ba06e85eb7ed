"""The content workflow's assets, per organization and day: asked for, written, on the queue, public.

One chain serves a batch of requests, or what is due; see `ContentRun`. `published_posts` is in `publishing.py`.
"""

from collections.abc import Iterable
from uuid import UUID

from draggonnb_pipelines.assets.content_runs import (
    CHAIN,
    CHECKS,
    GROUP,
    OWNERS,
    ContentRun,
    is_generation,
    is_publishing,
)
from draggonnb_pipelines.assets.publishing import due_keys, published_posts
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset, tenant_chain
from draggonnb_pipelines.workflows.content import content as content_steps
from draggonnb_pipelines.workflows.content import content_reports
from draggonnb_pipelines.workflows.content.content_batches import ContentBatch
from draggonnb_pipelines.workflows.content.content_writing import content_prompt, generate_posts


def chosen_keys(run: TenantRun[ContentRun], stack: RunStack) -> Iterable[PartitionKey]:
    """The organizations and days that this run's config means; claims the batch on the way."""
    if not is_generation(run):
        return due_keys(run, stack)
    batch = _batch(run, stack)
    stack.run(lambda _: batch.claim())
    stack.keep(batch.keep_lease())
    return stack.run(lambda _: batch.keys())


@tenant_asset(
    group=GROUP,
    skip_when=is_publishing,
    owners=OWNERS,
    kinds={"postgres"},
    description="What was asked for: checked against templates, accounts, media, time and the plan's limit. A refusal "
    "names the field, the limit and the value, and costs nothing.",
    column_schema={
        "id": "uuid",
        "brief": "text",
        "platform_ids": "text[]",
        "schedule": "jsonb",
        "status": "text",
        "faults": "jsonb",
        "received_at": "timestamptz",
    },
)
def content_requests(run: TenantRun[ContentRun], stack: RunStack) -> StepReport:
    if run.is_range:
        return _stored(run, stack, "content_requests")
    batch = _batch(run, stack)
    outcomes = stack.run(content_steps.accept_requests, batch)
    broken = stack.run(lambda _: batch.broken())
    return stack.run(content_reports.report_content, "content_requests", run.run_id, run.keys, outcomes, broken=broken)


@tenant_asset(
    group=GROUP,
    skip_when=is_publishing,
    owners=OWNERS,
    kinds={"anthropic", "postgres"},
    deps=["content_requests"],
    code_version=content_prompt().hash[:12],
    checks=CHECKS["generated_posts"],
    description="Posts in the client's voice, one variant per platform, checked before anybody sees them.",
    column_schema={
        "id": "uuid",
        "title": "text",
        "variants": "jsonb",
        "media": "jsonb",
        "status": "text",
        "scheduled_for": "timestamptz",
        "content_hash": "text",
        "approved_hash": "text",
        "findings": "jsonb",
    },
)
def generated_posts(run: TenantRun[ContentRun], stack: RunStack) -> StepReport:
    if run.is_range:
        return _stored(run, stack, "generated_posts")
    outcomes = stack.run(generate_posts, _batch(run, stack))
    return stack.run(
        content_reports.report_content,
        "generated_posts",
        run.run_id,
        run.keys,
        outcomes,
        code_version=content_prompt().hash,
    )


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=["generated_posts"],
    description="Approved posts on the publish ledger: one row per account and part, frozen as approved; and what "
    "waits for approval, with its reviewers told.",
    column_schema={
        "id": "uuid",
        "post_id": "uuid",
        "platform_id": "text",
        "account_id": "uuid",
        "part": "int",
        "publish_at": "timestamptz",
        "status": "text",
    },
)
def content_queue(run: TenantRun[ContentRun], stack: RunStack) -> StepReport:
    if run.is_range:
        return _stored(run, stack, "content_queue")
    if is_publishing(run):
        return stack.run(content_reports.enqueue_approved, run.keys)
    outcomes = stack.run(content_steps.settle_requests, _batch(run, stack))
    return stack.run(content_reports.report_content, "content_queue", run.run_id, run.keys, outcomes)


content_assets = tenant_chain(
    CHAIN,
    [content_requests, generated_posts, content_queue, published_posts],
    keys=chosen_keys,
    config=ContentRun,
)


def _batch(run: TenantRun[ContentRun], stack: RunStack) -> ContentBatch:
    assert run.config.batch_id is not None
    return ContentBatch(stack.stack, UUID(run.config.batch_id), run.run_id)


def _stored(run: TenantRun[ContentRun], stack: RunStack, asset: str) -> StepReport:
    """A range chosen in the UI: what there is on these days, counted anew; nothing is asked for or written twice."""
    return stack.run(content_reports.report_content, asset, run.run_id, run.keys, [])
