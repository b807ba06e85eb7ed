"""One message for each event, recipient and channel, whoever sends at once and whatever is killed in between."""

import asyncio
import os
import random
import subprocess
import sys
import time

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.digests import gather_digests
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting, tell
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows, variant
from tests.workflows.message_work import PHONE, REPORT, outbox, prefer, set_quiet_hours
from tests.workflows.outbox import after, bring_status
from tests.workflows.post_reviews import OWNER


def sender(stack: Stack, organization: Organization, sandbox: Sandbox) -> subprocess.Popen[bytes]:
    """Another process at the same outbox."""
    environment = os.environ | {
        "DRAGGONNB_MASTER_DSN": stack.settings.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_SANDBOX_PORT": str(sandbox.port),
    }
    command = [sys.executable, "-m", "tests.workflows.outbox_worker", organization.slug]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


async def reached(sandbox: Sandbox, vendor: str, entries: int) -> None:
    deadline = time.monotonic() + 20
    while len(sandbox.journal(vendor)) < entries:
        assert time.monotonic() < deadline, f"{vendor} was not reached"
        await asyncio.sleep(0.02)


async def test_a_sender_that_is_killed_between_intent_and_answer_leaves_one_mail_and_one_message(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await set_quiet_hours(stack, agency, "00:00", "23:59")
    await tell(stack, agency, [REPORT])
    await set_quiet_hours(stack, agency, None, None)
    await tenant_rows(stack, agency, "update notification_deliveries set not_before = '-infinity'")
    for route in ("SMTP DATA", "POST /graph/*"):
        sandbox.faults(route, {"kind": "accept_then_hang"})

    process = sender(stack, agency, sandbox)
    await reached(sandbox, "mail", 1)
    await reached(sandbox, "whatsapp", 1)
    process.kill()
    process.wait(10)
    assert [row[2] for row in await outbox(stack, agency)] == ["sending", "sending"]
    assert await send_waiting(stack, agency) == 0
    later = variant(stack, now=after(minutes=5))
    await send_waiting(later, agency)
    [message] = sandbox.public("whatsapp")
    await bring_status(stack, agency, "delivered", message_id=message["id"])
    await send_waiting(later, agency)

    assert await outbox(stack, agency) == [
        ("email", OWNER, "sent", 2, None),
        ("whatsapp", PHONE, "delivered", 1, None),
    ]
    [mail] = sandbox.public("mail")
    assert (mail["recipient"], mail["transmissions"]) == (OWNER, 2)
    assert len({entry["headers"]["message-id"] for entry in sandbox.journal("mail")}) == 1
    assert len(sandbox.public("whatsapp")) == 1


async def test_many_senders_at_once_some_of_them_killed_send_each_message_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(mail_latency_seconds=0.05, whatsapp_latency_seconds=0.05)
    people = tuple(f"reader-{number}@kloof.example" for number in range(10))
    notices = [
        Notice(
            f"weekly_report:{n}",
            "weekly_report",
            f"Week {n}",
            ("-",),
            None,
            None,
            people,
            ("owner",),
            (),
            REPORT.whatsapp,
        )
        for n in range(6)
    ]
    dice = random.Random(7)

    async def one(number: int) -> None:
        task = asyncio.ensure_future(tell(stack, agency, notices) if number % 2 else send_waiting(stack, agency))
        await asyncio.sleep(dice.uniform(0.05, 0.6))
        if number % 3 == 0:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*map(one, range(8)))
    # One that was cut off before WhatsApp had it goes out once the others' statuses show that the channel lives.
    for minutes in (5, 10, 15, 20):
        later = variant(stack, now=after(minutes=minutes))
        for message in sandbox.public("whatsapp"):
            data, message_id = message["callback_data"], message["id"]
            await bring_status(
                stack, agency, "sent", callback_data=data, message_id=message_id, received_at=later.now()
            )
        await send_waiting(later, agency)

    assert len(sandbox.public("mail")) == 6 * 11
    told = [message["callback_data"] for message in sandbox.public("whatsapp")]
    assert len(told) == len(set(told)) == 6
    rows = await outbox(stack, agency)
    assert len(rows) == 6 * 11 + 6
    assert {row[2] for row in rows} == {"sent"}


async def test_a_digest_is_made_once_by_runs_at_once_and_by_one_that_is_cut_off(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "digest")
    await tell(
        stack,
        agency,
        [Notice(f"c:{n}", "content_scheduled", f"Scheduled {n}", ("Fine.",), roles=("owner",)) for n in range(5)],
    )
    tomorrow = variant(stack, now=after(days=2))
    cut = asyncio.ensure_future(gather_digests(tomorrow, agency))
    await asyncio.sleep(0.004)
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)

    await asyncio.gather(*(send_waiting(tomorrow, agency) for _ in range(4)))

    [mail] = sandbox.public("mail")
    assert (mail["subject"], mail["transmissions"]) == ("Draggonnb: 5 messages", 1)
    query = "select distinct status from notification_deliveries where channel = 'email'"
    assert await tenant_rows(stack, agency, query) == [{"status": "sent"}]
