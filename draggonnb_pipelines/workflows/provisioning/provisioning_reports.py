"""What the provisioning assets show: per client a table of its stack, with links, age, mark and cost.

Lives here: one step's report for Dagster. Not here: the work (`provisioning.py`).
"""

from collections.abc import Sequence
from typing import Any

from draggonnb_pipelines.domain.provisioning import Client, Resource
from draggonnb_pipelines.domain.reports import (
    KeyReport,
    Link,
    Markdown,
    PartitionKey,
    StepReport,
    markdown_link,
    markdown_text,
)
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.provisioning.provisioning import run_step
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger


async def set_up(stack: Stack, run_id: str, step: str, keys: Sequence[PartitionKey]) -> StepReport:
    """One step for the clients of these keys, and what it came to."""
    ends = await run_step(stack, run_id, step, [key.slug for key in keys])
    done: dict[PartitionKey, KeyReport] = {}
    waiting: dict[PartitionKey, str] = {}
    failed: dict[PartitionKey, str] = {}
    for key in keys:
        end = ends.get(key.slug)
        if end is None:
            failed[key] = "there is no such organization"
        elif end.resource is not None:
            done[key] = await _report(stack, run_id, end.client, end.resource)
        else:
            (waiting if end.waits else failed)[key] = end.reason or "it gave no reason"
    return StepReport(done, failed, waiting)


def stack_table(resources: Sequence[Resource]) -> str:
    """A client's stack as Markdown: what, where, its state, since when, and its cost a month."""
    lines = ["| step | name | state | since (UTC) | USD / month |", "|---|---|---|---|---|"]
    for one in resources:
        since = f"{one.ready_at:%Y-%m-%d\u00a0%H:%M}" if one.ready_at else ""
        name = markdown_link(markdown_text(one.name), one.url)
        cost = f"{one.monthly_cents / 100:.2f}" if one.monthly_cents else ""
        lines.append(f"| {one.step} | {name} | {one.state} | {since} | {cost} |")
    return "\n".join(lines)


async def _report(stack: Stack, run_id: str, client: Client, resource: Resource) -> KeyReport:
    resources = await Ledger(stack, client, run_id).resources()
    details: dict[str, Any] = {
        "name": resource.name,
        "vendor": resource.vendor,
        "vendor id": resource.vendor_id,
        "link": Link(resource.url) if resource.url else None,
        "mark of all": client.mark,
        "stack": Markdown(stack_table(resources)),
    }
    return KeyReport(rows=sum(one.step == resource.step for one in resources), metadata=details)
