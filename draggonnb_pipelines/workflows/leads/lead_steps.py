"""How one step of the lead workflow is walked over a batch, and how a lead is left to a person.

Not here: the walk itself (`inbox_steps.py`), what the steps do, and the batches (`lead_batches.py`).
"""

import logging
from collections.abc import Awaitable, Callable

from draggonnb_pipelines.domain.leads import LeadWork, Stage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_steps import Walk
from draggonnb_pipelines.workflows.leads.lead_batches import LEADS, Batch, Outcome

log = logging.getLogger(__name__)

TenantStep = Callable[[Stack, Batch, Organization, list[LeadWork]], Awaitable[list[Outcome]]]


async def run_step(stack: Stack, batch: Batch, stage: Stage, step: TenantStep) -> list[Outcome]:
    """Walk one step over all leads of the batch; each gets an outcome, see `inbox_steps.Walk`."""
    await batch.begin(stage)
    walk = Walk(stack, batch, stage, park=park, is_last=stage is Stage.NOTIFIED)
    return await walk.over(await batch.leads(), lambda organization, works: step(stack, batch, organization, works))


async def park(stack: Stack, work: LeadWork, reason: str) -> None:
    """Leave the lead to a person, with the reason; the last step tells the sales team."""
    async with stack.tenants.open(work.organization) as tenant:
        await LEADS.park_lead(tenant.conn, lead_id=work.lead_id, reason=reason)
    log.warning("%s: lead %s needs a person: %s", work.organization.slug, work.lead_id, reason)
