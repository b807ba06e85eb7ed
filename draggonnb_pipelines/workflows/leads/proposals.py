"""The lead workflow's proposal: written by Claude around the three quick wins, rendered, stored, given a public link.

Not here: how the page looks (`proposal_page.py`), how it is served and accepted (`api/proposals.py`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field

from draggonnb_pipelines.domain.leads import LeadWork, Stage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.proposals import (
    ApproachPart,
    Milestone,
    ProposalContent,
    ProposedPlan,
    ProposedQuickWin,
)
from draggonnb_pipelines.domain.reports import Markdown
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.prompts import Prompt, fence, load_prompt
from draggonnb_pipelines.resources.claude import strict_schema
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.ai_budgets import Subject
from draggonnb_pipelines.workflows.generation import Asker, Generation, build_request
from draggonnb_pipelines.workflows.inbox_steps import gather_outcomes
from draggonnb_pipelines.workflows.leads.lead_analyses import Dossier, is_parked, open_dossiers
from draggonnb_pipelines.workflows.leads.lead_batches import Batch, Outcome
from draggonnb_pipelines.workflows.leads.lead_steps import run_step
from draggonnb_pipelines.workflows.leads.proposal_page import render_proposal

PROPOSALS = load_queries("proposals")
VALID_DAYS = 30


class ProposalAnswer(BaseModel):
    """Claude's answer to the prompt `proposal`. Prices are not in it: the page takes them from the plans."""

    model_config = ConfigDict(extra="forbid")

    headline: str = Field(max_length=300)
    problem: str
    summary: str
    approach: list[ApproachPart]
    timeline: list[Milestone]
    plan_key: str = Field(description="The key of one of the plans given.")
    next_step: str


@cache
def proposal_prompt() -> Prompt:
    return load_prompt("proposal", strict_schema(ProposalAnswer))


async def write_proposals(stack: Stack, batch: Batch, *, asker: Asker | None = None) -> list[Outcome]:
    """One proposal per analysis; an answered question gives the version that exists, an accepted one stays as it is."""
    asker = asker or Asker(stack)
    plans = await _plans(stack)

    async def of_tenant(stack: Stack, batch: Batch, organization: Organization, works: list[LeadWork]) -> list[Outcome]:
        dossiers = await open_dossiers(stack, organization, works)
        current = await _current(stack, organization, list(dossiers))

        async def one(work: LeadWork) -> Outcome:
            dossier = dossiers[work.lead_id]
            if is_parked(batch, dossier.row):
                return Outcome(work, columns={"status": "needs review"}, needs_review=True)
            return await _write(stack, asker, organization, work, dossier, current.get(work.lead_id), plans)

        return await gather_outcomes(works, one)

    return await run_step(stack, batch, Stage.PROPOSED, of_tenant)


async def _write(
    stack: Stack,
    asker: Asker,
    organization: Organization,
    work: LeadWork,
    dossier: Dossier,
    current: Mapping[str, Any] | None,
    plans: Sequence[Mapping[str, Any]],
) -> Outcome:
    analysis = dossier.analyses.get("business")
    if analysis is None:
        raise NeedsReview("there is no business analysis to base a proposal on")
    if current and current["accepted_version"]:
        return Outcome(work, columns={"version": current["accepted_version"], "status": "accepted, kept"})
    request = build_request(
        stack.settings, proposal_prompt(), "proposal", _prompt_values(organization, dossier, analysis["content"], plans)
    )
    generation = None
    if current and current["request_hash"] == request.request_hash:
        proposal_id, version = current["id"], current["version"]
    else:
        generation = await asker.ask(organization, Subject(lead_id=work.lead_id), request, ProposalAnswer)
        proposal_id, version = await _store(
            stack, organization, work.lead_id, dossier, analysis, request, generation, plans
        )
    url = await publish_link(stack, organization, work.lead_id, proposal_id, version)
    return Outcome(
        work,
        columns={"version": version, "proposal": Markdown(f"[open]({url})")},
        tokens=generation.tokens if generation else 0,
        cost_usd=generation.cost_usd if generation else Decimal(0),
    )


async def publish_link(stack: Stack, organization: Organization, lead_id: UUID, proposal_id: UUID, version: int) -> str:
    """Make the page reachable and return its address; repeating it changes nothing."""
    token = proposal_token(stack, organization, proposal_id)
    now = stack.now()
    async with stack.master.connection() as conn:
        await PROPOSALS.put_link(
            conn,
            token_sha256=hashlib.sha256(token.encode()).digest(),
            organization_id=organization.id,
            proposal_id=proposal_id,
            lead_id=lead_id,
            version=version,
            created_at=now,
            expires_at=now + timedelta(days=VALID_DAYS),
        )
    async with stack.tenants.open(organization) as tenant:
        await PROPOSALS.mark_proposed(tenant.conn, lead_id=lead_id)
    return proposal_url(stack, organization, proposal_id)


def proposal_token(stack: Stack, organization: Organization, proposal_id: UUID) -> str:
    """Derived from the tenant's key, so that the same link can be written again; master keeps its hash alone."""
    return stack.tenants.key(organization).derive_token("proposal", str(proposal_id))


def proposal_url(stack: Stack, organization: Organization, proposal_id: UUID) -> str:
    return f"{stack.settings.base_url}/proposals/{proposal_token(stack, organization, proposal_id)}"


async def _store(
    stack: Stack,
    organization: Organization,
    lead_id: UUID,
    dossier: Dossier,
    analysis: Mapping[str, Any],
    request: Any,
    generation: Generation[ProposalAnswer],
    plans: Sequence[Mapping[str, Any]],
) -> tuple[UUID, int]:
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        # The version is printed on the page, so it is taken under a lock before rendering.
        await PROPOSALS.lock_proposals(tenant.conn, lead_id=str(lead_id))
        newest = await PROPOSALS.newest_version(tenant.conn, lead_id=lead_id)
        if newest and newest["request_hash"] == request.request_hash:
            return newest["id"], newest["version"]  # another run was here first
        version = newest["version"] + 1 if newest else 1
        content = _content(organization, dossier, analysis["content"], generation.answer, plans, version, stack.now())
        return await _insert(tenant, lead_id, analysis, request, content)


async def _insert(
    tenant: TenantDb, lead_id: UUID, analysis: Mapping[str, Any], request: Any, content: ProposalContent
) -> tuple[UUID, int]:
    html = render_proposal(content, timezone=tenant.organization.timezone)
    proposal_id = uuid5(lead_id, f"{content.version}:{request.request_hash}")
    await PROPOSALS.store_proposal(
        tenant.conn,
        id=proposal_id,
        lead_id=lead_id,
        analysis_id=analysis["id"],
        version=content.version,
        prompt_hash=request.prompt_hash,
        request_hash=request.request_hash,
        title=content.headline,
        content=Jsonb(content.model_dump(mode="json")),
        html=html,
        html_sha256=hashlib.sha256(html.encode()).hexdigest(),
        plan_key=content.plan.key,
    )
    return proposal_id, content.version


def _content(
    organization: Organization,
    dossier: Dossier,
    analysis: Mapping[str, Any],
    answer: ProposalAnswer,
    plans: Sequence[Mapping[str, Any]],
    version: int,
    now: datetime,
) -> ProposalContent:
    by_key = {plan["key"]: plan for plan in plans}
    plan = by_key.get(answer.plan_key) or plans[0]  # an invented key falls back to the smallest plan
    return ProposalContent(
        organization_name=organization.name,
        client_company=dossier.row["company_name"] or dossier.row["contact_name"] or "your company",
        contact_name=dossier.row["contact_name"],
        headline=answer.headline,
        problem=answer.problem,
        summary=answer.summary,
        quick_wins=[_win(win) for win in analysis["quick_wins"]],
        approach=answer.approach,
        timeline=answer.timeline,
        plan=ProposedPlan(**plan),
        next_step=answer.next_step,
        version=version,
        created_at=now,
        valid_until=(now + timedelta(days=VALID_DAYS)).date(),
    )


def _win(win: Mapping[str, Any]) -> ProposedQuickWin:
    evidence = [
        {key: quote[key] for key in ("quote", "url", "fetched_at", "sha256", "supported")} for quote in win["evidence"]
    ]
    return ProposedQuickWin.model_validate({**win, "evidence": evidence})


def _prompt_values(
    organization: Organization,
    dossier: Dossier,
    analysis: Mapping[str, Any],
    plans: Sequence[Mapping[str, Any]],
) -> dict[str, str]:
    kept = {key: analysis[key] for key in ("summary", "sector", "company_size", "quick_wins")}
    offers = [{"key": plan["key"], "name": plan["name"], "includes": plan["includes"]} for plan in plans]
    as_json = [fence(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1)) for value in (kept, offers)]
    return {
        "agency": organization.name,
        "lead": dossier.prompt_lead(),
        "analysis": as_json[0],
        "plans": as_json[1],
    }


async def _current(stack: Stack, organization: Organization, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    async with stack.tenants.open(organization) as tenant:
        return {row["lead_id"]: row async for row in PROPOSALS.current_proposals(tenant.conn, lead_ids=ids)}


async def _plans(stack: Stack) -> list[dict[str, Any]]:
    async with stack.master.connection() as conn:
        rows = [row async for row in PROPOSALS.plans_on_offer(conn, today=stack.now().date())]
    return [{**{key: row[key] for key in row if key != "limits"}, "includes": _includes(row["limits"])} for row in rows]


def _includes(limits: Mapping[str, int | None]) -> list[str]:
    """What a plan holds, in words; a limit of None is no limit."""
    words = (
        ("posts_monthly", "posts a month"),
        ("ai_generations", "AI texts a month"),
        ("social_accounts", "social accounts"),
        ("users", "team members"),
    )
    return [
        f"{limits[metric]:,} {text}".replace(",", " ") if limits[metric] is not None else f"Unlimited {text}"
        for metric, text in words
        if metric in limits
    ]
