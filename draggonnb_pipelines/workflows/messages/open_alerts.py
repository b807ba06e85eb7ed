"""Alerts that nobody has answered, over all clients: for the check and the operator. Not here: moving them up
(`escalation.py`)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import CheckOutcome, Markdown, markdown_text
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.postgres import MasterDb, TenantDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA

CLIENTS_AT_ONCE = 8
SHOWN = 100
STEPS = ("those of the event", "the owners", "the agency")


async def open_alerts(
    master: MasterDb, tenants: Tenants, slug: str | None = None
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The open alerts of one active client or all, oldest first, each with its slug; and whose database is away."""
    found, away = await look_into_clients(
        master, tenants, slug, lambda tenant: ALERTS.open_alerts(tenant.conn, event=None, row_limit=SHOWN)
    )
    return sorted(found, key=lambda one: one[1]["created_at"]), away


async def look_into_clients(
    master: MasterDb, tenants: Tenants, slug: str | None, question: Callable[[TenantDb], AsyncIterator[dict[str, Any]]]
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The rows that a question finds at one active client or all, each with its slug; and whose database is away."""
    async with master.connection() as conn:
        slugs = None if slug is None else [slug]
        rows = [row async for row in AGENDA.agenda_of(conn, slugs=slugs, shards=1, shard=0)]
    permits, found, away = asyncio.Semaphore(CLIENTS_AT_ONCE), [], []

    async def look(row: dict[str, Any]) -> None:
        organization = Organization(**{name: value for name, value in row.items() if name != "notes"})
        async with permits:
            try:
                async with tenants.open(organization) as tenant:
                    answers = [one async for one in question(tenant)]
            except (TenantUnavailable, psycopg.Error):
                away.append(organization.slug)
            else:
                found.extend((organization.slug, answer) for answer in answers)

    await asyncio.gather(*map(look, rows))
    return found, sorted(away)


async def alerts_outcome(stack: Stack) -> CheckOutcome:
    """Whether somebody sees to everything: what went all the way up unanswered is the finding."""
    found, away = await open_alerts(stack.master, stack.tenants)
    unseen = [(slug, alert) for slug, alert in found if is_unseen(alert)]
    parts = [f"{len(unseen)} alerts went all the way up, and nobody has answered"] if unseen else []
    parts += [f"the databases of {', '.join(away)} are away"] if away else []
    return CheckOutcome(
        "alerts_are_seen_to",
        passed=not parts,
        description="; ".join(parts) or f"{len(found)} are open, and each has somebody further up to go to",
        severity="warn",
        metadata={"open alerts": Markdown(_table(found[:SHOWN]))} if found else {},
    )


def is_unseen(alert: Mapping[str, Any]) -> bool:
    """There is nobody further up."""
    return alert["escalate_at"] is None


def _table(found: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    lines = ["| client | since | told | alert | id |", "|---|---|---|---|---|"]
    for slug, alert in found:
        subject = markdown_text(alert["subject"], max_chars=160)
        told = STEPS[min(alert["level"], len(STEPS) - 1)]
        lines.append(f"| {slug} | {alert['created_at']:%Y-%m-%d %H:%M} UTC | {told} | {subject} | `{alert['id']}` |")
    lines.append("\nAnswer with: draggonnb alerts ack CLIENT ID")
    return "\n".join(lines)
