"""The lead workflow from one end to the other, against a real database and the vendor sandbox."""

from datetime import UTC, datetime

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, deliver, enquiry, inbox_states, questions, tenant_rows, work_through


async def test_a_web_form_becomes_a_lead_with_three_quick_wins_a_proposal_and_one_message_per_channel(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await deliver(stack, agency, enquiry(phone="082 123 4567"), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    assert worked.broken == {}
    [lead] = await tenant_rows(stack, agency, "select * from leads")
    assert lead["status"] == "proposed"
    assert lead["received_at"] < datetime.now(UTC)
    assert await tenant_rows(
        stack,
        agency,
        "select jsonb_array_length(content -> 'quick_wins') as n from lead_analyses where kind = 'business'",
    ) == [{"n": 3}]
    assert await tenant_rows(stack, agency, "select channel, status from notification_deliveries order by channel") == [
        {"channel": "email", "status": "sent"},
        {"channel": "in_app", "status": "delivered"},
        {"channel": "whatsapp", "status": "sent"},
    ]
    assert len(sandbox.public("mail")) == 1
    assert len(sandbox.public("whatsapp")) == 1
    assert questions(sandbox) == ["competitors", "business", "proposal"]
    assert await inbox_states(stack) == [("done", 6, 0)]
    assert await count(stack, outsider, "leads", "contacts", "proposals") == {"leads": 0, "contacts": 0, "proposals": 0}
