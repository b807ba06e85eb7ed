"""What the tests of the content workflow share: a client with accounts, requests, and runs through the three steps.

Not here: fixtures (`conftest.py`) and assertions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.content_requests import TOPIC, ContentSubmission, read_request
from draggonnb_pipelines.domain.inbox import DeliveryKey
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.inbox import InboxWriter, sealed_delivery
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.content import accept_requests, settle_requests
from draggonnb_pipelines.workflows.content.content_batches import ContentBatch, Outcome
from draggonnb_pipelines.workflows.content.content_writing import generate_posts
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import LANES, MESSAGES, dispatch, tenant_rows

STEPS = (accept_requests, generate_posts, settle_requests)
BRIEF = "Our new filter roast from Ethiopia is here. Come and taste it at the counter."
REQUEST = {"brief": BRIEF, "requested_by": "marketing@client.example"}


@dataclass(frozen=True)
class Worked:
    """What one run did: its batch, and the outcomes by step."""

    batch: ContentBatch
    outcomes: dict[str, list[Outcome]]

    @property
    def problems(self) -> dict[str, list[str]]:
        found = {step: [str(one.problem) for one in of_step if one.problem] for step, of_step in self.outcomes.items()}
        return {step: problems for step, problems in found.items() if problems}


async def connect(stack: Stack, organization: Organization, *platforms: str, status: str = "connected") -> None:
    """Accounts as they are after somebody has connected them."""
    for platform in platforms:
        await tenant_rows(
            stack,
            organization,
            "insert into social_accounts (platform_id, external_id, handle, credentials, status)"
            " values (%s, %s, %s, 'sealed', %s)",
            platform,
            f"{platform}-1",
            f"@{platform}",
            status,
        )


async def ask(stack: Stack, organization: Organization, delivery_id: str = "request-1", **body: Any) -> UUID:
    """Put one request into the inbox as the API does; a repeat gives the row that is there."""
    submission = read_request(REQUEST | body, organization, now=stack.now())
    return await put(stack, organization, delivery_id, submission)


async def put(stack: Stack, organization: Organization, delivery_id: str, submission: ContentSubmission) -> UUID:
    key = DeliveryKey(organization.id, TOPIC, submission.source, delivery_id)
    sealed = sealed_delivery(stack.tenants.key(organization), key, "application/json", b"{}", submission)
    [stored] = await InboxWriter(stack.master).store([sealed])
    return stored.id


async def claim(stack: Stack, run_id: str = "run-1") -> ContentBatch:
    """One batch of all requests that wait, claimed by a run. What was given back is due at once."""
    batch_id = uuid4()
    async with stack.master.connection() as conn:
        await conn.execute("update inbox set not_before = now() where state = 'received'")
        for lane in LANES:
            await dispatch(conn, topic=TOPIC, batch_id=batch_id, lane=lane)
    batch = ContentBatch(stack, batch_id, run_id)
    await batch.claim()
    return batch


async def work_through(stack: Stack, run_id: str = "run-1", *, steps: Sequence[Any] = STEPS) -> Worked:
    """One batch through the steps, as a run does."""
    batch = await claim(stack, run_id)
    return Worked(batch, {step.__name__: await step(stack, batch) for step in steps})


async def request_of(stack: Stack, organization: Organization, request_id: UUID) -> dict[str, Any]:
    [row] = await tenant_rows(stack, organization, "select * from content_requests where id = %s", request_id)
    return row


async def posts(stack: Stack, organization: Organization) -> list[dict[str, Any]]:
    return await tenant_rows(stack, organization, "select * from social_posts order by scheduled_for, id")


async def generations_used(stack: Stack, organization: Organization) -> tuple[int, int]:
    """Used and held places of the monthly limit."""
    rows = await tenant_rows(
        stack, organization, "select used, reserved from usage_counters where metric = 'ai_generations'"
    )
    return (rows[0]["used"], rows[0]["reserved"]) if rows else (0, 0)


async def told(stack: Stack, organization: Organization) -> list[tuple[str, str]]:
    """Mails of the outbox about requests: recipient and what is said, in order of their coming."""
    rows = await tenant_rows(
        stack,
        organization,
        "select recipient, split_part(event_key, ':', 3) as turn from notification_deliveries"
        " where channel = 'email' and event_key like 'content:%%' order by recipient, turn",
    )
    return [(row["recipient"], row["turn"]) for row in rows]


def asked(sandbox: Sandbox) -> list[str]:
    """What Claude was asked, in order: the user's turn of each question."""
    return [
        entry["body"]["messages"][0]["content"] for entry in sandbox.journal("claude") if entry["route"] == MESSAGES
    ]
