"""Many troubles at once, an agency that is away, answers at the last moment: alerts stay few and reach people."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.messages.escalation import escalate, raise_alert
from draggonnb_pipelines.workflows.messages.notices import TENANT, Notice, tell
from draggonnb_pipelines.workflows.publishing.publish_alerts import SETTLED, tell_publish_troubles
from draggonnb_pipelines.workflows.tending import Tended, tend_clients
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import connect
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.outbox import after
from tests.workflows.post_reviews import EDITOR, OWNER, mailed

ADMIN = "admin@draggonnb.example"
THEIR_OWNER = "sales@outsider.example"
NOW = datetime.now(UTC)
OUTAGE = "x: retry: HTTP 503"


def at(stack: Stack, **since: float) -> Stack:
    moment = NOW + timedelta(**since)
    return variant(stack, now=lambda: moment)


async def refuse(stack: Stack, organization: Organization, account_id: UUID, posts: int, why: str = OUTAGE) -> None:
    """So many posts of the account that its network has refused."""
    await tenant_rows(
        stack,
        organization,
        "with posts as (insert into social_posts (title, content, status, content_hash)"
        " select 'Beans ' || n, 'Fresh.', 'draft', '' from generate_series(1, %s) n returning id)"
        " insert into content_queue (post_id, platform_id, account_id, revision, publish_at, due_at, status, attempts,"
        " last_error) select p.id, a.platform_id, a.id, 1, at, at, 'refused', 1, %s"
        " from cast('2026-11-23 07:00+00' as timestamptz) at,  posts p, social_accounts a where a.id = %s",
        posts,
        why,
        account_id,
    )


async def alerts(stack: Stack, organization: Organization) -> list[tuple[str, int, str | None]]:
    query = "select subject, level, acknowledged_by from alerts order by created_at, id"
    rows = await tenant_rows(stack, organization, query)
    return [(row["subject"], row["level"], row["acknowledged_by"]) for row in rows]


@pytest.mark.usefixtures("people")
async def test_five_hundred_posts_refused_in_an_outage_are_one_alert_and_one_mail_a_person(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await refuse(stack, agency, await connect(stack, agency, Platform.X, "kloof"), 500)

    await asyncio.gather(*(tell_publish_troubles(at(stack), agency) for _ in range(4)))
    await tell_publish_troubles(at(stack, minutes=15), agency)

    subject = "500 posts were refused: X, kloof"
    assert mailed(sandbox) == [(who, subject) for who in (ADMIN, EDITOR, OWNER)]
    assert await alerts(stack, agency) == [(subject, 0, None)]
    [mail] = [one for one in sandbox.public("mail") if one["recipient"] == EDITOR]
    assert mail["text"].count(OUTAGE) == 20
    assert "and 480 more" in mail["text"]
    assert await count(stack, outsider, "alerts") == {"alerts": 0}


async def test_what_follows_joins_the_alert_and_is_told_when_it_goes_up(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    account_id = await connect(stack, outsider, Platform.X, "kloof")
    await refuse(stack, outsider, account_id, 1)
    await tell_publish_troubles(at(stack), outsider)
    await refuse(stack, outsider, account_id, 2, "x: input: the text is too long")
    await tell_publish_troubles(at(stack, hours=1), outsider)

    assert mailed(sandbox) == [(THEIR_OWNER, "A post was refused: Beans 1")]
    assert await alerts(stack, outsider) == [("3 posts were refused: X, kloof", 0, None)]

    await escalate(at(stack, hours=4), outsider)
    assert mailed(sandbox)[0] == (OWNER, "Not seen to: Outsider: 3 posts were refused: X, kloof")
    await refuse(stack, outsider, account_id, 1)
    await tell_publish_troubles(at(stack, hours=5), outsider)
    await tell_publish_troubles(at(stack, hours=6), outsider)

    assert [mail for mail in mailed(sandbox) if mail[0] == THEIR_OWNER] == [
        (THEIR_OWNER, "A post was refused: Beans 1")
    ] * 2
    assert [row[1:] for row in await alerts(stack, outsider)] == [(2, None), (0, None)]


async def test_each_account_has_its_own_alert_and_an_answer_is_about_what_was_told(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    one, other = [await connect(stack, agency, Platform.X, name) for name in ("kloof", "beans")]
    for account_id in (one, other):
        await refuse(stack, agency, account_id, 2)
    await tell_publish_troubles(at(stack), agency)
    told = [(OWNER, "2 posts were refused: X, beans"), (OWNER, "2 posts were refused: X, kloof")]
    assert mailed(sandbox) == told

    await tenant_rows(stack, agency, "update alerts set acknowledged_by = 'me', acknowledged_at = now()")
    await tell_publish_troubles(at(stack, minutes=15), agency)
    assert mailed(sandbox) == told
    await refuse(stack, agency, one, 1)
    await tell_publish_troubles(at(stack, minutes=30), agency)

    assert mailed(sandbox) == sorted([*told, (OWNER, "A post was refused: Beans 1")])


async def test_an_alert_closes_when_the_last_of_its_posts_is_taken_up_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await refuse(stack, agency, await connect(stack, agency, Platform.X, "kloof"), 3)
    await tell_publish_troubles(at(stack), agency)
    again = (
        "update content_queue set status = 'scheduled' where post_id in (select id from social_posts where title = %s)"
    )

    for title, expected in (("Beans 1", None), ("Beans 2", None), ("Beans 3", SETTLED)):
        await tenant_rows(stack, agency, again, title)
        await tell_publish_troubles(at(stack, hours=1), agency)
        assert [row[2] for row in await alerts(stack, agency)] == [expected]

    assert len(mailed(sandbox)) == 1


async def test_an_alert_whose_telling_was_cut_off_is_told_by_the_next_look(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await refuse(stack, agency, await connect(stack, agency, Platform.X, "kloof"), 2)
    await tell_publish_troubles(at(stack), agency)
    await tenant_rows(stack, agency, "delete from notification_deliveries")
    sent = len(sandbox.journal("mail"))

    await tell_publish_troubles(at(stack, minutes=15), agency)

    assert len(sandbox.journal("mail")) == sent + 1
    assert len(await alerts(stack, agency)) == 1


@contextmanager
def away(world: World, organization: Organization) -> Iterator[None]:
    """Its database takes no connections."""
    database = Identifier(str(organization.database_name))
    with psycopg.connect(world.dsn, autocommit=True) as conn:
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [organization.database_name]
        )
        try:
            yield
        finally:
            conn.execute(SQL("alter database {} allow_connections true").format(database))


@pytest.fixture
async def editor(stack: Stack, outsider: Organization) -> AsyncIterator[None]:
    """The client has an editor beside its owner."""
    query = "insert into users (organization_id, email, role) values (%s, %s, 'editor')"
    await tenant_rows(stack, outsider, query, outsider.id, EDITOR)
    yield
    await tenant_rows(stack, outsider, "delete from users where email = %s", EDITOR)


@pytest.mark.usefixtures("editor")
async def test_an_agency_that_is_away_holds_up_only_what_is_its_own_turn(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, world: World
) -> None:
    await raise_alert(at(stack), outsider, Notice("a:1", "account_trouble", "First", ("-",), roles=("owner",)))
    await raise_alert(
        at(stack, minutes=1), outsider, Notice("a:2", "account_trouble", "Second", ("-",), roles=("editor",))
    )

    with away(world, agency), pytest.raises(TenantUnavailable, match="draggonnb"):
        await escalate(at(stack, hours=5), outsider)

    assert (THEIR_OWNER, "Not seen to: Second") in mailed(sandbox)
    assert [row[:2] for row in await alerts(stack, outsider)] == [("First", 0), ("Second", 1)]
    await escalate(at(stack, hours=5), outsider)
    assert (OWNER, "Not seen to: Outsider: First") in mailed(sandbox)


async def test_an_answer_while_those_before_it_are_told_keeps_an_alert_from_going_up(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    for number in (1, 2):
        notice = Notice(f"a:{number}", "account_trouble", f"Alert {number}", ("-",), roles=("owner",))
        await raise_alert(at(stack, minutes=number), outsider, notice)
    sandbox.settings(mail_latency_seconds=0.6)

    looking = asyncio.ensure_future(escalate(at(stack, hours=5), outsider))
    await asyncio.sleep(0.3)
    [alert] = await tenant_rows(stack, outsider, "select id from alerts where subject = 'Alert 2'")
    async with stack.tenants.open(outsider) as tenant:
        assert await ALERTS.acknowledge(tenant.conn, id=alert["id"], by="me", now=NOW)

    assert await looking == 1
    assert [mail for mail in mailed(sandbox) if mail[0] == OWNER] == [(OWNER, "Not seen to: Outsider: Alert 1")]
    assert [row[1:] for row in await alerts(stack, outsider)] == [(2, None), (0, "me")]


async def test_where_neither_the_client_nor_the_agency_has_an_owner_the_alert_is_left_for_the_check(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    for organization in (agency, outsider):
        await tenant_rows(stack, organization, "update users set is_active = false")
    try:
        await raise_alert(at(stack), outsider, Notice("a:1", "account_trouble", "Alone", ("-",), roles=("owner",)))
        await escalate(at(stack), outsider)
    finally:
        for organization in (agency, outsider):
            await tenant_rows(stack, organization, "update users set is_active = true")

    assert mailed(sandbox) == []
    [row] = await tenant_rows(stack, outsider, "select level, escalate_at from alerts")
    assert row == {"level": 2, "escalate_at": None}


async def test_who_has_left_is_told_of_no_lead(stack: Stack, agency: Organization) -> None:
    await tenant_rows(stack, agency, "update users set is_active = false")
    try:
        async with stack.tenants.open(agency) as tenant:
            assert [row async for row in TENANT.lead_recipients(tenant.conn)] == []
    finally:
        await tenant_rows(stack, agency, "update users set is_active = true")


async def test_a_suspended_client_hears_that_it_is_though_the_mail_server_was_busy(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 450})
    notice = Notice("s:1", "subscription_suspended", "Your account is suspended", ("Pay.",), roles=("owner",))
    await tell(stack, outsider, [notice])
    assert mailed(sandbox) == []
    await master_rows(stack, "update organizations set status = 'suspended' where slug = 'outsider'")
    try:
        tended = await tend_clients(variant(stack, now=after(minutes=6)))
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'outsider'")

    assert tended == Tended(clients=1)
    assert mailed(sandbox) == [(THEIR_OWNER, "Your account is suspended")]
