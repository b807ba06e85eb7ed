"""Collecting when something is wrong: a trouble stays where it is, is told with its next step, and is made up for."""

import asyncio
import os
import signal
import sys
from datetime import datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics import collection_reading
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.collection_work import OF_X, SIX, at, ids_of, key, lookups, make_public, next_times, readings
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, master_rows, tenant_rows
from tests.workflows.publish_work import account_id_of, connect

SEVEN = SIX + timedelta(hours=1)
TOMORROW = SIX + timedelta(days=1)
FACEBOOK_AND_X = (Platform.FACEBOOK, Platform.X)


async def two_platforms(stack: Stack, sandbox: Sandbox, organization: Organization) -> None:
    accounts = await connect(stack, organization, *FACEBOOK_AND_X)
    for platform, account_id in accounts.items():
        await make_public(stack, sandbox, organization, account_id, platform, *ids_of(platform, organization, 2))


async def agenda_of(stack: Stack, organization: Organization) -> tuple[datetime, int]:
    [row] = await master_rows(
        stack, "select measure_at, failures from analytics_agenda where organization_id = %s", organization.id
    )
    return row["measure_at"], row["failures"]


async def until_asked(sandbox: Sandbox) -> None:
    """X was asked for posts, and has not answered yet."""
    async with asyncio.timeout(30):
        while True:
            if lookups(sandbox):
                return
            await asyncio.sleep(0.02)


async def test_a_platform_that_asks_for_an_hour_of_silence_fails_alone_and_is_made_up_for_then(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await two_platforms(stack, sandbox, agency)
    sandbox.faults(OF_X, {"kind": "rate_limit", "retry_after": 3600})

    first = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])
    too_early = await collect_metrics(at(stack, SIX + timedelta(minutes=10)), "run-2", [key(agency)])
    noted = await agenda_of(stack, agency)
    then = await collect_metrics(at(stack, SEVEN), "run-3", [key(agency)])

    reason = "x: throttled: HTTP 429; it is asked again at 2026-12-01 07:00 UTC"
    assert (first.failed, first.goes_on) == ({key(agency): reason}, {key(agency)})
    assert (too_early.failed, too_early.goes_on) == ({key(agency): reason}, {key(agency)})
    assert noted == (SEVEN, 2)
    assert (then.failed, then.done[key(agency)].rows) == ({}, 4)
    assert lookups(sandbox) == 2
    stored = [(row["platform_id"], row["collected_at"]) for row in await readings(stack, agency)]
    assert sorted(stored) == [("facebook", SIX)] * 2 + [("x", SEVEN)] * 2
    assert set((await next_times(stack, agency)).values()) == {TOMORROW}
    assert await agenda_of(stack, agency) == (TOMORROW, 0)


async def test_a_token_revoked_overnight_marks_its_account_and_keeps_failing_until_it_is_connected_anew(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await two_platforms(stack, sandbox, agency)
    page = account_id_of(agency, Platform.FACEBOOK)
    sandbox.social_account("facebook", page, f"sandbox-{page}")
    sandbox.social_revoke("facebook", f"sandbox-{page}")

    first = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])
    next_day = await collect_metrics(at(stack, TOMORROW), "run-2", [key(agency, 1)])

    [reason] = first.failed.values()
    assert reason.startswith("facebook: the account is reconnect_needed; connect the account anew (facebook: auth: ")
    assert next_day.failed.keys() == next_day.goes_on == {key(agency, 1)}
    accounts = await tenant_rows(stack, agency, "select platform_id, status from social_accounts order by 1")
    assert [row["status"] for row in accounts] == ["reconnect_needed", "connected"]
    assert [row["platform_id"] for row in await readings(stack, agency)] == ["x"] * 4
    calls = len(sandbox.journal("facebook"))
    await collect_metrics(at(stack, TOMORROW), "run-3", [key(agency, 1)])
    assert len(sandbox.journal("facebook")) == calls

    sandbox.social_account("facebook", page, f"sandbox-{page}")
    await connect(stack, agency, Platform.FACEBOOK)
    healed = await collect_metrics(at(stack, TOMORROW), "run-4", [key(agency, 1)])
    assert healed.failed == {}
    assert [row["platform_id"] for row in await readings(stack, agency)].count("facebook") == 2


async def test_an_account_that_the_client_took_away_is_no_trouble(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await two_platforms(stack, sandbox, agency)
    await tenant_rows(
        stack,
        agency,
        "update social_accounts set status = 'disconnected', credentials = null where platform_id = 'x' returning id",
    )

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    assert (report.failed, report.done[key(agency)].rows, lookups(sandbox)) == ({}, 2, 0)
    assert await agenda_of(stack, agency) == (TOMORROW, 0)


async def test_a_post_that_was_deleted_at_the_platform_is_noted_as_gone_and_not_asked_for_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    there, gone = ids_of(Platform.X, agency, 2)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, there)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, gone)
    await stack.platforms[Platform.X].delete(account(agency), gone)

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    assert "| x | 2 | 1 | 0 | 2 | 1 | 0.001 |" in report.done[key(agency)].metadata["platforms"].text
    stored = {row["post"]: (row["is_gone"], row["counts"] == {}) for row in await readings(stack, agency)}
    assert stored == {there: (False, False), gone: (True, True)}
    assert await next_times(stack, agency) == {there: TOMORROW, gone: None}


def account(organization: Organization) -> Account:
    external_id = account_id_of(organization, Platform.X)
    return Account(Platform.X, external_id, f"sandbox-{external_id}")


async def test_an_answer_in_part_is_kept_and_says_what_is_missing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    first, second = ids_of(Platform.X, agency, 2)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, first, second)
    counts = {"impression_count": 40, "like_count": None, "retweet_count": 2, "reply_count": "no", "moods": {"a": 1}}
    body = {"data": [{"id": first, "text": "", "public_metrics": counts}]}
    sandbox.faults(OF_X, {"kind": "status", "status": 200, "body": body})

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    metadata = report.done[key(agency)].metadata
    assert metadata["posts measured"] == 1
    assert "| x | reactions | 1 |" in metadata["missing"].text
    assert len(metadata["not read"]) == 1
    [row] = await readings(stack, agency)
    assert (row["post"], row["counts"]) == (first, {"views": 40, "shares": 2})
    assert row["missing"].keys() == {"reactions", "comments", "saves", "quotes"}
    assert await next_times(stack, agency) == {first: TOMORROW, second: SIX + timedelta(minutes=30)}


async def test_one_client_whose_database_is_away_fails_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await two_platforms(stack, sandbox, agency)
    name = "update organizations set database_name = %s where slug = 'outsider' returning id"
    await master_rows(stack, name, "there_is_no_such_database")
    try:
        report = await collect_metrics(at(stack, SIX), "run-1", [key(outsider), key(agency)])
    finally:
        await master_rows(stack, name, outsider.database_name)

    assert report.done[key(agency)].rows == 4
    assert report.failed.keys() == {key(outsider)}
    assert "database unavailable" in report.failed[key(outsider)]
    assert report.goes_on == frozenset()
    assert await agenda_of(stack, outsider) == (SIX + timedelta(minutes=10), 1)
    assert await agenda_of(stack, agency) == (TOMORROW, 0)
    assert await count(stack, outsider, "platform_metrics") == {"platform_metrics": 0}


async def test_a_platform_that_answers_nobody_is_soon_not_asked_any_more(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_reading, "SILENCE_AFTER", 1)
    monkeypatch.setattr("draggonnb_pipelines.workflows.analytics.collection.CLIENTS_AT_ONCE", 1)
    for organization in (agency, outsider):
        await two_platforms(stack, sandbox, organization)
    sandbox.faults(OF_X, {"kind": "rate_limit", "retry_after": 3600}, repeat=True)

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency), key(outsider)])

    assert lookups(sandbox) == 1
    assert report.failed.keys() == report.goes_on == {key(agency), key(outsider)}
    for organization in (agency, outsider):
        assert [row["platform_id"] for row in await readings(stack, organization)] == ["facebook"] * 2
        assert await agenda_of(stack, organization) == (SEVEN, 1)


@pytest.mark.parametrize("is_stopped", [True, False])
async def test_a_stop_and_a_silence_that_publishing_has_learned_hold_for_reading_too(
    stack: Stack, sandbox: Sandbox, agency: Organization, is_stopped: bool
) -> None:
    await two_platforms(stack, sandbox, agency)
    async with stack.master.connection() as conn:
        if is_stopped:
            await AGENDA.stop_vendor(conn, vendor="meta", reason="the version has ended")
        else:
            until = SIX + timedelta(minutes=20)
            await AGENDA.note_quota(conn, vendor="meta", remaining=None, used_percent=99, resume_at=until)

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    [reason] = report.failed.values()
    assert reason == (
        "facebook: config: everything there is stopped: the version has ended;"
        " mend the set-up of our app there; it is asked again at 2026-12-01 07:00 UTC"
        if is_stopped
        else "facebook: throttled: our app's quota is used up; it is asked again at 2026-12-01 06:20 UTC"
    )
    assert sandbox.journal("facebook") == []
    assert [row["platform_id"] for row in await readings(stack, agency)] == ["x", "x"]


async def test_a_right_that_only_reading_lacks_does_not_hold_the_posts_of_the_account(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await two_platforms(stack, sandbox, agency)
    sandbox.faults(OF_X, {"kind": "status", "status": 403, "body": {"type": "about:blank", "detail": "Forbidden"}})

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    assert report.failed == {
        key(agency): "x: permission: HTTP 403; connect the account anew, with the right to read its numbers;"
        " it is asked again at 2026-12-02 06:00 UTC"
    }
    accounts = await tenant_rows(stack, agency, "select status from social_accounts")
    assert [row["status"] for row in accounts] == ["connected", "connected"]


async def test_a_run_that_is_killed_while_a_platform_is_asked_is_made_up_for_by_the_next_one(
    stack: Stack, world: World, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await two_platforms(stack, sandbox, agency)
    sandbox.faults(OF_X, {"kind": "latency", "seconds": 30})
    environment = os.environ | {
        "DRAGGONNB_MASTER_DSN": world.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_SANDBOX_PORT": str(sandbox.port),
    }
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.workflows.collection_worker", agency.slug, SIX.isoformat(),
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await until_asked(sandbox)
    worker.send_signal(signal.SIGKILL)
    assert (await worker.communicate())[0] == b""
    assert await readings(stack, agency) == []

    async with asyncio.timeout(10):  # the server lets a closed connection's lock go a moment later
        while True:
            report = await collect_metrics(at(stack, SIX), "run-2", [key(agency)])
            if not report.waiting:
                break
            await asyncio.sleep(0.05)

    assert report.done[key(agency)].rows == 4
    assert {row["run_id"] for row in await readings(stack, agency)} == {"run-2"}
    assert len({row["post"] for row in await readings(stack, agency)}) == 4
    assert set((await next_times(stack, agency)).values()) == {TOMORROW}
    assert await count(stack, outsider, "platform_metrics") == {"platform_metrics": 0}


async def test_what_another_run_has_claimed_since_is_not_stored_twice(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    [post] = ids_of(Platform.X, agency, 1)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, post)
    sandbox.faults(OF_X, {"kind": "latency", "seconds": 1.0})
    slow = asyncio.create_task(collect_metrics(at(stack, SIX), "slow", [key(agency)]))
    await until_asked(sandbox)

    late = SIX + timedelta(minutes=16)  # the lease is over
    await collect_metrics(at(stack, late), "quick", [key(agency)])
    await slow

    assert [(row["run_id"], row["collected_at"]) for row in await readings(stack, agency)] == [("quick", late)]
    assert await next_times(stack, agency) == {post: TOMORROW}
