"""Which leads a run works on, and what becomes of their inbox rows.

Two kinds of batch with the same verbs: `InboxBatch` (new deliveries, claimed with a lease) and `DayBatch` (stored
leads of chosen days, for reprocessing). Not here: how a step is walked over a batch
(`lead_steps.py`), what the steps do (`leads.py`, `lead_analyses.py`, `proposals.py`, `notifications.py`).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.leads import LeadWork
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.inbox_batches import (
    ClaimedRows,
    GiveBack,
    InboxWork,
    StepOutcome,
    organizations_by_id,
    organizations_by_slug,
    partition_of,
    reason_of,
)

LEADS = load_queries("leads")

Outcome = StepOutcome[LeadWork]


class InboxBatch(ClaimedRows):
    """The deliveries of leads that a sensor gave to this run."""

    is_reprocessing = False

    async def leads(self) -> list[LeadWork]:
        """The captured leads that this run still holds; several deliveries of one lead are one piece of work."""
        rows = [row for row in await self.rows() if row["lead_id"] is not None]
        organizations = await organizations_by_id(self.stack, {row["organization_id"] for row in rows})
        merged: dict[tuple[UUID, UUID], LeadWork] = {}
        for row in rows:
            known = merged.get((row["organization_id"], row["lead_id"]))
            key = known.key if known else partition_of(row["slug"], row["received_at"])
            ids = (*known.inbox_ids, row["inbox_id"]) if known else (row["inbox_id"],)
            merged[row["organization_id"], row["lead_id"]] = LeadWork(
                organizations[row["organization_id"]], key, row["lead_id"], ids
            )
        return list(merged.values())


class DayBatch:
    """The stored leads of chosen organizations and days; no inbox row waits for them, nobody is notified."""

    is_reprocessing = True

    def __init__(self, stack: Stack, keys: Sequence[PartitionKey], run_id: str) -> None:
        self._stack = stack
        self.run_id = run_id
        self._days: dict[str, set[date]] = defaultdict(set)
        for key in keys:
            self._days[key.slug].add(key.day)
        self.unreachable: dict[PartitionKey, str] = {}

    async def leads(self) -> list[LeadWork]:
        organizations = await organizations_by_slug(self._stack, list(self._days))
        works: list[LeadWork] = []
        for slug, days in self._days.items():
            if slug not in organizations:
                self._lose(slug, "no such organization")
                continue
            try:
                async with self._stack.tenants.open(organizations[slug]) as tenant:
                    async for row in LEADS.leads_of_days(tenant.conn, days=sorted(days)):
                        key = PartitionKey(slug, row["received_on"])
                        works.append(LeadWork(organizations[slug], key, row["lead_id"]))
            except (TenantUnavailable, psycopg.Error) as error:
                self._lose(slug, reason_of(error))
        return works

    def _lose(self, slug: str, reason: str) -> None:
        self.unreachable |= {PartitionKey(slug, day): reason for day in self._days[slug]}

    async def begin(self, stage: int) -> None:
        """Nothing waits in the inbox for these leads."""

    async def advance(self, stage: int, works: Sequence[InboxWork]) -> None:
        """Nothing waits in the inbox for these leads."""

    async def finish(self, works: Sequence[InboxWork]) -> None:
        """Nothing waits in the inbox for these leads."""

    async def give_back(self, stage: int, inbox_ids: Sequence[UUID], how: GiveBack) -> None:
        """Nothing waits in the inbox for these leads."""

    async def attempts(self, works: Sequence[InboxWork]) -> dict[UUID, int]:
        return {}


Batch = InboxBatch | DayBatch
