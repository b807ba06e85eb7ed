"""What the tests of the lead workflow share: deliveries, runs, and plain questions to the databases.

Not here: fixtures (`conftest.py`) and assertions.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.inbox import parsed_context, raw_context
from draggonnb_pipelines.domain.lead_shapes import read_leads
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.claude import Claude
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_batches import INBOX
from draggonnb_pipelines.workflows.leads.lead_analyses import analyse_businesses, analyse_competitors
from draggonnb_pipelines.workflows.leads.lead_batches import InboxBatch, Outcome
from draggonnb_pipelines.workflows.leads.leads import capture_leads, research_companies
from draggonnb_pipelines.workflows.leads.notifications import notify_sales
from draggonnb_pipelines.workflows.leads.proposals import write_proposals
from tests.sandbox_process import Sandbox

ANALYSES = (capture_leads, research_companies, analyse_competitors, analyse_businesses)
STEPS = (*ANALYSES, write_proposals, notify_sales)
LANES = ("ordinary", "crowd", "suspects")
MESSAGES = "POST /anthropic/v1/messages"
PLACE = {"topic": "leads", "shards": 1, "shard": 0, "lane": "ordinary"}


@dataclass(frozen=True)
class Worked:
    """What one run did: its batch, the outcomes by step, and what was given back."""

    batch: InboxBatch
    outcomes: dict[str, list[Outcome]]
    broken: dict[PartitionKey, str]

    @property
    def problems(self) -> dict[str, list[str]]:
        """By step, only where there are any."""
        found = {
            step: [str(outcome.problem) for outcome in outcomes if outcome.problem]
            for step, outcomes in self.outcomes.items()
        }
        return {step: problems for step, problems in found.items() if problems}


def enquiry(host: str = "kloof-street-coffee.example", **changes: Any) -> dict[str, object]:
    """A web form as the front desk of a company would send it. A change of None leaves the field out."""
    name = host.removesuffix(".example").replace("-", " ").title()
    body = {
        "name": "Front desk",
        "email": f"info@{host}",
        "company": name,
        "website": f"http://{host}",
        "message": "We want more wholesale customers and do not know where to start.",
        "consent": True,
        "consent_text": "You may contact me about this.",
    }
    return {field: value for field, value in (body | changes).items() if value is not None}


async def deliver(
    stack: Stack, organization: Organization, body: dict[str, Any], delivery_id: str, *, source: str | None = None
) -> UUID:
    """Put one delivery into the inbox as the API does; a repeat gives the row that is there."""
    [read] = read_leads(body, organization)
    submission = read.submission.model_copy(update={"source": source or read.submission.source})
    key = stack.tenants.key(organization)
    identity = {
        "organization_ids": [organization.id],
        "topics": ["leads"],
        "sources": [submission.source],
        "delivery_ids": [delivery_id],
    }
    async with stack.master.connection() as conn:
        await _drain(
            INBOX.store_deliveries(
                conn,
                **identity,
                content_types=["application/json"],
                raws=[key.seal(json.dumps(body).encode(), raw_context(organization.id))],
                parsed=[key.seal(submission.model_dump_json().encode(), parsed_context(organization.id))],
            )
        )
        [found] = await _drain(INBOX.find_deliveries(conn, **identity))
    return found["id"]


async def fill_inbox(
    stack: Stack, organization: Organization, rows: int, *, state: str = "received", seconds_ago: int = 3600
) -> None:
    """Rows numbered from 1, a second apart, without contents."""
    await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id, received_at, state, finished_at, batch_id)"
        " select %s, 'leads', %s, number, now() - make_interval(secs => %s) + make_interval(secs => number), %s,"
        " case when %s = 'done' then now() end, gen_random_uuid() from generate_series(1, %s) as number",
        organization.id,
        f"form-{state}",
        seconds_ago,
        state,
        state,
        rows,
    )


async def dispatch(conn: Connection, *, row_limit: int = 500, batch_id: UUID | None = None, **place: Any) -> list[UUID]:
    """Give waiting rows to a batch, as the sensor does; the ids of the rows."""
    values = {"crowd_rows": 1000, **PLACE, **place}
    chosen = INBOX.dispatch_batch(conn, **values, batch_id=batch_id or uuid4(), row_limit=row_limit, lease_seconds=120)
    return [row["id"] for row in await _drain(chosen)]


async def claim(stack: Stack, run_id: str = "run-1", **options: Any) -> InboxBatch:
    """One batch of what waits, rows that failed before included, claimed by a run."""
    batch_id = uuid4()
    async with stack.master.connection() as conn:
        for lane in LANES:
            await dispatch(conn, batch_id=batch_id, lane=lane, **options)
    batch = InboxBatch(stack, batch_id, run_id)
    await batch.claim()
    return batch


async def work_through(stack: Stack, run_id: str = "run-1", *, steps: Sequence[Any] = STEPS) -> Worked:
    """One batch of everything that waits through the steps, as a run does. What was given back is due at once."""
    async with stack.master.connection() as conn:
        await conn.execute("update inbox set not_before = now() where state = 'received'")
    batch = await claim(stack, run_id)
    outcomes = {step.__name__: await step(stack, batch) for step in steps}
    return Worked(batch, outcomes, await batch.broken())


def variant(stack: Stack, *, now: Callable[[], datetime] | None = None, **settings: Any) -> Stack:
    """The same databases and vendors under other settings, or at another time."""
    changed = stack.settings.model_copy(update=settings)
    return dataclasses.replace(stack, settings=changed, now=now or stack.now)


def impatient_claude(stack: Stack) -> Claude:
    """The client that waits only as long as the vendor asks."""
    settings = stack.settings
    return Claude(
        base_url=settings.claude_base_url, api_key=settings.claude_key, prices=stack.claude.prices, random=lambda: 0.0
    )


async def tenant_rows(stack: Stack, organization: Organization, query: str, *values: object) -> list[dict[str, Any]]:
    async with stack.tenants.open(organization) as tenant:
        return await _ask(tenant.conn, query, values)


async def master_rows(stack: Stack, query: str, *values: object) -> list[dict[str, Any]]:
    async with stack.master.connection() as conn:
        return await _ask(conn, query, values)


async def count(stack: Stack, organization: Organization, *tables: str) -> dict[str, int]:
    """Rows of some tables of a tenant."""
    query = " union all ".join(f"select '{table}' as name, count(*) as n from {table}" for table in tables)
    return {row["name"]: row["n"] for row in await tenant_rows(stack, organization, query)}


async def inbox_states(stack: Stack) -> list[tuple[str, int, int]]:
    """State, stage and attempts of each row of leads, oldest first."""
    rows = await master_rows(
        stack, "select state, stage, attempts from inbox where topic = 'leads' order by received_at, delivery_id"
    )
    return [(row["state"], row["stage"], row["attempts"]) for row in rows]


def questions(sandbox: Sandbox) -> list[str]:
    """What Claude was asked directly, in order: competitors, business or proposal."""
    return [_kind_of(entry["body"]) for entry in sandbox.journal("claude") if entry["route"] == MESSAGES]


async def assert_books_balance(stack: Stack, organization: Organization) -> None:
    """Nothing is held any more, and what was used is what the answers cost."""
    [paid] = await tenant_rows(
        stack, organization, "select coalesce(sum(cost_usd) * 1000000, 0)::bigint as microusd from ai_generation_log"
    )
    counters = await tenant_rows(stack, organization, "select used, reserved from usage_counters")
    assert counters == [{"used": paid["microusd"], "reserved": 0}]
    held = await tenant_rows(stack, organization, "select count(*) as n from usage_reservations where state = 'held'")
    assert held == [{"n": 0}]


def _kind_of(body: dict[str, Any]) -> str:
    names = body["output_config"]["format"]["schema"]["properties"]
    return "competitors" if "competitors" in names else "business" if "quick_win_1" in names else "proposal"


async def _ask(conn: Connection, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    cursor = await conn.execute(query.encode(), values or None)
    return await cursor.fetchall() if cursor.description else []


async def _drain(rows: Any) -> list[dict[str, Any]]:
    return [row async for row in rows]
