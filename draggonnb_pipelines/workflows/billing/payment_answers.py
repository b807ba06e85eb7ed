"""What a person says about a payment: that it is dealt with at PayFast, or that it is to be checked once more.

Lives here: the two answers, each once and in the audit log. Not here: why a payment waits for a person
(`payment_effects.py`), who is told of it (`payment_alerts.py`). No money moves by either.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection, MasterDb
from draggonnb_pipelines.workflows.billing.payment_effects import PAYMENTS
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS

WAYS = ("refunded", "applied-by-hand")


async def settle_payment(master: MasterDb, payment_id: UUID, way: str, *, note: str, by: str, now: datetime) -> None:
    """Close a payment for which there was no place; the same again changes nothing.

    The books then count it as ours if it was applied by hand, and wait for the money to go back if it was refunded.

    Args:
        way: one of `WAYS`.
        note: what was done, 1 to 1000 characters, for whoever asks later.

    Raises:
        OperatorError: no such payment, one that waits for nobody, or another answer was given before.
    """
    note = note.strip()
    if way not in WAYS or not 1 <= len(note) <= 1000:
        raise OperatorError(f"a payment is {' or '.join(WAYS)}, with a note of 1 to 1000 characters", remedy="say both")
    async with master.connection() as conn, conn.transaction():
        if await PAYMENTS.settle(conn, id=payment_id, settled_as=way, settled_by=by, note=note, now=now):
            await _audit(conn, payment_id, "payment.settled", by, {"as": way})
            return
        found = await _found(conn, payment_id)
        if found["settled_as"] != way:
            how = f" as {found['settled_as']}" if found["settled_as"] else ""
            raise OperatorError(
                f"payment {payment_id} is {found['state']}{how}: it waits for no answer",
                remedy="`draggonnb billing payments` lists those that do",
            )


async def check_payment_again(master: MasterDb, payment_id: UUID, *, by: str, now: datetime) -> None:
    """Let a notice that was refused, or waits for a person, go through all checks again: after a wrong passphrase or
    network in the settings was mended. The next run does it.

    Raises:
        OperatorError: no such payment, or one that was applied, settled or waits for its checks.
    """
    async with master.connection() as conn, conn.transaction():
        if await PAYMENTS.check_again(conn, id=payment_id, now=now):
            await _audit(conn, payment_id, "payment.checked_again", by, {})
            return
        found = await _found(conn, payment_id)
        if found["state"] not in ("received", "verified"):
            raise OperatorError(
                f"payment {payment_id} is {found['state']}",
                remedy="only what was refused or waits for a person can be checked again",
            )


async def _found(conn: Connection, payment_id: UUID) -> dict[str, Any]:
    row: dict[str, Any] | None = await PAYMENTS.state_of(conn, id=payment_id)
    if row is None:
        raise OperatorError(f"there is no payment {payment_id}", remedy="`draggonnb billing payments` lists them")
    return row


async def _audit(conn: Connection, payment_id: UUID, action: str, by: str, metadata: dict[str, str]) -> None:
    await ORGANIZATIONS.audit(
        conn, actor=by, action=action, resource=f"payment:{payment_id}", metadata=json.dumps(metadata)
    )
