"""The lead workflow, its first steps: what was sent becomes a lead, and its company becomes a profile.

The ten steps of the workflow, in order, and where each stands:
    trigger                       api/leads.py -> inbox -> sensors/leads.py
    extract contact, store lead   capture_leads (here)
    web scrape company            research_companies (here)
    competitor analysis           lead_analyses.analyse_competitors
    business analysis, 3 wins     lead_analyses.analyse_businesses
    solution proposal, store      proposals.write_proposals
    notify the sales team         notifications.notify_sales
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.companies import sector_hint, size_hint
from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.leads import LeadWork, Stage, lead_id_for, rule_score, website_of
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import LeadSubmission
from draggonnb_pipelines.errors import DraggonnbError, TenantUnavailable
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.websites import SitePage, research_website
from draggonnb_pipelines.workflows.inbox_batches import (
    INBOX,
    LONGEST_DELAY_SECONDS,
    GiveBack,
    organizations_by_id,
    reason_of,
)
from draggonnb_pipelines.workflows.inbox_steps import gather_outcomes
from draggonnb_pipelines.workflows.leads.lead_batches import LEADS, Batch, InboxBatch, Outcome
from draggonnb_pipelines.workflows.leads.lead_steps import run_step

log = logging.getLogger(__name__)
SITES_AT_ONCE = 32


async def capture_leads(stack: Stack, batch: Batch) -> list[Outcome]:
    """Store each delivery as lead, contact, event and consent; one person stays one lead, however often they write."""
    if isinstance(batch, InboxBatch):
        await _capture_new(stack, batch)
    return await run_step(stack, batch, Stage.CAPTURED, _report_captured)


async def research_companies(stack: Stack, batch: Batch) -> list[Outcome]:
    """Read each company's web site and keep its pages as evidence. A site that cannot be read is a finding."""
    sites = asyncio.Semaphore(SITES_AT_ONCE)

    async def of_tenant(stack: Stack, batch: Batch, organization: Organization, works: list[LeadWork]) -> list[Outcome]:
        rows = await lead_rows(stack, organization, works)

        async def one(work: LeadWork) -> Outcome:
            row = rows[work.lead_id]
            if row["profile_version"] is None:
                async with sites:
                    row = {**row, **await _research(stack, organization, work, row)}
            findings = ", ".join(finding["code"] for finding in row["findings"] or [])
            columns = {"site": row["site_status"], "sector": row["sector"], "size": row["size_hint"]}
            return Outcome(work, columns={**columns, "findings": findings or "none"})

        return await gather_outcomes(works, one)

    return await run_step(stack, batch, Stage.RESEARCHED, of_tenant)


async def _capture_new(stack: Stack, batch: InboxBatch) -> None:
    by_tenant: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await batch.rows():
        if row["stage"] < Stage.CAPTURED:
            by_tenant[row["organization_id"]].append(row)
    organizations = await organizations_by_id(stack, set(by_tenant))

    async def of_tenant(organization: Organization, rows: list[dict[str, Any]]) -> None:
        linked = await _capture_rows(stack, batch, organization, rows)
        async with stack.master.connection() as conn:
            await INBOX.link_leads(conn, ids=list(linked), lead_ids=list(linked.values()))

    await asyncio.gather(*(of_tenant(organizations[key], rows) for key, rows in by_tenant.items()))


async def _capture_rows(
    stack: Stack, batch: InboxBatch, organization: Organization, rows: Sequence[dict[str, Any]]
) -> dict[UUID, UUID]:
    """Store the rows together; where one spoils that, in halves, until it is alone and given back by itself."""
    try:
        async with stack.tenants.open(organization) as tenant:
            return await _capture_in_tenant(tenant, rows)
    except Exception as error:
        is_away = isinstance(error, TenantUnavailable)
        if len(rows) > 1 and not is_away:
            middle = len(rows) // 2
            first = await _capture_rows(stack, batch, organization, rows[:middle])
            return first | await _capture_rows(stack, batch, organization, rows[middle:])
        if not isinstance(error, DraggonnbError | psycopg.Error):
            log.exception("%s: deliveries could not be stored", organization.slug)
        tries = 1 if is_away else rows[0]["attempts"]
        delay = min(stack.settings.retry_base_seconds * 4 ** (tries - 1), LONGEST_DELAY_SECONDS)
        how = GiveBack(reason_of(error)[:500], not is_away, delay)
        await batch.give_back(Stage.CAPTURED, [row["inbox_id"] for row in rows], how)
        return {}


async def _capture_in_tenant(tenant: TenantDb, rows: Sequence[Mapping[str, Any]]) -> dict[UUID, UUID]:
    """Store the rows in one transaction, two pipelines; returns inbox id -> lead id."""
    captures, consents = [], []
    for row in rows:
        parsed = tenant.key.open(row["parsed_sealed"], parsed_context(tenant.organization.id))
        submission = LeadSubmission.model_validate_json(parsed)
        captures.append(_capture_values(row, submission))
        consents += [
            {
                "inbox_id": row["inbox_id"],
                "purpose": consent.purpose,
                "granted": consent.granted,
                "wording": consent.wording,
                "source": submission.source,
                "recorded_at": submission.submitted_at or row["received_at"],
            }
            for consent in submission.consents
        ]
    linked: dict[UUID, UUID] = {}
    async with tenant.conn.transaction():
        await LEADS.lock_capture(tenant.conn)
        async with tenant.conn.cursor() as cursor:  # executemany goes out as one pipeline
            await cursor.executemany(LEADS.capture_lead.sql, captures, returning=True)
            async for result in cursor.results():
                found = await result.fetchone()
                assert found is not None, "capture_lead always returns its lead"
                linked[found["inbox_id"]] = found["lead_id"]
        if consents:
            await LEADS.store_consent(tenant.conn, [{**c, "lead_id": linked[c["inbox_id"]]} for c in consents])
    return linked


def _capture_values(row: Mapping[str, Any], submission: LeadSubmission) -> dict[str, Any]:
    score, reasons = rule_score(submission)
    return {
        "inbox_id": row["inbox_id"],
        "lead_id": lead_id_for(row["inbox_id"]),
        "source": submission.source,
        "delivery_id": row["delivery_id"],
        "received_at": row["received_at"],
        "name": submission.name,
        "email": submission.email,
        "email_normalized": submission.email_key,
        "phone_e164": submission.phone_e164,
        "company_name": submission.company,
        "website": submission.website,
        "message": submission.message,
        "qualification_data": Jsonb(submission.qualification_data),
        "payload": Jsonb(submission.model_dump(mode="json", exclude_none=True)),
        "rule_score": score,
        "rule_score_reasons": Jsonb(reasons),
    }


async def _report_captured(
    stack: Stack, batch: Batch, organization: Organization, works: list[LeadWork]
) -> list[Outcome]:
    rows = await lead_rows(stack, organization, works)

    async def one(work: LeadWork) -> Outcome:
        row = rows[work.lead_id]
        columns = {"source": row["source"], "status": row["status"], "rule score": row["rule_score"]}
        return Outcome(work, columns={**columns, "deliveries": len(work.inbox_ids)})

    return await gather_outcomes(works, one)


async def _research(stack: Stack, organization: Organization, work: LeadWork, row: Mapping[str, Any]) -> dict[str, Any]:
    """Fetch, then store profile and pages in one transaction; returns the columns that the profile adds to the row."""
    settings = stack.settings
    site = await research_website(
        stack.door,
        website_of(row),
        user_agent=settings.research_user_agent,
        timeout_seconds=settings.research_timeout_seconds,
        page_max_bytes=settings.research_page_max_bytes,
        max_pages=settings.research_max_pages,
        now=stack.now,
    )
    text = " ".join(page.text for page in site.pages)
    findings = [{"code": finding.code, "detail": finding.detail} for finding in site.findings]
    profile = {"sector": sector_hint(text), "size_hint": size_hint(text)}
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await LEADS.store_profile(
            tenant.conn,
            lead_id=work.lead_id,
            website=site.website,
            status=site.status,
            company_name=row["company_name"],
            facts=Jsonb(site.facts),
            findings=Jsonb(findings),
            pages=len(site.pages),
            fetched_at=stack.now(),
            **profile,
        )
        await store_pages(tenant, work.lead_id, "company", site.pages)
    return {**profile, "site_status": site.status, "findings": findings}


async def store_pages(tenant: TenantDb, lead_id: UUID, subject: str, pages: Sequence[SitePage]) -> None:
    """Keep pages as evidence; the same text of the same page is kept once."""
    if pages:
        await LEADS.store_evidence(
            tenant.conn,
            lead_id=lead_id,
            subject=subject,
            urls=[page.url for page in pages],
            hashes=[page.sha256 for page in pages],
            titles=[page.title for page in pages],
            texts=[page.text for page in pages],
            statuses=[page.http_status for page in pages],
            times=[page.fetched_at for page in pages],
        )


async def lead_rows(stack: Stack, organization: Organization, works: Sequence[LeadWork]) -> dict[UUID, dict[str, Any]]:
    """The leads of one tenant, by id, in one query."""
    async with stack.tenants.open(organization) as tenant:
        ids = [work.lead_id for work in works]
        return {row["lead_id"]: row async for row in LEADS.lead_rows(tenant.conn, lead_ids=ids)}
