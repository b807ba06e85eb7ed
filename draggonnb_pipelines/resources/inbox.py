"""The way into master `inbox`: many requests, few commits.

Lives here: sealing and group commit of deliveries, and finding the row of a repeat.
Not here: what may come in (`api/`), who takes rows out (`workflows/inbox_batches.py`).
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout
from pydantic import BaseModel

from draggonnb_pipelines.domain.inbox import Delivery, DeliveryKey, StoredDelivery, parsed_context, raw_context
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import Connection, MasterDb
from draggonnb_pipelines.resources.vault import TenantKey
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
MAX_ROWS_PER_COMMIT = 400
MAX_WAITING_ROWS = 20_000
WRITE_TIMEOUT_SECONDS = 8.0
POOLED_CONNECTIONS = 8
log = logging.getLogger(__name__)


class InboxUnavailable(DraggonnbError):
    """The master database did not take the deliveries. Nothing is known to be stored: the sender must repeat."""


def sealed_delivery(
    key: TenantKey, delivery_key: DeliveryKey, content_type: str, raw: bytes, submission: BaseModel
) -> Delivery:
    """A delivery as the inbox keeps it: the body as it came and what was read from it, both sealed."""
    organization_id = delivery_key.organization_id
    parsed = submission.model_dump_json().encode()
    return Delivery(
        delivery_key,
        content_type,
        key.seal(raw, raw_context(organization_id)),
        key.seal(parsed, parsed_context(organization_id)),
    )


class _Waiting:
    """The deliveries of one request, and the request that waits for them."""

    __slots__ = ("answer", "deliveries")

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.deliveries = deliveries
        self.answer: asyncio.Future[list[StoredDelivery]] = asyncio.get_running_loop().create_future()


class InboxWriter:
    """Stores deliveries; each caller is answered after the commit that holds its rows.

    While one commit is under way the requests that come in are collected, and the next statement takes all of them.
    So a lone request waits for nobody, and under load the cost of a commit is shared. A failing statement is taken
    apart, request by request: one row that the database refuses fails its own request alone.
    """

    def __init__(self, master: MasterDb) -> None:
        self._master = master
        self._waiting: deque[_Waiting] = deque()
        self._rows_waiting = 0
        self._flusher: asyncio.Task[None] | None = None

    async def store(self, deliveries: Sequence[Delivery]) -> list[StoredDelivery]:
        """Store one request's deliveries, all or none, and say of each where it is; in the order given.

        Raises:
            InboxUnavailable: the database is down, too slow, or too much is waiting already.
            psycopg.Error: the database refused these rows.
        """
        if self._rows_waiting + len(deliveries) > MAX_WAITING_ROWS:
            raise InboxUnavailable(f"{self._rows_waiting} deliveries are waiting for the master database")
        waiting = _Waiting(deliveries)
        self._waiting.append(waiting)
        self._rows_waiting += len(deliveries)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        return await waiting.answer

    async def close(self) -> None:
        """Wait until everything that was given to `store` is answered."""
        while self._flusher is not None and not self._flusher.done():
            await asyncio.wait([self._flusher])

    async def _flush(self) -> None:
        while self._waiting:
            group = self._take_group()
            try:
                await self._answer(group)
            except BaseException as error:
                _fail(group, error)
                if not isinstance(error, Exception):
                    raise

    def _take_group(self) -> list[_Waiting]:
        group, rows = [], 0
        while self._waiting and (not group or rows + len(self._waiting[0].deliveries) <= MAX_ROWS_PER_COMMIT):
            rows += len(self._waiting[0].deliveries)
            group.append(self._waiting.popleft())
        self._rows_waiting -= rows
        return group

    async def _answer(self, group: list[_Waiting]) -> None:
        try:
            stored = await self._write([delivery for waiting in group for delivery in waiting.deliveries])
        except psycopg.Error as error:
            if len(group) == 1:
                raise
            log.warning("a commit of %d deliveries failed (%s): one by one", len(group), type(error).__name__)
            for waiting in group:
                try:
                    await self._answer([waiting])
                except (psycopg.Error, InboxUnavailable) as own:
                    _fail([waiting], own)
            return
        position = 0
        for waiting in group:
            end = position + len(waiting.deliveries)
            if not waiting.answer.done():
                waiting.answer.set_result(stored[position:end])
            position = end

    async def _write(self, deliveries: list[Delivery]) -> list[StoredDelivery]:
        """One statement, one commit. Repeated where a connection had died unnoticed, as after a restart of the
        server: then each one in the pool is dead. Rows are keyed, so a repeat is safe."""
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
                for _ in range(POOLED_CONNECTIONS):
                    with contextlib.suppress(psycopg.OperationalError):
                        return await self._write_once(deliveries)
                return await self._write_once(deliveries)
        except (psycopg.OperationalError, PoolTimeout, TimeoutError) as error:
            raise InboxUnavailable(f"the master database did not answer ({type(error).__name__})") from error

    async def _write_once(self, deliveries: list[Delivery]) -> list[StoredDelivery]:
        first = {delivery.key: delivery for delivery in reversed(deliveries)}
        # Sorted, so that two API processes with the same repeats in other orders cannot deadlock.
        rows = sorted(first.values(), key=lambda delivery: delivery.key)
        async with self._master.connection() as conn:
            added = {
                _key(row): row["id"]
                async for row in INBOX.store_deliveries(
                    conn,
                    **_keys([row.key for row in rows]),
                    content_types=[row.content_type for row in rows],
                    raws=[row.raw_sealed for row in rows],
                    parsed=[row.parsed_sealed for row in rows],
                )
            }
            repeated = await _find(conn, [key for key in first if key not in added])
        return [_stored(delivery, first, added, repeated) for delivery in deliveries]


async def _find(conn: Connection, keys: list[DeliveryKey]) -> dict[DeliveryKey, dict[str, Any]]:
    if not keys:
        return {}
    return {_key(row): row async for row in INBOX.find_deliveries(conn, **_keys(keys))}


def _stored(
    delivery: Delivery,
    first: dict[DeliveryKey, Delivery],
    added: dict[DeliveryKey, UUID],
    repeated: dict[DeliveryKey, dict[str, Any]],
) -> StoredDelivery:
    if delivery.key in added:
        kept = first[delivery.key]
        is_first = kept is delivery
        return StoredDelivery(added[delivery.key], not is_first, None if is_first else kept.raw_sealed)
    row = repeated.get(delivery.key)
    if row is None:
        # Conflicted with a row that was gone again a moment later: only an operator's deletion does that.
        raise InboxUnavailable("a delivery's earlier row was removed while it was repeated")
    # Our own bytes (each sealing has its own nonce): the commit had succeeded, and only its answer was lost.
    return StoredDelivery(row["id"], row["raw_sealed"] != delivery.raw_sealed, row["raw_sealed"])


def _keys(keys: Sequence[DeliveryKey]) -> dict[str, list[Any]]:
    return {
        "organization_ids": [key.organization_id for key in keys],
        "topics": [key.topic for key in keys],
        "sources": [key.source for key in keys],
        "delivery_ids": [key.delivery_id for key in keys],
    }


def _key(row: dict[str, Any]) -> DeliveryKey:
    return DeliveryKey(row["organization_id"], row["topic"], row["source"], row["delivery_id"])


def _fail(group: list[_Waiting], error: BaseException) -> None:
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(error if isinstance(error, Exception) else InboxUnavailable("shutting down"))
