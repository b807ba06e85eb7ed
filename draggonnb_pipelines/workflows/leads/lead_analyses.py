"""The lead workflow's analyses: competitors, then the business itself with its three quick wins.

Each asks Claude through `generation.Asker`, checks every quote against stored pages, and stores a version. A question
that was answered before gives the version that it gave then: nothing is paid or stored twice.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.analyses import (
    BusinessAnalysis,
    BusinessAnalysisAnswer,
    CompetitorAnalysis,
    CompetitorsAnswer,
    check_business_analysis,
    check_competitors,
)
from draggonnb_pipelines.domain.contact_details import without_contact_details
from draggonnb_pipelines.domain.evidence import Source
from draggonnb_pipelines.domain.leads import LeadWork, Stage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import markdown_text
from draggonnb_pipelines.prompts import Prompt, fence, load_prompt
from draggonnb_pipelines.resources.claude import strict_schema
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.websites import research_website
from draggonnb_pipelines.workflows.ai_budgets import Subject
from draggonnb_pipelines.workflows.generation import Asker, Generation, build_request
from draggonnb_pipelines.workflows.inbox_steps import gather_outcomes
from draggonnb_pipelines.workflows.leads.lead_batches import LEADS, Batch, InboxBatch, Outcome
from draggonnb_pipelines.workflows.leads.lead_steps import run_step
from draggonnb_pipelines.workflows.leads.leads import lead_rows, store_pages

SOURCE_CHARS = 24_000  # of one company's pages, about 6,000 tokens
COMPETITOR_SITES = 3


@cache
def competitors_prompt() -> Prompt:
    return load_prompt("competitors", strict_schema(CompetitorsAnswer))


@cache
def business_prompt() -> Prompt:
    return load_prompt("business_analysis", strict_schema(BusinessAnalysisAnswer))


@dataclass
class Dossier:
    """What is stored of one lead when a step begins."""

    row: dict[str, Any]
    evidence: list[dict[str, Any]] = field(default_factory=list)
    analyses: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sources(self, subject: str | None = None) -> list[Source]:
        """The pages as the quote check takes them."""
        return [
            Source(url=page["url"], text=page["text"], sha256=page["sha256"], fetched_at=page["fetched_at"])
            for page in self.evidence
            if subject in (None, page["subject"])
        ]

    def prompt_sources(self) -> list[dict[str, str]]:
        """The company's own pages, fenced, cut to `SOURCE_CHARS` in all; in a fixed order, for a stable hash."""
        room, pages = SOURCE_CHARS, []
        for page in self.evidence:
            if page["subject"] == "company" and room > 0:
                pages.append({"url": page["url"], "sha256": page["sha256"], "text": fence(page["text"][:room])})
                room -= len(page["text"])
        return pages

    def prompt_lead(self) -> str:
        """The enquiry as JSON, without what Claude does not need: the contact, and addresses and numbers in the text.

        A person's name inside the message stays; nothing here tells it from any other word.
        """
        row = self.row
        answers = {key: value for key, value in (row["qualification_data"] or {}).items() if key != "unusable"}
        kept = {
            "company": row["company_name"],
            "website": row["website"],
            "message": without_contact_details(row["message"]),
            "answers": without_contact_details(answers),
            "sector_hint": row["sector"],
            "size_hint": row["size_hint"],
        }
        return fence(json.dumps(kept, ensure_ascii=False, sort_keys=True, indent=1))

    def site_findings(self) -> str:
        return fence("; ".join(finding["detail"] for finding in self.row["findings"] or []) or "no web site is known")


async def analyse_competitors(stack: Stack, batch: Batch, *, asker: Asker | None = None) -> list[Outcome]:
    """Competitors from a web search by Claude; their own pages are then read, so that quotes can be checked."""
    asker = asker or Asker(stack)

    async def one(organization: Organization, work: LeadWork, dossier: Dossier) -> Outcome:
        request = build_request(
            stack.settings,
            competitors_prompt(),
            "competitor analysis",
            _prompt_values(organization, dossier),
            web_search_max_uses=stack.settings.claude_web_search_max_uses,
        )
        known = dossier.analyses.get("competitors")
        if known and known["request_hash"] == request.request_hash:
            return _analysis_outcome(work, known["version"], CompetitorAnalysis(**known["content"]), None)
        generation = await asker.ask(organization, Subject(lead_id=work.lead_id), request, CompetitorsAnswer)
        claimed = check_competitors(generation.answer, [], generation.searched_urls)
        pages = await _read_competitors(stack, organization, work.lead_id, claimed)
        analysis = check_competitors(generation.answer, [*dossier.sources(), *pages], generation.searched_urls)
        version = await _store(stack, organization, work.lead_id, "competitors", request, generation, analysis)
        return _analysis_outcome(work, version, analysis, generation)

    return await _analysis_step(stack, batch, Stage.COMPETITORS, one)


async def analyse_businesses(stack: Stack, batch: Batch, *, asker: Asker | None = None) -> list[Outcome]:
    """What the company does, where it is strong and weak, three quick wins, and the model's score of the lead."""
    asker = asker or Asker(stack)

    async def one(organization: Organization, work: LeadWork, dossier: Dossier) -> Outcome:
        known_competitors = dossier.analyses.get("competitors")
        competitors = known_competitors["content"] if known_competitors else {"competitors": []}
        values = {**_prompt_values(organization, dossier), "competitors": _prompt_competitors(competitors)}
        request = build_request(stack.settings, business_prompt(), "business analysis", values)
        known = dossier.analyses.get("business")
        if known and known["request_hash"] == request.request_hash and dossier.row["model_score"] is not None:
            return _analysis_outcome(work, known["version"], BusinessAnalysis(**known["content"]), None)
        generation = await asker.ask(organization, Subject(lead_id=work.lead_id), request, BusinessAnalysisAnswer)
        analysis = check_business_analysis(generation.answer, dossier.sources())
        version = await _store(stack, organization, work.lead_id, "business", request, generation, analysis)
        async with stack.tenants.open(organization) as tenant:
            await LEADS.score_lead(
                tenant.conn,
                lead_id=work.lead_id,
                model_score=analysis.lead_score.score,
                model_score_reasons=Jsonb(analysis.lead_score.reasons),
            )
        return _analysis_outcome(work, version, analysis, generation)

    return await _analysis_step(stack, batch, Stage.ANALYSED, one)


async def _analysis_step(stack: Stack, batch: Batch, stage: Stage, one: Any) -> list[Outcome]:
    async def of_tenant(stack: Stack, batch: Batch, organization: Organization, works: list[LeadWork]) -> list[Outcome]:
        dossiers = await open_dossiers(stack, organization, works)

        async def guarded(work: LeadWork) -> Outcome:
            dossier = dossiers[work.lead_id]
            if is_parked(batch, dossier.row):
                return Outcome(work, columns={"status": "needs review"}, needs_review=True)
            return await one(organization, work, dossier)

        return await gather_outcomes(works, guarded)

    return await run_step(stack, batch, stage, of_tenant)


async def open_dossiers(stack: Stack, organization: Organization, works: Sequence[LeadWork]) -> dict[UUID, Dossier]:
    """Everything stored of these leads, in three queries."""
    dossiers = {lead_id: Dossier(row) for lead_id, row in (await lead_rows(stack, organization, works)).items()}
    ids = list(dossiers)
    async with stack.tenants.open(organization) as tenant:
        async for page in LEADS.evidence_rows(tenant.conn, lead_ids=ids):
            dossiers[page["lead_id"]].evidence.append(page)
        async for analysis in LEADS.current_analyses(tenant.conn, lead_ids=ids):
            dossiers[analysis["lead_id"]].analyses[analysis["kind"]] = analysis
    return dossiers


def is_parked(batch: Batch, row: Mapping[str, Any]) -> bool:
    """A lead that an earlier step of this delivery left to a person. Reprocessing tries such leads again."""
    return isinstance(batch, InboxBatch) and row["status"] == "needs_review"


async def _read_competitors(
    stack: Stack, organization: Organization, lead_id: UUID, competitors: CompetitorAnalysis
) -> list[Source]:
    """The first pages of competitors that the search really found, kept as evidence; no other address is asked.

    An address that only the model names could be a stranger's, put into a page that it has read. A competitor that
    is not read leaves its quotes unsupported.
    """
    settings = stack.settings
    found = [one for one in competitors.competitors if one.found_by_search]
    sites = await asyncio.gather(
        *(
            research_website(
                stack.door,
                urlsplit(competitor.url)._replace(path="", query="", fragment="").geturl(),
                user_agent=settings.research_user_agent,
                timeout_seconds=settings.research_timeout_seconds,
                page_max_bytes=settings.research_page_max_bytes,
                max_pages=1,
                now=stack.now,
            )
            for competitor in found[:COMPETITOR_SITES]
        )
    )
    pages = [page for site in sites for page in site.pages]
    async with stack.tenants.open(organization) as tenant:
        await store_pages(tenant, lead_id, "competitor", pages)
    return [Source(url=page.url, text=page.text, sha256=page.sha256, fetched_at=page.fetched_at) for page in pages]


async def _store(
    stack: Stack,
    organization: Organization,
    lead_id: UUID,
    kind: str,
    request: Any,
    generation: Generation[Any],
    analysis: BusinessAnalysis | CompetitorAnalysis,
) -> int:
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await LEADS.lock_analyses(tenant.conn, lead_id=str(lead_id))
        return await _insert_version(tenant, lead_id, kind, request, generation, analysis)


async def _insert_version(
    tenant: TenantDb, lead_id: UUID, kind: str, request: Any, generation: Generation[Any], analysis: Any
) -> int:
    stored = await LEADS.store_analysis(
        tenant.conn,
        lead_id=lead_id,
        kind=kind,
        prompt_hash=request.prompt_hash,
        model=generation.model,
        request_hash=request.request_hash,
        generation_id=generation.id,
        content=Jsonb(analysis.model_dump(mode="json")),
        claims_total=len(analysis.claims),
        claims_unsupported=sum(not claim.is_supported for claim in analysis.claims),
    )
    return stored["version"]


def _prompt_values(organization: Organization, dossier: Dossier) -> dict[str, Any]:
    return {
        "agency": organization.name,
        "lead": dossier.prompt_lead(),
        "sources": dossier.prompt_sources(),
        "site_findings": dossier.site_findings(),
    }


def _prompt_competitors(content: Mapping[str, Any]) -> str:
    kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for competitor in content["competitors"]:
        kept["competitors"].append({key: competitor[key] for key in ("name", "url", "positioning")})
    return fence(json.dumps(kept, ensure_ascii=False, sort_keys=True, indent=1))


def _analysis_outcome(
    work: LeadWork, version: int, analysis: BusinessAnalysis | CompetitorAnalysis, generation: Generation[Any] | None
) -> Outcome:
    claims = analysis.claims
    supported = sum(claim.is_supported for claim in claims)
    columns: dict[str, object] = {"version": version, "claims supported": f"{supported}/{len(claims)}"}
    if isinstance(analysis, BusinessAnalysis):
        columns |= {"score": analysis.lead_score.score, "quick wins": len(analysis.quick_wins)}
    else:
        columns["competitors"] = len(analysis.competitors)
    return Outcome(
        work,
        columns=columns,
        preview=_preview(analysis) if isinstance(analysis, BusinessAnalysis) else None,
        tokens=generation.tokens if generation else 0,
        cost_usd=generation.cost_usd if generation else Decimal(0),
    )


def _preview(analysis: BusinessAnalysis) -> str:
    """The analysis at a glance, in the UI. Unverified wins are marked; the model's text is escaped.

    No summary and no reasons: a model that has read the enquiry quotes it there, and Dagster's events outlive the
    person's data.
    """
    wins = [
        f"{number}. **{markdown_text(win.title)}** ({win.effort} effort, {win.impact} impact)"
        f"{'' if win.is_supported else ' — *not verified*'}"
        for number, win in enumerate(analysis.quick_wins, start=1)
    ]
    head = f"**{markdown_text(analysis.sector)}**, {analysis.company_size}."
    return "\n".join([head, "", *wins])
