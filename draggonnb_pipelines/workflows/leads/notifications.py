"""The lead workflow's last step: the sales team is told by WhatsApp, e-mail and in the app, once each.

Lives here: who is told what, and when a lead is done with it. Not here: the rows that it makes (`deliveries.py`),
taking, sending, recording and settling (`outbox.py`), the words (`domain/notifications.py`).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.leads import LeadWork, Stage, lead_id_for
from draggonnb_pipelines.domain.notifications import LeadNews, analysed, needs_review, wrote_again
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import TenantKey
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.leads.lead_analyses import Dossier, open_dossiers
from draggonnb_pipelines.workflows.leads.lead_batches import LEADS, Batch, DayBatch, Outcome
from draggonnb_pipelines.workflows.leads.lead_steps import run_step
from draggonnb_pipelines.workflows.leads.proposals import PROPOSALS, proposal_url
from draggonnb_pipelines.workflows.messages.deliveries import Message, rows_for_person
from draggonnb_pipelines.workflows.messages.outbox import NOTIFICATIONS, send_all, settle_lost
from draggonnb_pipelines.workflows.pages import render

TENANT = load_queries("tenant")

SENDS_AT_ONCE = 20


async def notify_sales(stack: Stack, batch: Batch) -> list[Outcome]:
    """Tell each recipient once; a lead is done when each of its messages is settled. Reprocessing tells nobody."""
    permits = asyncio.Semaphore(SENDS_AT_ONCE)

    async def of_tenant(stack: Stack, batch: Batch, organization: Organization, works: list[LeadWork]) -> list[Outcome]:
        if isinstance(batch, DayBatch):
            return [Outcome(work, columns={"notified": "nobody: reprocessing"}) for work in works]
        ids = [work.lead_id for work in works]
        dossiers = await open_dossiers(stack, organization, works)
        await _plan(stack, organization, works, dossiers)
        await settle_lost(stack, organization, ids)
        await send_all(stack, organization, ids, permits)
        return await _outcomes(stack, organization, works, dossiers)

    return await run_step(stack, batch, Stage.NOTIFIED, of_tenant)


async def _plan(
    stack: Stack, organization: Organization, works: Sequence[LeadWork], dossiers: Mapping[UUID, Dossier]
) -> None:
    """Write the outbox rows of all leads in one statement, and show the in-app ones.

    A proposal whose link goes out with them counts as sent from here on.
    """
    key = stack.tenants.key(organization)
    again = [i for work in works for i in work.inbox_ids if lead_id_for(i) != work.lead_id]
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        recipients = [row async for row in TENANT.lead_recipients(tenant.conn)]
        proposals = {
            row["lead_id"]: row async for row in PROPOSALS.current_proposals(tenant.conn, lead_ids=list(dossiers))
        }
        news = [_news(stack, organization, dossier, proposals.get(key)) for key, dossier in dossiers.items()]
        events = [row async for row in LEADS.event_rows(tenant.conn, inbox_ids=again)] if again else []
        news += [wrote_again(dossiers[row["lead_id"]].row, row) for row in events if row["lead_id"] in dossiers]
        rows = [row for one in news for row in _delivery_rows(one, organization, key, recipients, stack.now())]
        planned = NOTIFICATIONS.plan_deliveries(tenant.conn, deliveries=json.dumps(rows, default=str), now=stack.now())
        told = {row["event_key"] async for row in planned}
        linked = [proposals[one.lead_id]["id"] for one in news if one.link and one.event_key in told]
        await PROPOSALS.mark_sent(tenant.conn, ids=linked)
        await NOTIFICATIONS.show_in_app(tenant.conn, lead_ids=list(dossiers), now=stack.now())


def _news(stack: Stack, organization: Organization, dossier: Dossier, proposal: Mapping[str, Any] | None) -> LeadNews:
    business = dossier.analyses.get("business")
    if dossier.row["status"] == "needs_review" or business is None or proposal is None:
        return needs_review(dossier.row)
    titles = [win["title"] for win in business["content"]["quick_wins"]]
    return analysed(dossier.row, titles, proposal_url(stack, organization, proposal["id"]))


def _delivery_rows(
    news: LeadNews,
    organization: Organization,
    key: TenantKey,
    recipients: Sequence[Mapping[str, Any]],
    now: datetime,
) -> list[dict[str, Any]]:
    mail = {
        "subject": news.subject,
        "text": render("lead_mail.txt.j2", news=news, organization=organization),
        "html": render("lead_mail.html.j2", news=news, organization=organization),
    }
    in_app = {"message": news.message, "lead_id": str(news.lead_id), "link": news.link}
    event = EVENTS[news.event]
    whatsapp = news.whatsapp_parameters if event.whatsapp_template else None
    message = Message(event, news.event_key, mail, in_app, whatsapp, {"lead_id": news.lead_id})
    return [row for person in recipients for row in rows_for_person(message, organization, key, person, now)]


async def _outcomes(
    stack: Stack, organization: Organization, works: list[LeadWork], dossiers: Mapping[UUID, Dossier]
) -> list[Outcome]:
    ids = [work.lead_id for work in works]
    async with stack.tenants.open(organization) as tenant:
        waiting = {row["lead_id"]: row async for row in NOTIFICATIONS.open_deliveries(tenant.conn, lead_ids=ids)}
        states: dict[UUID, list[str]] = {lead_id: [] for lead_id in ids}
        async for row in NOTIFICATIONS.delivery_summary(tenant.conn, lead_ids=ids):
            states[row["lead_id"]].append(f"{row['channel']}: {row['status']}")
    outcomes = []
    for work in works:
        if work.lead_id not in dossiers:  # erased while the run was at work: there is nobody to tell anything about
            outcomes.append(Outcome(work, columns={"notified": "nobody: the lead is gone"}))
            continue
        parked = dossiers[work.lead_id].row["status"] == "needs_review"
        outcome = Outcome(work, columns={"notified": ", ".join(states[work.lead_id])}, needs_review=parked)
        if open_rows := waiting.get(work.lead_id):
            outcome.problem, outcome.waits = _waiting_problem(open_rows, stack.now()), True
        outcomes.append(outcome)
    return outcomes


def _waiting_problem(open_rows: Mapping[str, Any], now: datetime) -> Exception:
    """It waits until the earliest moment at which something can be settled."""
    reason = open_rows["reason"] or "another run is sending"
    due_at = open_rows["settle_after"]
    return VendorError(
        "notifications",
        ErrorClass.RETRY,
        f"{open_rows['waiting']} not settled yet: {reason}",
        retry_after_seconds=max((due_at - now).total_seconds(), 0) if due_at else None,
    )
