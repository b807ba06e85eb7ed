"""Stored leads walked through the asking steps again, as a run of `reprocess_leads` does."""

from typing import Any

from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_analyses import analyse_businesses, analyse_competitors
from draggonnb_pipelines.workflows.leads.lead_batches import DayBatch, Outcome
from draggonnb_pipelines.workflows.leads.proposals import write_proposals
from draggonnb_pipelines.workflows.leads.reprocessing import (
    reprocess_step,
)
from tests.sandbox_process import Sandbox

BATCH_ROUTE = "POST /anthropic/v1/messages/batches"
ASKING = (
    ("competitor_analyses", analyse_competitors),
    ("business_analyses", analyse_businesses),
    ("proposals", write_proposals),
)


async def reprocess(
    stack: Stack, keys: list[PartitionKey], *, run_id: str = "run-2", steps: Any = ASKING
) -> dict[str, list[Outcome]]:
    """The steps that ask, over these days, as a run of `reprocess_leads` does."""
    batch = DayBatch(stack, keys, run_id)
    return {name: await reprocess_step(stack, batch, name, step) for name, step in steps}


def problems_of(outcomes: dict[str, list[Outcome]]) -> list[str]:
    return [str(outcome.problem) for part in outcomes.values() for outcome in part if outcome.problem]


def batches_made(sandbox: Sandbox) -> int:
    """Batches that the vendor made."""
    return sum(entry["route"] == BATCH_ROUTE and entry["accepted"] for entry in sandbox.journal("claude"))
