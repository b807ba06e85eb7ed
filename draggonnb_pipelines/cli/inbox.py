"""`draggonnb inbox list | replay`.

Does not live here: the states of a row and who changes them (`sql/queries/inbox.sql`).
"""

import asyncio
import getpass
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import installation, session
from draggonnb_pipelines.domain.leads import Stage
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.inbox_replays import replay_rows

INBOX = load_queries("inbox")
_STYLES = {"done": "green", "dead": "red", "claimed": "cyan"}


def show_rows(*, state: str | None, slug: str | None, limit: int) -> None:
    """A table of deliveries, newest first."""
    with installation() as settings:
        rows = asyncio.run(_rows(settings, state, slug, limit))
    if not rows:
        console().print("no such delivery")
        return
    columns = ("id", "organization", "source", "delivery", "state", "stage", "attempts", "received (UTC)", "last error")
    shown = table(*columns, unbroken=("id", "organization", "state", "received (UTC)"))
    for row in rows:
        shown.add_row(
            cell(row["id"]), cell(row["slug"]), cell(row["source"]), cell(row["delivery_id"]),
            cell(row["state"], _STYLES.get(row["state"], "")), cell(_stage(row)), cell(row["attempts"]),
            cell(row["received_at"]), cell(row["last_error"]),
        )  # fmt: skip
    console().print(shown)


def replay(ids: Sequence[UUID], *, slug: str | None) -> None:
    """Put rows back to the start of the queue, and write down who did it.

    Raises:
        OperatorError: rows and an organization were named, or neither; or a named row is not finished.
    """
    if bool(ids) == (slug is not None):
        raise OperatorError(
            "name the rows or an organization, not both",
            remedy="draggonnb inbox replay ID..., or draggonnb inbox replay --organization SLUG for its dead rows",
        )
    with installation() as settings:
        replayed = asyncio.run(_replay(settings, ids, slug))
    console().print(cell(f"{len(replayed)} rows wait again", "green" if replayed else ""))
    for row_id in sorted(map(str, replayed)):
        console().print(cell(f"  {row_id}"))
    if left := sorted(str(row_id) for row_id in set(ids) - replayed):
        raise OperatorError(
            f"not replayed: {', '.join(left)}", remedy="only rows that are dead or done can be: `draggonnb inbox list`"
        )


async def _rows(settings: Settings, state: str | None, slug: str | None, limit: int) -> list[dict[str, Any]]:
    async with session(settings) as opened:
        if slug is not None:
            await opened.organization(slug)
        async with opened.master.connection() as conn:
            return [row async for row in INBOX.list_rows(conn, state=state, slug=slug, row_limit=limit)]


async def _replay(settings: Settings, ids: Sequence[UUID], slug: str | None) -> set[UUID]:
    async with session(settings) as opened:
        if slug is not None:
            await opened.organization(slug)
        resource = f"organization:{slug}" if slug else "inbox"
        return await replay_rows(opened.master, ids, dead_of=slug, resource=resource, by=f"operator:{operator()}")


def operator() -> str:
    """The login name of who runs this command, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"  # a container's user without a name


def _stage(row: dict[str, Any]) -> str:
    """Stages have names for leads; other topics only count them."""
    known = {stage.value: stage.name.lower() for stage in Stage}
    return known.get(row["stage"], str(row["stage"])) if row["topic"] == "leads" else str(row["stage"])
