"""The lead workflow's assets, per organization and day: from the enquiry to the notified sales team.

One chain serves a batch of the inbox, a range chosen in the UI, or a request for reprocessing; see `LeadRun`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID, uuid5

import dagster as dg
from pydantic import Field

from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset, tenant_chain
from draggonnb_pipelines.workflows.leads import lead_analyses, notifications, reprocessing
from draggonnb_pipelines.workflows.leads import leads as lead_steps
from draggonnb_pipelines.workflows.leads import proposals as proposal_steps
from draggonnb_pipelines.workflows.leads.lead_batches import Batch, DayBatch, InboxBatch, Outcome
from draggonnb_pipelines.workflows.leads.lead_reports import report_step

GROUP = "leads"
OWNERS = ["team:sales"]
CHAIN = "work_through_leads"
_OWN_REQUESTS = UUID("0b8a57a6-6c0f-4b57-8a0e-3a8d1f2f5a10")


class LeadRun(dg.Config):
    """What a run works on: one of three. A range chosen in the UI needs none of them.

    Args:
        batch_id: new deliveries that the sensor `lead_inbox` gave to this run.
        reprocessing_id: a recorded request, which the sensor `reprocessing_requests` takes up until it is done.
        organizations, from_day, to_day: a request made here: slugs (empty: all) and days as 2026-11-20.
    """

    batch_id: str | None = None
    reprocessing_id: str | None = None
    organizations: list[str] = Field(default_factory=list)
    from_day: str | None = None
    to_day: str | None = None


def is_reprocessing(run: TenantRun[LeadRun]) -> bool:
    """Only analyses and proposals get new versions then; the lead, its company and who was told stay as they are."""
    return run.config.batch_id is None


def chosen_keys(run: TenantRun[LeadRun], stack: RunStack) -> Iterable[PartitionKey]:
    """The organizations and days that this run's config means; claims the batch on the way."""
    config = run.config
    if config.batch_id:
        batch = InboxBatch(stack.stack, UUID(config.batch_id), run.run_id)
        stack.run(lambda _: batch.claim())
        stack.keep(batch.keep_lease())
        return stack.run(lambda _: batch.keys())
    if config.from_day and config.to_day:
        days = date.fromisoformat(config.from_day), date.fromisoformat(config.to_day)
        request_id = _request_id(run)
        stack.run(
            reprocessing.request_reprocessing,
            config.organizations,
            *days,
            requested_by=f"run {run.run_id}",
            request_id=request_id,
            starts_in_seconds=reprocessing.RUN_LEASE_SECONDS,
        )
    return stack.run(reprocessing.begin_request, _request_id(run), run.run_id)


@tenant_asset(
    group=GROUP,
    skip_when=is_reprocessing,
    owners=OWNERS,
    kinds={"postgres"},
    description="Enquiries stored as leads: the person once however often they write, their consent, a score by rules.",
    column_schema={
        "id": "uuid",
        "contact_id": "uuid",
        "source": "text",
        "status": "text",
        "company_name": "text",
        "website": "text",
        "message": "text",
        "rule_score": "int",
        "model_score": "int",
        "received_at": "timestamptz",
    },
)
def leads(run: TenantRun[LeadRun], stack: RunStack) -> StepReport:
    batch = _batch(run, stack)
    outcomes = stack.run(lead_steps.capture_leads, batch)
    broken = stack.run(lambda _: batch.broken()) if isinstance(batch, InboxBatch) else batch.unreachable
    return _report(run, stack, "leads", outcomes, broken=broken)


@tenant_asset(
    group=GROUP,
    skip_when=is_reprocessing,
    owners=OWNERS,
    kinds={"python", "postgres"},
    deps=["leads"],
    description="What each company says of itself: its site read within robots.txt, its pages kept as evidence.",
    column_schema={"lead_id": "uuid", "status": "text", "sector": "text", "size_hint": "text", "findings": "jsonb"},
)
def company_profiles(run: TenantRun[LeadRun], stack: RunStack) -> StepReport:
    return _step(run, stack, "company_profiles", lead_steps.research_companies)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"anthropic", "postgres"},
    deps=["company_profiles"],
    code_version=lead_analyses.competitors_prompt().hash[:12],
    description="Competitors from a web search by Claude; quotes are checked against the competitors' own pages.",
    column_schema={"lead_id": "uuid", "version": "int", "prompt_hash": "text", "content": "jsonb"},
)
def competitor_analyses(run: TenantRun[LeadRun], stack: RunStack) -> StepReport:
    prompt_hash = lead_analyses.competitors_prompt().hash
    return _step(run, stack, "competitor_analyses", lead_analyses.analyse_competitors, prompt_hash)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"anthropic", "postgres"},
    deps=["company_profiles", "competitor_analyses"],
    code_version=lead_analyses.business_prompt().hash[:12],
    checks={"three_quick_wins": "Every business analysis has exactly three quick wins; without them no proposal."},
    description="What the business does, where it is strong and weak, three quick wins with evidence, a lead score.",
    column_schema={
        "lead_id": "uuid",
        "version": "int",
        "prompt_hash": "text",
        "content": "jsonb",
        "claims_total": "int",
        "claims_unsupported": "int",
    },
)
def business_analyses(run: TenantRun[LeadRun], stack: RunStack) -> StepReport:
    prompt_hash = lead_analyses.business_prompt().hash
    return _step(run, stack, "business_analyses", lead_analyses.analyse_businesses, prompt_hash)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"anthropic", "html", "postgres"},
    deps=["business_analyses"],
    code_version=proposal_steps.proposal_prompt().hash[:12],
    description="A proposal around the three quick wins: a versioned page with a public link and an accept button.",
    column_schema={"lead_id": "uuid", "version": "int", "title": "text", "html": "text", "plan_key": "text"},
)
def proposals(run: TenantRun[LeadRun], stack: RunStack) -> StepReport:
    report = _step(run, stack, "proposals", proposal_steps.write_proposals, proposal_steps.proposal_prompt().hash)
    if run.config.reprocessing_id or run.config.from_day:
        stack.run(reprocessing.settle_request, _request_id(run), run.run_id, report.done.keys())
    return report


@tenant_asset(
    group=GROUP,
    skip_when=is_reprocessing,
    owners=OWNERS,
    kinds={"whatsapp", "email"},
    deps=["proposals"],
    description="The sales team told by WhatsApp, e-mail and in the app: each recipient once per lead and channel.",
    column_schema={
        "event_key": "text",
        "recipient": "text",
        "channel": "text",
        "status": "text",
        "sent_at": "timestamptz",
    },
)
def sales_notifications(run: TenantRun[LeadRun], stack: RunStack) -> StepReport:
    return _report(run, stack, "sales_notifications", stack.run(notifications.notify_sales, _batch(run, stack)))


lead_assets = tenant_chain(
    CHAIN,
    [leads, company_profiles, competitor_analyses, business_analyses, proposals, sales_notifications],
    keys=chosen_keys,
    config=LeadRun,
)


def _batch(run: TenantRun[LeadRun], stack: RunStack) -> Batch:
    if run.config.batch_id and not run.is_range:
        return InboxBatch(stack.stack, UUID(run.config.batch_id), run.run_id)
    return DayBatch(stack.stack, run.keys, run.run_id)


def _step(
    run: TenantRun[LeadRun], stack: RunStack, asset: str, step: reprocessing.AskingStep, prompt_hash: str | None = None
) -> StepReport:
    batch = _batch(run, stack)
    if isinstance(batch, DayBatch) and prompt_hash:
        outcomes = stack.run(reprocessing.reprocess_step, batch, asset, step)
    else:
        outcomes = stack.run(step, batch)
    broken = batch.unreachable if isinstance(batch, DayBatch) else None
    return _report(run, stack, asset, outcomes, code_version=prompt_hash, broken=broken)


def _report(
    run: TenantRun[LeadRun],
    stack: RunStack,
    asset: str,
    outcomes: list[Outcome],
    *,
    code_version: str | None = None,
    broken: Mapping[PartitionKey, str] | None = None,
) -> StepReport:
    return stack.run(report_step, asset, run.run_id, run.keys, outcomes, code_version=code_version, broken=broken)


def _request_id(run: TenantRun[LeadRun]) -> UUID:
    """The recorded request of this run; one made in the Launchpad has an id that its re-execution finds again."""
    return UUID(run.config.reprocessing_id) if run.config.reprocessing_id else uuid5(_OWN_REQUESTS, run.root_run_id)
