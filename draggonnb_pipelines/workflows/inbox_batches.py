"""The inbox rows that a run works on, whatever their topic: taken with a lease, advanced, finished, given back.

Lives here: `ClaimedRows`, the outcome of a step for one piece of work, and why something is given back. Not here: what
the rows of a topic are (`lead_batches.py`, `content_batches.py`), and how a step is walked over them
(`inbox_steps.py`).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
ORGANIZATIONS = load_queries("organizations")
log = logging.getLogger(__name__)

LONGEST_DELAY_SECONDS = 3600.0


class InboxWork(Protocol):
    """One piece of work of any topic, and the inbox rows that wait for it."""

    @property
    def organization(self) -> Organization: ...
    @property
    def key(self) -> PartitionKey: ...
    @property
    def inbox_ids(self) -> tuple[UUID, ...]: ...


WorkT = TypeVar("WorkT", bound=InboxWork)


@dataclass
class StepOutcome(Generic[WorkT]):
    """What a step did for one piece of work.

    Args:
        columns: its row in the table that the operator sees; no personal data.
        problem: why it is not done; None if it is.
        preview: Markdown of what was made, for the asset's page; no personal data.
        waits: not a failure: it goes on by itself later (a batch at Anthropic, an unsettled message).
    """

    work: WorkT
    columns: dict[str, object] = field(default_factory=dict)
    preview: str | None = None
    problem: Exception | None = None
    waits: bool = False
    needs_review: bool = False
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)


class GiveBack(NamedTuple):
    """How inbox rows are given back: why, whether the attempt counts, and after how long they come again."""

    reason: str
    counts: bool
    delay_seconds: float


class ClaimedRows:
    """The inbox rows that a sensor gave to this run."""

    def __init__(self, stack: Stack, batch_id: UUID, run_id: str) -> None:
        self.stack = stack
        self.batch_id = batch_id
        self.run_id = run_id

    async def claim(self) -> None:
        """Take the rows. A second call, or a re-execution, takes what is free of them by then."""
        async with self.stack.master.connection() as conn:
            await INBOX.claim_batch(
                conn, batch_id=self.batch_id, run_id=self.run_id, lease_seconds=self.stack.settings.lease_seconds
            )

    async def keep_lease(self) -> None:
        """Extend the lease for as long as this task lives; a killed run stops extending, and its rows come free."""
        while True:
            await asyncio.sleep(self.stack.settings.lease_seconds / 4)
            try:
                async with self.stack.master.connection() as conn:
                    await INBOX.extend_lease(
                        conn,
                        batch_id=self.batch_id,
                        run_id=self.run_id,
                        lease_seconds=self.stack.settings.lease_seconds,
                    )
            except psycopg.Error as error:
                log.warning("the lease of batch %s was not extended: %s", self.batch_id, error)

    async def rows(self) -> list[dict[str, Any]]:
        async with self.stack.master.connection() as conn:
            return [row async for row in INBOX.batch_rows(conn, batch_id=self.batch_id, run_id=self.run_id)]

    async def keys(self) -> list[PartitionKey]:
        """Every organization and day of the batch, also of rows that this run could not keep."""
        return [PartitionKey(row["slug"], row["day"]) for row in await self._key_rows()]

    async def broken(self) -> dict[PartitionKey, str]:
        """Where rows were given back, and why."""
        return {
            PartitionKey(row["slug"], row["day"]): row["reason"] or "given back"
            for row in await self._key_rows()
            if row["failed"]
        }

    async def _key_rows(self) -> list[dict[str, Any]]:
        async with self.stack.master.connection() as conn:
            return [row async for row in INBOX.batch_keys(conn, batch_id=self.batch_id)]

    async def begin(self, stage: int) -> None:
        """Count an attempt at this stage; the claim has counted the one at the first."""
        if stage > 1:
            async with self.stack.master.connection() as conn:
                await INBOX.begin_stage(conn, batch_id=self.batch_id, run_id=self.run_id, stage=int(stage))

    async def advance(self, stage: int, works: Sequence[InboxWork]) -> None:
        async with self.stack.master.connection() as conn:
            await INBOX.advance_rows(conn, stage=int(stage), ids=_ids(works), run_id=self.run_id)

    async def finish(self, works: Sequence[InboxWork]) -> None:
        async with self.stack.master.connection() as conn:
            await INBOX.finish_rows(conn, ids=_ids(works), run_id=self.run_id)

    async def give_back(self, stage: int, inbox_ids: Sequence[UUID], how: GiveBack) -> None:
        async with self.stack.master.connection() as conn:
            await INBOX.release_rows(
                conn,
                stage=int(stage),
                ids=list(inbox_ids),
                run_id=self.run_id,
                error=how.reason,
                counts=how.counts,
                delay_seconds=how.delay_seconds,
                max_attempts=self.stack.settings.max_attempts,
            )

    async def attempts(self, works: Sequence[InboxWork]) -> dict[UUID, int]:
        """Fruitless claims so far, by inbox id: the exponent of the delay, and the limit of patience."""
        wanted = set(_ids(works))
        return {row["inbox_id"]: row["attempts"] for row in await self.rows() if row["inbox_id"] in wanted}


async def organizations_by_id(stack: Stack, ids: set[UUID]) -> dict[UUID, Organization]:
    async with stack.master.connection() as conn:
        rows = [row async for row in ORGANIZATIONS.organizations_by_id(conn, ids=list(ids))]
    return {row["id"]: Organization(**row) for row in rows}


async def organizations_by_slug(stack: Stack, slugs: list[str]) -> dict[str, Organization]:
    async with stack.master.connection() as conn:
        rows = [row async for row in ORGANIZATIONS.organizations_by_slug(conn, slugs=slugs)]
    return {row["slug"]: Organization(**row) for row in rows}


def partition_of(slug: str, received_at: datetime) -> PartitionKey:
    """A delivery belongs to the UTC day on which it was received."""
    return PartitionKey(slug, received_at.astimezone(UTC).date())


def reason_of(error: BaseException) -> str:
    """One line for an operator. Foreign exceptions are named, not quoted: their text may hold personal data."""
    if isinstance(error, VendorError):
        advice = {ErrorClass.AUTH: " (check the credentials)", ErrorClass.CONFIG: " (check the settings)"}
        return f"{error}{advice.get(error.error_class, '')}"
    if isinstance(error, DraggonnbError):
        return str(error)
    if isinstance(error, psycopg.Error):
        place = error.diag.constraint_name or error.diag.table_name or ""
        return f"database: {type(error).__name__} {error.sqlstate or ''} {place}".strip()
    return f"unexpected {type(error).__name__}; the run's log has the trace"


def _ids(works: Sequence[InboxWork]) -> list[UUID]:
    return [inbox_id for work in works for inbox_id in work.inbox_ids]
