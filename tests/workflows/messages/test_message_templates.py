"""The watch over WhatsApp's templates: each change is told to the agency once, and recorded as it stands."""

import asyncio
import dataclasses
from typing import Any

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import CheckOutcome
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.messages.message_templates import templates_outcome, used_templates, watch_templates
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, master_rows, variant
from tests.workflows.outbox import after
from tests.workflows.post_reviews import OWNER, mailed

REPORT = "weekly_analytics_report"
LIST = "GET /graph/*/message_templates"


async def states(stack: Stack) -> dict[str, str]:
    return {row["name"]: row["status"] for row in await master_rows(stack, "select * from message_templates")}


async def row_of(stack: Stack, name: str) -> dict[str, Any]:
    [row] = await master_rows(stack, "select * from message_templates where name = %s", name)
    return row


async def outcome(stack: Stack) -> CheckOutcome:
    async with stack.master.connection() as conn:
        return await templates_outcome(conn, "en", stack.now())


async def test_the_first_look_records_all_and_tells_nobody_where_all_is_well(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    watched = await watch_templates(stack)

    assert (watched.templates >= 3, watched.changes) == (True, [])
    assert set(used_templates()) <= (await states(stack)).keys()
    assert set((await states(stack)).values()) == {"APPROVED"}
    assert (await row_of(stack, REPORT))["parameters"] == 6
    assert mailed(sandbox) == []
    assert (await outcome(stack)).passed


async def test_a_paused_template_is_told_once_and_so_is_its_return(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await watch_templates(stack)
    since = (await row_of(stack, REPORT))["changed_at"]
    sandbox.whatsapp_template(REPORT, "PAUSED")

    tomorrow = variant(stack, now=after(days=1))
    for _ in range(3):
        await watch_templates(tomorrow)

    paused = (OWNER, f"The WhatsApp template {REPORT} (en) is PAUSED")
    assert mailed(sandbox) == [paused]
    row = await row_of(stack, REPORT)
    assert (row["status"], row["changed_at"] > since) == ("PAUSED", True)
    found = await outcome(tomorrow)
    assert (found.passed, f"{REPORT}: PAUSED" in found.description) == (False, True)
    sandbox.whatsapp_template(REPORT, "APPROVED")
    await watch_templates(variant(stack, now=after(days=2)))
    assert mailed(sandbox) == [(OWNER, f"The WhatsApp template {REPORT} (en) is APPROVED"), paused]
    sandbox.whatsapp_template(REPORT, "PAUSED")
    await watch_templates(variant(stack, now=after(days=3)))
    assert mailed(sandbox).count(paused) == 2
    assert await count(stack, outsider, "notification_deliveries") == {"notification_deliveries": 0}


async def test_a_template_that_we_send_and_nobody_submitted_is_missing_from_the_first_look_on(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.whatsapp_template(REPORT, "MISSING")

    await watch_templates(stack)
    await watch_templates(stack)

    assert (await states(stack))[REPORT] == "MISSING"
    assert mailed(sandbox) == [(OWNER, f"The WhatsApp template {REPORT} (en) is MISSING")]


async def test_a_rejected_one_is_told_with_the_vendors_reason_and_the_next_step(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await watch_templates(stack)
    sandbox.whatsapp_template(REPORT, "REJECTED")

    await watch_templates(variant(stack, now=after(days=1)))

    [mail] = sandbox.public("mail")
    assert "INVALID_FORMAT" in mail["text"]
    assert "submit it again" in mail["text"]
    assert (await row_of(stack, REPORT))["rejected_reason"] == "INVALID_FORMAT"


async def test_looks_at_the_same_time_tell_a_change_once(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await watch_templates(stack)
    sandbox.whatsapp_template(REPORT, "DISABLED")

    await asyncio.gather(*(watch_templates(stack) for _ in range(4)))

    assert mailed(sandbox) == [(OWNER, f"The WhatsApp template {REPORT} (en) is DISABLED")]


async def test_a_list_that_cannot_be_read_changes_nothing(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await watch_templates(stack)
    before = await row_of(stack, REPORT)
    sandbox.faults(LIST, {"kind": "status", "status": 200, "body": {"data": None}}, repeat=True)

    with pytest.raises(VendorError) as raised:
        await watch_templates(variant(stack, now=after(days=1)))

    assert raised.value.error_class is ErrorClass.RETRY
    assert await row_of(stack, REPORT) == before
    assert mailed(sandbox) == []


async def test_a_real_account_without_its_id_is_a_fault_of_the_set_up(stack: Stack) -> None:
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        whatsapp_token=SecretStr("real"),
        whatsapp_app_secret=SecretStr("real"),
    )
    real = dataclasses.replace(stack, settings=settings)

    with pytest.raises(VendorError, match="DRAGGONNB_WHATSAPP_BUSINESS_ACCOUNT_ID is not set") as raised:
        await watch_templates(real)

    assert raised.value.error_class is ErrorClass.CONFIG


async def test_a_check_says_when_nobody_has_looked(stack: Stack, agency: Organization) -> None:
    assert "never looked at" in (await outcome(stack)).description

    await watch_templates(stack)

    assert (await outcome(stack)).passed
    late = await outcome(variant(stack, now=after(hours=37)))
    assert (late.passed, "last looked at" in late.description) == (False, True)
