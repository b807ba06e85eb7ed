"""`draggonnb reprocess`: ask for stored leads to be analysed again.

Does not live here: the work itself; the sensor `reprocessing_requests` takes the request up.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID, uuid4

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console
from draggonnb_pipelines.cli.session import ORGANIZATIONS, installation
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.leads.reprocessing import keys_with_leads, request_reprocessing


def reprocess(organizations: Sequence[str], *, everyone: bool, from_day: date, to_day: date) -> None:
    """Record the request and say how much it is.

    Raises:
        OperatorError: unclear for whom, days in the wrong order, or an unknown organization.
    """
    if bool(organizations) == everyone:
        raise OperatorError(
            "say for whom: it costs money", remedy="--organization SLUG, once or more, or --all for everyone"
        )
    if from_day > to_day:
        raise OperatorError(f"--from {from_day} is after --to {to_day}", remedy="give the earlier day as --from")
    request_id = uuid4()
    with installation() as settings:
        days = asyncio.run(_request(settings, sorted(set(organizations)), from_day, to_day, request_id))
    if not days:
        console().print(cell(f"no leads from {from_day} to {to_day}; nothing was requested", "yellow"))
        return
    # Said, since the default installation is the one of this folder, whichever the operator had in mind.
    where = settings.state_dir.resolve()
    console().print(cell(f"requested {request_id} in {where}: {days} organization-days with leads", "green"))
    console().print(
        cell("The sensor reprocessing_requests takes it up while Dagster's daemon runs; nobody is notified.")
    )


async def _request(
    settings: Settings, organizations: Sequence[str], from_day: date, to_day: date, request_id: UUID
) -> int:
    async with open_stack(settings) as stack:
        await _refuse_unknown(stack, organizations)
        async with stack.master.connection() as conn:
            keys = await keys_with_leads(conn, organizations, from_day, to_day)
        if not keys:
            return 0
        requested_by = f"operator:{operator()}"
        await request_reprocessing(
            stack, organizations, from_day, to_day, requested_by=requested_by, request_id=request_id
        )
        async with stack.master.connection() as conn:
            asked = {"organizations": list(organizations), "from": str(from_day), "to": str(to_day)}
            await ORGANIZATIONS.audit(
                conn,
                actor=requested_by,
                action="leads.reprocessing_requested",
                resource=f"reprocessing:{request_id}",
                metadata=json.dumps(asked),
            )
        return len(keys)


async def _refuse_unknown(stack: Stack, organizations: Sequence[str]) -> None:
    async with stack.master.connection() as conn:
        known = {row["slug"] async for row in ORGANIZATIONS.organizations_by_slug(conn, slugs=list(organizations))}
    if unknown := sorted(set(organizations) - known):
        raise OperatorError(f"no organization: {', '.join(unknown)}", remedy="`draggonnb tenant list` shows all")
