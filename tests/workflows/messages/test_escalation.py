"""Alerts: told once on each step, up the ladder until somebody answers, each reader under a link of their own."""

import asyncio
import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.acknowledgements import acknowledge, acknowledge_by_text, open_alert
from draggonnb_pipelines.workflows.messages.escalation import escalate, raise_alert
from draggonnb_pipelines.workflows.messages.notices import Notice
from draggonnb_pipelines.workflows.messages.open_alerts import alerts_outcome, open_alerts
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, tenant_rows, variant
from tests.workflows.post_reviews import EDITOR, OWNER, add_people, mailed, remove_people

THEIR_OWNER = "sales@outsider.example"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
NOTICE = Notice(
    event_key="publish:1:needs_review:1:abc",
    type="publish_needs_review",
    subject="A post needs you: Fresh beans",
    lines=("Facebook, Kloof.", "Was it published?"),
    roles=("editor",),
)
SUBJECT = NOTICE.subject


def at(stack: Stack, **since: float) -> Stack:
    moment = NOW + timedelta(**since)
    return variant(stack, now=lambda: moment)


def tokens(sandbox: Sandbox, recipient: str) -> list[str]:
    """The tokens in the alert links of a recipient's mails."""
    mails = [mail for mail in sandbox.public("mail") if mail["recipient"] == recipient]
    return [token for mail in mails for token in re.findall(r"/alerts/([\w.-]+)", mail["text"])[:1]]


async def alert_row(stack: Stack, organization: Organization) -> dict[str, Any]:
    [row] = await tenant_rows(stack, organization, "select * from alerts")
    return row


@pytest.fixture
async def client(stack: Stack, outsider: Organization) -> Any:
    """A client with an editor beside its owner; the agency is next door."""
    await tenant_rows(
        stack,
        outsider,
        "insert into users (organization_id, email, role) values (%s, %s, 'editor')",
        outsider.id,
        EDITOR,
    )
    yield outsider
    await tenant_rows(stack, outsider, "delete from users where email = %s", EDITOR)


async def test_an_alert_climbs_from_its_role_to_the_owner_to_the_agency_and_stops(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)
    seen = [mailed(sandbox)]
    for hours in (1, 4, 5, 8, 12, 100):
        await escalate(at(stack, hours=hours), client)
        seen.append(mailed(sandbox))

    first = (EDITOR, SUBJECT)
    second = (THEIR_OWNER, f"Not seen to: {SUBJECT}")
    third = (OWNER, f"Not seen to: Outsider: {SUBJECT}")
    assert seen == [
        [first],
        [first],
        sorted([first, second]),
        sorted([first, second]),
        *[sorted([first, second, third])] * 3,
    ]
    row = await alert_row(stack, client)
    assert (row["level"], row["escalate_at"], row["acknowledged_at"]) == (2, None, None)
    # Who works at the agency does not stand in the client's database.
    recipients = await tenant_rows(stack, client, "select distinct recipient from notification_deliveries")
    assert OWNER not in {one["recipient"] for one in recipients}
    assert await count(stack, agency, "alerts") == {"alerts": 0}


async def test_raising_it_again_and_at_once_tells_nobody_twice(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await asyncio.gather(*(raise_alert(at(stack), client, NOTICE) for _ in range(5)))
    await raise_alert(at(stack, hours=3), client, NOTICE)

    assert mailed(sandbox) == [(EDITOR, SUBJECT)]
    assert (await alert_row(stack, client))["escalate_at"] == NOW + timedelta(hours=4)


async def test_looks_at_the_same_time_tell_a_step_once(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)

    await asyncio.gather(*(escalate(at(stack, hours=4), client) for _ in range(5)))

    assert mailed(sandbox) == sorted([(EDITOR, SUBJECT), (THEIR_OWNER, f"Not seen to: {SUBJECT}")])
    assert (await alert_row(stack, client))["level"] == 1


async def test_what_is_acknowledged_goes_no_further_and_is_not_told_again(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)
    opened = await open_alert(stack.master, stack.tenants, tokens(sandbox, EDITOR)[0])
    assert opened is not None

    first = await acknowledge(stack.master, stack.tenants, opened, now=NOW)
    second = await acknowledge(stack.master, stack.tenants, opened, now=NOW + timedelta(hours=1))
    await escalate(at(stack, hours=10), client)
    await raise_alert(at(stack, hours=10), client, NOTICE)

    assert (first, second) == (True, False)
    assert mailed(sandbox) == [(EDITOR, SUBJECT)]
    row = await alert_row(stack, client)
    assert (row["acknowledged_by"], row["acknowledged_at"], row["level"]) == (EDITOR, NOW, 0)
    audited = await tenant_rows(stack, client, "select actor from audit_log where action = 'alert.acknowledged'")
    assert [entry["actor"] for entry in audited][-1:] == [f"alert_link:{EDITOR}"]


async def test_a_step_that_would_reach_nobody_new_is_passed_over(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    owners_only = Notice("k1", "account_trouble", "It stands still", ("Connect it again.",), roles=("owner", "admin"))

    await raise_alert(at(stack), outsider, owners_only)
    await escalate(at(stack, hours=4), outsider)

    assert mailed(sandbox) == sorted(
        [(THEIR_OWNER, "It stands still"), (OWNER, "Not seen to: Outsider: It stands still")]
    )
    assert (await alert_row(stack, outsider))["level"] == 2


async def test_an_alert_that_reaches_nobody_goes_up_with_the_next_look(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await raise_alert(at(stack), outsider, NOTICE)  # there is no editor
    assert mailed(sandbox) == []

    await escalate(at(stack), outsider)

    assert mailed(sandbox) == [(THEIR_OWNER, f"Not seen to: {SUBJECT}")]


async def test_the_agencys_own_alerts_end_with_its_owners(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await add_people(stack, agency)
    try:
        await raise_alert(at(stack), agency, NOTICE)
        for hours in (4, 8, 12):
            await escalate(at(stack, hours=hours), agency)
    finally:
        await remove_people(stack, agency)

    assert mailed(sandbox) == sorted([(EDITOR, SUBJECT), (OWNER, f"Not seen to: {SUBJECT}")])
    row = await alert_row(stack, agency)
    assert (row["level"], row["escalate_at"]) == (2, None)


async def test_what_a_kill_cut_off_between_telling_and_recording_is_told_once(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)
    await escalate(at(stack, hours=4), client)
    await tenant_rows(stack, client, "update alerts set level = 0, escalate_at = %s", NOW + timedelta(hours=4))

    await escalate(at(stack, hours=4.2), client)

    assert mailed(sandbox) == sorted([(EDITOR, SUBJECT), (THEIR_OWNER, f"Not seen to: {SUBJECT}")])
    assert (await alert_row(stack, client))["level"] == 1


async def test_a_link_opens_its_own_alert_and_nothing_else(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)
    [token] = tokens(sandbox, EDITOR)
    slug, _, sealed = token.partition(".")
    others = [f"draggonnb.{sealed}", f"nobody.{sealed}", f"{slug}.{sealed[:-4]}AAAA", slug, f"{slug}.", f"{slug}.ü"]

    opened = await open_alert(stack.master, stack.tenants, token)
    strangers = [await open_alert(stack.master, stack.tenants, other) for other in (*others, "a." + "b" * 5000)]

    assert opened is not None
    assert (opened.alert["subject"], opened.reader, opened.may_answer) == (SUBJECT, EDITOR, True)
    assert strangers == [None] * 7


async def test_who_has_left_may_not_answer_any_more(stack: Stack, sandbox: Sandbox, client: Organization) -> None:
    await raise_alert(at(stack), client, NOTICE)
    await tenant_rows(stack, client, "update users set is_active = false where email = %s", EDITOR)

    opened = await open_alert(stack.master, stack.tenants, tokens(sandbox, EDITOR)[0])

    assert opened is not None
    assert not opened.may_answer
    assert not await acknowledge(stack.master, stack.tenants, opened, now=NOW)
    assert (await alert_row(stack, client))["acknowledged_at"] is None


async def test_the_agencys_answer_is_recorded_under_its_name_and_by_person_in_its_own_log(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await raise_alert(at(stack), outsider, Notice("k2", "account_trouble", "Still", ("Why.",), roles=("owner",)))
    await escalate(at(stack, hours=4), outsider)
    [token] = tokens(sandbox, OWNER)
    opened = await open_alert(stack.master, stack.tenants, token)
    assert opened is not None

    assert await acknowledge(stack.master, stack.tenants, opened, now=NOW)

    assert (await alert_row(stack, outsider))["acknowledged_by"] == "Draggonnb"
    async with stack.master.connection() as conn:
        cursor = await conn.execute("select actor from audit_log where action = 'alert.acknowledged'")
        assert [row["actor"] for row in await cursor.fetchall()][-1] == f"alert_link:{OWNER}"


async def test_the_check_finds_what_went_all_the_way_up(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)
    waiting = await alerts_outcome(stack)
    for hours in (4, 8):
        await escalate(at(stack, hours=hours), client)

    unseen = await alerts_outcome(stack)

    assert (waiting.passed, unseen.passed) == (True, False)
    assert unseen.description == "1 alerts went all the way up, and nobody has answered"
    [(slug, alert)], away = await open_alerts(stack.master, stack.tenants)
    assert (slug, alert["subject"], away) == ("outsider", SUBJECT, [])
    assert (await open_alerts(stack.master, stack.tenants, "draggonnb")) == ([], [])


async def test_the_mail_has_the_text_that_answers_where_whatsapp_is_ours(
    stack: Stack, sandbox: Sandbox, agency: Organization, client: Organization
) -> None:
    await raise_alert(at(stack), client, NOTICE)
    real = variant(at(stack), whatsapp_token=SecretStr("t"))
    await raise_alert(real, client, dataclasses.replace(NOTICE, event_key="publish:2"))

    rows = await tenant_rows(stack, client, "select event_key, id from alerts")
    code = {row["event_key"]: str(row["id"])[:8] for row in rows}["publish:2"]
    texts = [" ".join(mail["text"].split()) for mail in sandbox.public("mail")]
    said = f"by WhatsApp to our number: ack outsider {code}"
    assert [said in text for text in texts] in ([False, True], [True, False])
    assert sum("WhatsApp" in text for text in texts) == 1
    async with stack.tenants.open(client) as tenant:
        await tenant.conn.execute("update users set phone_e164 = '+27820000009' where email = %s", [EDITOR])
    assert await acknowledge_by_text(stack.master, stack.tenants, "+27820000009", f"ack outsider {code}", now=NOW)
    left = await tenant_rows(stack, client, "select event_key from alerts where acknowledged_at is null")
    assert left == [{"event_key": NOTICE.event_key}]
