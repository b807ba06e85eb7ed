"""`draggonnb alerts list | ack`.

Does not live here: who is told of an alert and when (`workflows/messages/escalation.py`), the surface
(`alert_verbs.py`).
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import installation, session
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS, acknowledge_in
from draggonnb_pipelines.workflows.messages.open_alerts import STEPS, open_alerts


def show_open(slug: str | None) -> None:
    """A table over one active organization or all.

    Raises:
        OperatorError: no organization has this slug.
    """

    async def read(settings: Settings) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
        async with session(settings) as opened:
            if slug is not None:
                await opened.organization(slug)
            return await open_alerts(opened.master, opened.tenants, slug)

    with installation() as settings:
        found, away = asyncio.run(read(settings))
    for client in away:
        console().print(cell(f"{client}: its database does not answer", "red"))
    if not found:
        console().print(cell("no alert is open", "green"))
        return
    shown = table(
        "client", "id", "since (UTC)", "told", "next (UTC)", "alert", unbroken=("client", "id", "since (UTC)")
    )
    for client, alert in found:
        told = STEPS[min(alert["level"], len(STEPS) - 1)]
        shown.add_row(
            cell(client), cell(alert["id"]), cell(alert["created_at"]), cell(told),
            cell(alert["escalate_at"] or "nobody further up", "" if alert["escalate_at"] else "red"),
            cell(alert["subject"]),
        )  # fmt: skip
    console().print(shown)


def acknowledge(slug: str, alert_id: UUID) -> None:
    """Record that the operator sees to it.

    Raises:
        OperatorError: there is no such alert, or somebody sees to it already.
    """
    by = f"operator:{operator()}"

    async def answer(settings: Settings) -> None:
        async with session(settings) as opened, opened.tenants.open(await opened.organization(slug)) as tenant:
            if await acknowledge_in(tenant, alert_id, by=by, actor=by, now=datetime.now(UTC)):
                return
            alert = await ALERTS.one_alert(tenant.conn, id=alert_id)
        remedy = f"`draggonnb alerts list {slug}` shows what is open"
        if alert is None:
            raise OperatorError(f"{slug} has no alert {alert_id}", remedy=remedy)
        raise OperatorError(
            f"{alert['acknowledged_by']} sees to it since {alert['acknowledged_at']:%Y-%m-%d %H:%M} UTC", remedy=remedy
        )

    with installation() as settings:
        asyncio.run(answer(settings))
    console().print(cell(f"{alert_id}: you see to it; nobody else is told", "green"))
