"""What all clients share at a network: divided fairly, silence that is asked for is kept, a stop is for everybody."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Limits, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA
from draggonnb_pipelines.workflows.publishing.publish_quotas import Quotas, load_quotas
from draggonnb_pipelines.workflows.publishing.publishing import publish_due
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows
from tests.workflows.publish_work import approve, connect, make_due, publish, queue, statuses

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
ALL = list(Platform)
WITHOUT_X = [Platform.FACEBOOK, Platform.INSTAGRAM, Platform.LINKEDIN]
WITHOUT_META = [Platform.LINKEDIN, Platform.X]


def test_ten_posts_that_are_left_are_two_for_each_of_five_clients() -> None:
    quotas = Quotas(5, remaining={"x": 10})
    sent: Counter[UUID] = Counter()

    for client in (uuid4() for _ in range(5)):
        while Platform.X in quotas.open_platforms(client, NOW):
            assert quotas.most_at_once(client, NOW) == 2 - sent[client]
            quotas.sent(Platform.X, client)
            sent[client] += 1

    assert list(sent.values()) == [2, 2, 2, 2, 2]


def test_with_less_than_one_for_each_everybody_may_try_once() -> None:
    quotas, client = Quotas(5, remaining={"x": 3}), uuid4()

    assert quotas.open_platforms(client, NOW) == ALL
    quotas.sent(Platform.X, client)

    assert quotas.open_platforms(client, NOW) == WITHOUT_X
    assert quotas.open_platforms(uuid4(), NOW) == ALL


def test_a_spent_quota_opens_with_its_window_and_is_shared_again_in_it() -> None:
    quotas, client = Quotas(2), uuid4()
    resets_at = NOW + timedelta(hours=3)

    quotas.note(Platform.X, Limits(app_remaining=0, app_resets_at=resets_at), NOW)
    assert quotas.open_platforms(client, NOW) == WITHOUT_X
    assert quotas.reopens_at(NOW) == NOW + timedelta(minutes=15)
    assert quotas.reopens_at(resets_at - timedelta(minutes=5)) == resets_at
    assert quotas.open_platforms(client, resets_at) == ALL
    quotas.note(Platform.X, Limits(app_remaining=4, app_resets_at=resets_at + timedelta(days=1)), resets_at)

    for _ in range(2):
        assert quotas.open_platforms(client, resets_at) == ALL
        quotas.sent(Platform.X, client)
    assert quotas.open_platforms(client, resets_at) == WITHOUT_X


@pytest.mark.parametrize(("percent", "is_open"), [(94.9, True), (95.0, False), (120.0, False)])
def test_metas_percentage_closes_facebook_and_instagram_together(percent: float, is_open: bool) -> None:
    quotas = Quotas(1)

    quotas.note(Platform.FACEBOOK, Limits(app_percent=percent), NOW)

    assert quotas.open_platforms(uuid4(), NOW) == (ALL if is_open else WITHOUT_META)
    assert quotas.open_platforms(uuid4(), NOW + timedelta(hours=1)) == ALL


async def test_what_one_run_learned_holds_for_the_next_and_an_old_silence_is_forgotten(stack: Stack) -> None:
    now = stack.now()
    first = await load_quotas(stack.master, clients=1)
    first.note(Platform.X, Limits(app_remaining=0, app_resets_at=now + timedelta(hours=1)), now)
    first.note(Platform.FACEBOOK, Limits(app_percent=12.0), now)
    await first.save(stack.master)
    await first.save(stack.master)

    second = await load_quotas(stack.master, clients=1)
    assert second.open_platforms(uuid4(), now) == WITHOUT_X
    async with stack.master.connection() as conn:
        await conn.execute("update app_quotas set resume_at = now() - interval '1 second' where vendor = 'x'")
    third = await load_quotas(stack.master, clients=1)
    third.note(Platform.X, Limits(app_remaining=7), stack.now())
    await third.save(stack.master)

    rows = await master_rows(stack, "select vendor, remaining, used_percent, resume_at from app_quotas order by 1")
    assert rows == [
        {"vendor": "meta", "remaining": None, "used_percent": 12.0, "resume_at": None},
        {"vendor": "x", "remaining": 7, "used_percent": None, "resume_at": None},
    ]


async def test_runs_at_the_same_time_learn_from_each_other_what_is_full_and_what_a_person_lifted(stack: Stack) -> None:
    now = stack.now()
    first, second = [await load_quotas(stack.master, clients=1) for _ in range(2)]
    first.note(Platform.X, Limits(app_remaining=0, app_resets_at=now + timedelta(hours=2)), now)
    first.stop(Platform.LINKEDIN, VendorError("linkedin", ErrorClass.CONFIG, "the version has ended"))

    await first.exchange(stack.master)
    await second.exchange(stack.master)

    assert second.open_platforms(uuid4(), now) == [Platform.FACEBOOK, Platform.INSTAGRAM]
    async with stack.master.connection() as conn:
        await AGENDA.resume_vendor(conn, vendor="linkedin")
    for quotas in (first, second):
        await quotas.exchange(stack.master)
        assert quotas.open_platforms(uuid4(), now) == WITHOUT_X


async def test_what_cannot_be_saved_is_kept_for_the_next_time(stack: Stack) -> None:
    now = stack.now()
    quotas = await load_quotas(stack.master, clients=1)
    quotas.note(Platform.X, Limits(app_remaining=0, app_resets_at=now + timedelta(hours=2)), now)
    quotas.stop(Platform.LINKEDIN, VendorError("linkedin", ErrorClass.CONFIG, "the version has ended"))
    async with MasterDb(stack.master.dsn) as closed:
        pass

    with pytest.raises(psycopg.Error):
        await quotas.exchange(closed)
    await quotas.exchange(stack.master)

    rows = await master_rows(stack, "select vendor, remaining, stopped_reason from app_quotas order by 1")
    assert rows == [
        {"vendor": "linkedin", "remaining": None, "stopped_reason": "linkedin: config: the version has ended"},
        {"vendor": "x", "remaining": 0, "stopped_reason": None},
    ]


async def test_what_is_noted_while_the_others_are_asked_is_newer_than_what_they_say(stack: Stack) -> None:
    now, client = stack.now(), uuid4()
    quotas = await load_quotas(stack.master, clients=1)
    async with stack.master.connection() as conn:
        await AGENDA.note_quota(conn, vendor="x", remaining=5, used_percent=None, resume_at=now - timedelta(hours=1))
        await conn.execute("begin; lock table app_quotas")
        asking = asyncio.create_task(quotas.exchange(stack.master))
        await asyncio.sleep(0.3)
        quotas.note(Platform.X, Limits(app_remaining=0, app_resets_at=now + timedelta(hours=2)), now)
        quotas.stop(Platform.LINKEDIN, VendorError("linkedin", ErrorClass.CONFIG, "the version has ended"))
        await conn.execute("commit")
    await asking

    assert quotas.open_platforms(client, now) == [Platform.FACEBOOK, Platform.INSTAGRAM]
    await quotas.exchange(stack.master)
    assert (await load_quotas(stack.master, clients=1)).open_platforms(client, now) == [
        Platform.FACEBOOK,
        Platform.INSTAGRAM,
    ]


async def test_a_client_with_many_posts_sends_its_share_and_leaves_the_rest_to_the_others(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    for organization in (agency, outsider):
        await connect(stack, organization, Platform.X)
        for number in range(3):
            await approve(stack, organization, f"{organization.slug} {number}", platforms=("x",))
        await enqueue_ready(stack, organization)
    async with stack.master.connection() as conn:
        await AGENDA.note_quota(conn, vendor="x", remaining=4, used_percent=None, resume_at=None)

    clients = await publish_due(stack, str(uuid4()), [agency.slug, outsider.slug])

    assert {client.organization.slug: client.tally.published for client in clients} == {"draggonnb": 2, "outsider": 2}
    assert len(sandbox.public("x")) == 4
    for organization in (agency, outsider):
        rows = await queue(stack, organization)
        assert sorted(row["status"] for row in rows) == ["published", "published", "scheduled"]
        assert {row["attempts"] for row in rows if row["status"] == "scheduled"} == {0}


async def test_a_full_app_at_meta_waits_while_the_other_networks_go_on(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    sandbox.settings(facebook_app_percent=96.0)
    await connect(stack, agency, Platform.FACEBOOK, Platform.X)
    await approve(stack, agency, "First.", platforms=("facebook",))
    await publish(stack, agency)
    await approve(stack, agency, "Second.", platforms=("facebook", "x"))

    client = await publish(stack, agency)

    first, second, third = await queue(stack, agency)
    assert (first["status"], second["status"], third["status"]) == ("published", "scheduled", "published")
    assert len(sandbox.public("facebook")) == len(sandbox.public("x")) == 1
    assert client.next_due_at is not None
    assert timedelta(minutes=14) < client.next_due_at - stack.now() <= timedelta(minutes=15)


async def test_a_version_that_ended_stops_the_network_for_every_client_until_it_is_resumed(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    sandbox.settings(linkedin_versions="209901")
    for organization in (agency, outsider):
        await connect(stack, organization, Platform.LINKEDIN, Platform.X)
        await approve(stack, organization, "For two networks.", platforms=("linkedin", "x"))
    await publish(stack, agency)
    asked = len(sandbox.journal("linkedin"))

    await publish(stack, outsider)

    assert statuses(await queue(stack, agency)) == {"linkedin": "scheduled", "x": "published"}
    assert statuses(await queue(stack, outsider)) == {"linkedin": "scheduled", "x": "published"}
    assert len(sandbox.journal("linkedin")) == asked
    [stopped] = await master_rows(stack, "select vendor, stopped_reason from app_quotas where stopped_reason > ''")
    assert stopped["vendor"] == "linkedin"
    assert "426" in stopped["stopped_reason"]
    accounts = await queue_accounts(stack, agency)
    assert accounts == {"linkedin": "connected", "x": "connected"}

    sandbox.settings(linkedin_versions=stack.settings.linkedin_version)
    async with stack.master.connection() as conn:
        await AGENDA.resume_vendor(conn, vendor="linkedin")
    for organization in (agency, outsider):
        await make_due(stack, organization)
        await publish(stack, organization)
        assert statuses(await queue(stack, organization)) == {"linkedin": "published", "x": "published"}


async def queue_accounts(stack: Stack, organization: Organization) -> dict[str, str]:
    async with stack.tenants.open(organization) as tenant:
        found = await tenant.conn.execute("select platform_id, status from social_accounts")
        return {row["platform_id"]: row["status"] for row in await found.fetchall()}


def test_a_stop_says_which_error_it_was() -> None:
    quotas = Quotas(1)

    quotas.stop(Platform.INSTAGRAM, VendorError("instagram", ErrorClass.CONFIG, "HTTP 400, code 2635"))

    assert quotas.stopped == {"meta": "instagram: config: HTTP 400, code 2635"}
    assert quotas.open_platforms(uuid4(), NOW) == WITHOUT_META
