"""One person in the inbox of the master database, whose bodies are sealed: each is opened and looked into.

Not here: the tables that can be searched as they are (`person_rows.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.inbox import parsed_context, raw_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import is_in_body
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.vault import SealBroken, TenantKey
from draggonnb_pipelines.workflows.operations.person_rows import PERSONS, Subject

NAME = "inbox"
BODIES_AT_ONCE = 500


@dataclass
class Deliveries:
    """What the inbox holds of a person.

    Args:
        ids: of the rows.
        rows: with their bodies, where they were asked for.
        unreadable: rows of the organization that do not open any more; they may be anybody's.
    """

    ids: list[UUID] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0


async def deliveries_of(
    conn: Connection, organization: Organization, key: TenantKey, subject: Subject, *, with_bodies: bool = False
) -> Deliveries:
    """Look into every body that the organization still has in the inbox; some hundred are in memory at a time."""
    found = Deliveries()
    async with conn.transaction(), conn.cursor(name="inbox_bodies") as cursor:
        cursor.itersize = BODIES_AT_ONCE
        await cursor.execute(PERSONS.inbox_bodies.sql, {"organization_id": organization.id})
        async for row in cursor:
            try:
                bodies = _bodies(row, organization, key)
            except SealBroken:
                found.unreadable += 1
                continue
            if row["lead_id"] in subject.leads or any(is_in_body(subject.identity, body) for body in bodies.values()):
                found.ids.append(row["id"])
                if with_bodies:
                    found.rows.append(_shown(row, bodies))
    return found


async def refuse_work_in_hand(conn: Connection, ids: Sequence[UUID], subject: Subject) -> None:
    """Nothing that runs now may write the person down again behind us.

    Raises:
        OperatorError: a run has a delivery of the person in hand, or Claude a question about them.
    """
    deliveries = await PERSONS.deliveries_in_work(conn, ids=list(ids))
    batches = await PERSONS.batches_in_work(conn, leads=sorted(subject.leads))
    if deliveries or batches:
        raise OperatorError(
            f"{deliveries} deliveries and {batches} message batches with this person are being worked on",
            remedy="say it again when they are done, in minutes (message batches: within a day); it goes on there",
        )


def _bodies(row: dict[str, Any], organization: Organization, key: TenantKey) -> dict[str, bytes]:
    contexts = {"raw": raw_context(organization.id), "parsed": parsed_context(organization.id)}
    sealed = {name: row[f"{name}_sealed"] for name in contexts}
    return {name: key.open(body, contexts[name]) for name, body in sealed.items() if body is not None}


def _shown(row: dict[str, Any], bodies: dict[str, bytes]) -> dict[str, Any]:
    columns = ("id", "topic", "source", "delivery_id", "state", "received_at")
    return {name: row[name] for name in columns} | {name: _readable(body) for name, body in bodies.items()}


def _readable(body: bytes) -> Any:
    text = body.decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text
