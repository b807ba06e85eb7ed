"""The lead workflow, step by step, against a real database and the vendor sandbox."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.lead_shapes import read_leads
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.lead_analyses import analyse_businesses, analyse_competitors
from draggonnb_pipelines.workflows.lead_batches import INBOX, InboxBatch, Outcome
from draggonnb_pipelines.workflows.leads import capture_leads, research_companies
from draggonnb_pipelines.workflows.notifications import notify_sales
from draggonnb_pipelines.workflows.proposals import write_proposals
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox

STEPS = (capture_leads, research_companies, analyse_competitors, analyse_businesses, write_proposals, notify_sales)


@pytest.fixture
async def stack(master_dsn: str, sandbox: Sandbox) -> AsyncIterator[Stack]:
    sandbox.settings(claude_latency_seconds=0.0)
    settings = Settings(
        _env_file=None,
        master_dsn=master_dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=sandbox.port,
        retry_base_seconds=0.001,
        notification_settle_seconds=1,
    )
    async with open_stack(settings) as opened:
        yield opened


async def deliver(stack: Stack, organization: Organization, body: dict[str, object], delivery_id: str) -> UUID:
    """Put one delivery into the inbox as the API does."""
    [read] = read_leads(body, organization)
    key = stack.tenants.key(organization)
    async with stack.master.connection() as conn:
        row = await (
            await conn.execute(
                "insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, raw_sealed)"
                " values (%s, 'leads', %s, %s, %s, %s) returning id",
                [
                    organization.id,
                    read.submission.source,
                    delivery_id,
                    key.seal(read.submission.model_dump_json().encode(), parsed_context(organization.id)),
                    key.seal(json.dumps(body).encode(), f"inbox:raw:{organization.id}"),
                ],
            )
        ).fetchone()
    assert row is not None
    return row["id"]


async def work_through(stack: Stack, run_id: str = "run-1") -> dict[str, list[Outcome]]:
    """One batch through all six steps, as a run does."""
    batch_id = uuid4()
    async with stack.master.connection() as conn:
        place = {"topic": "leads", "shards": 1, "shard": 0}
        async for _ in INBOX.dispatch_batch(conn, **place, batch_id=batch_id, row_limit=500, lease_seconds=120):
            pass
    batch = InboxBatch(stack, batch_id, run_id)
    await batch.claim()
    outcomes = {step.__name__: await step(stack, batch) for step in STEPS}
    assert await batch.broken() == {}
    return outcomes


async def test_a_web_form_becomes_a_lead_with_three_quick_wins_a_proposal_and_one_message_per_channel(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    body = {
        "name": "Front desk",
        "email": "info@kloof-street-coffee.example",
        "phone": "082 123 4567",
        "company": "Kloof Street Coffee",
        "website": "http://kloof-street-coffee.example",
        "message": "We want more wholesale customers and do not know where to start.",
        "consent": True,
        "consent_text": "You may contact me about this.",
    }
    await deliver(stack, agency, body, "form-1")

    outcomes = await work_through(stack)

    assert {name: [str(o.problem) for o in part if o.problem] for name, part in outcomes.items()} == {
        step.__name__: [] for step in STEPS
    }
    async with stack.tenants.open(agency) as tenant:
        lead = await (await tenant.conn.execute("select * from leads")).fetchone()
        wins = await (
            await tenant.conn.execute(
                "select jsonb_array_length(content -> 'quick_wins') as n from lead_analyses where kind = 'business'"
            )
        ).fetchone()
        states = await (
            await tenant.conn.execute("select channel, status from notification_deliveries order by channel")
        ).fetchall()
    assert lead is not None
    assert lead["status"] == "proposed"
    assert wins == {"n": 3}
    assert states == [
        {"channel": "email", "status": "sent"},
        {"channel": "in_app", "status": "delivered"},
        {"channel": "whatsapp", "status": "sent"},
    ]
    assert len(sandbox.public("mail")) == 1
    assert len(sandbox.public("whatsapp")) == 1
    async with stack.tenants.open(outsider) as tenant:
        assert await (await tenant.conn.execute("select count(*) as n from leads")).fetchone() == {"n": 0}
    assert datetime.now(UTC) > lead["received_at"]
