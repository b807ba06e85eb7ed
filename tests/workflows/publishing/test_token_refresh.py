"""Tokens are renewed ahead of their end; a refresh token that is good for one use is never used twice."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.accounts import open_token
from draggonnb_pipelines.workflows.publishing.token_refresh import (
    LEASE_SECONDS,
    RETRY_AFTER,
    refresh_account,
    refresh_due,
)
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import (
    TOKEN_ENDPOINT,
    account_row,
    connect,
    later,
    mails,
    refreshes,
    schedule_post,
    tokens_of,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import tenant_rows

LINKEDIN_ENDPOINT = "POST /linkedin/oauth/v2/accessToken"


async def expiring(stack: Stack, organization: Organization, name: str = "kloof", **given: Any) -> Any:
    """An X account whose token ends in half an hour."""
    return await connect(stack, organization, Platform.X, name, **({"expires_in_seconds": 1800} | given))


async def test_a_token_that_ends_soon_is_replaced_by_a_pair_that_works(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    account_id = await expiring(stack, agency)
    others = await expiring(stack, outsider, "outsider")

    report = await refresh_due(stack, agency)

    assert (report.refreshed, report.later, report.lost) == ([account_id], {}, {})
    assert refreshes(sandbox) == 1
    pair, row = await tokens_of(stack, agency, account_id), await account_row(stack, agency, account_id)
    assert pair.access_token.startswith("x-access-")
    assert (pair.refresh_token or "").startswith("x-refresh-")
    assert (row["credentials_version"], row["refresh_started_at"], row["lease_until"]) == (2, None, None)
    assert abs(row["expires_at"] - datetime.now(UTC) - timedelta(hours=2)) < timedelta(seconds=20)
    async with stack.tenants.open(agency) as tenant:
        account = open_token(tenant, row)
    assert (await stack.platforms[Platform.X].check(account)).is_valid
    assert (await tokens_of(stack, outsider, others)).access_token == "sandbox-outsider"
    assert mails(sandbox) == []


async def test_nothing_is_refreshed_before_its_time(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    account_id = await connect(stack, agency, Platform.X, "kloof")  # two hours
    await connect(stack, agency, Platform.FACEBOOK, "1001", expires_in_seconds=60)

    early = await refresh_due(later(stack, minutes=74), agency)
    due = await refresh_due(later(stack, minutes=76), agency)

    assert early.refreshed == []
    assert due.refreshed == [account_id]
    assert refreshes(sandbox) == 1


async def test_a_pair_follows_a_pair(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    account_id = await expiring(stack, agency)

    for number in range(5):
        await refresh_due(later(stack, hours=2 * number), agency)

    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["credentials_version"], refreshes(sandbox)) == ("connected", 6, 5)


async def test_of_many_refreshers_at_once_one_calls(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    sandbox.settings(social_latency_seconds=0.2)
    account_id = await expiring(stack, agency)

    reports = await asyncio.gather(
        *(refresh_due(stack, agency) for _ in range(5)), refresh_account(stack, agency, account_id)
    )

    assert [account for report in reports for account in report.refreshed] == [account_id]
    assert refreshes(sandbox) == 1
    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["credentials_version"]) == ("connected", 2)


async def test_an_account_whose_row_is_locked_is_left_to_whoever_holds_it(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    locked, free = await expiring(stack, agency, "locked"), await expiring(stack, agency, "free")

    async with stack.tenants.open(agency) as tenant, tenant.conn.transaction():
        await tenant.conn.execute("select from social_accounts where id = %s for update", (locked,))
        meanwhile = await refresh_due(stack, agency)
    after = await refresh_due(stack, agency)

    assert (meanwhile.refreshed, after.refreshed) == ([free], [locked])
    assert refreshes(sandbox) == 2


async def test_one_dead_account_does_not_keep_the_others_from_being_refreshed(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    dead = await expiring(stack, agency, "dead", refresh_token="spent-long-ago", handle="@dead")
    good = await expiring(stack, agency, "good")
    await schedule_post(stack, agency, dead, "Spring menu", datetime(2026, 12, 1, 7, 0, tzinfo=UTC))
    await schedule_post(stack, agency, good, "Not at risk", datetime(2026, 12, 1, 7, 0, tzinfo=UTC))

    report = await refresh_due(stack, agency)
    again = await refresh_due(later(stack, hours=1), agency)

    assert (report.refreshed, report.lost) == ([good], {dead: "the refresh token was spent or revoked"})
    assert (again.refreshed, again.lost, refreshes(sandbox)) == ([], {}, 2)
    row = await account_row(stack, agency, dead)
    assert (row["status"], row["status_reason"]) == ("reconnect_needed", "the refresh token was spent or revoked")
    assert (await tokens_of(stack, agency, dead)).refresh_token is None
    subject = "The X account @dead must be connected again: 1 post at risk"
    assert mails(sandbox) == [("sales@draggonnb.example", subject)]
    [mail] = sandbox.public("mail")
    assert "Tue 1 Dec 2026 09:00: Spring menu" in mail["text"]
    assert "Not at risk" not in mail["text"]


@pytest.mark.parametrize(
    "fault", [{"kind": "drop_before_accept"}, {"kind": "accept_then_drop"}, {"kind": "accept_then_status"}]
)
async def test_a_lost_answer_of_x_has_taken_the_pair_with_it_and_the_old_token_is_never_used_again(
    stack: Stack, sandbox: Sandbox, agency: Organization, fault: dict[str, Any]
) -> None:
    account_id = await expiring(stack, agency)
    sandbox.faults(TOKEN_ENDPOINT, fault)

    report = await refresh_due(stack, agency)
    again = await refresh_due(later(stack, hours=1), agency)

    assert list(report.lost) == [account_id]
    assert report.lost[account_id].startswith("the new pair of tokens was lost: ")
    assert (again.refreshed, again.lost, refreshes(sandbox)) == ([], {}, 1)
    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["has_refresh_token"]) == ("reconnect_needed", False)
    assert len(mails(sandbox)) == 1


@pytest.mark.parametrize("status", [429, 401])
async def test_what_is_not_the_accounts_fault_is_tried_again_later(
    stack: Stack, sandbox: Sandbox, agency: Organization, status: int
) -> None:
    account_id = await expiring(stack, agency)
    sandbox.faults(TOKEN_ENDPOINT, {"kind": "status", "status": status})

    report = await refresh_due(stack, agency)
    at_once = await refresh_due(stack, agency)
    after = await refresh_due(later(stack, seconds=RETRY_AFTER.total_seconds() + 5), agency)

    assert (report.refreshed, list(report.later), report.lost) == ([], [account_id], {})
    assert (at_once.refreshed, at_once.later) == ([], {})
    assert after.refreshed == [account_id]
    assert refreshes(sandbox) == 2
    assert (await account_row(stack, agency, account_id))["status"] == "connected"
    assert mails(sandbox) == []


async def test_a_worker_that_is_killed_within_a_refresh_takes_the_pair_with_it(
    stack: Stack, sandbox: Sandbox, agency: Organization, world: World
) -> None:
    account_id = await expiring(stack, agency)
    sandbox.faults(TOKEN_ENDPOINT, {"kind": "accept_then_hang"})
    _kill_within_refresh(world, sandbox, agency)
    begun = await account_row(stack, agency, account_id)

    early = await refresh_due(later(stack, seconds=LEASE_SECONDS - 60), agency)
    by_hand = await refresh_account(later(stack, seconds=LEASE_SECONDS + 5), agency, account_id)
    settled = await refresh_due(later(stack, seconds=LEASE_SECONDS + 5), agency)
    again = await refresh_due(later(stack, hours=1), agency)

    assert begun["status"] == "connected"
    assert begun["refresh_started_at"] is not None
    for report in (early, by_hand):
        assert (report.refreshed, report.later, report.lost) == ([], {}, {})
    assert settled.lost == {account_id: "the new pair of tokens was lost: the refresh was cut off"}
    assert (again.refreshed, again.lost, refreshes(sandbox)) == ([], {}, 1)
    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["refresh_started_at"]) == ("reconnect_needed", None)
    assert (await tokens_of(stack, agency, account_id)).refresh_token is None
    assert [subject for _, subject in mails(sandbox)] == [
        "The X account kloof must be connected again: no posts at risk"
    ]


async def test_tokens_that_a_person_brings_during_a_refresh_stay(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await expiring(stack, agency)
    sandbox.faults(TOKEN_ENDPOINT, {"kind": "latency", "seconds": 1.0})

    refreshing = asyncio.create_task(refresh_due(stack, agency))
    await asyncio.to_thread(_wait_for, lambda: refreshes(sandbox) == 1)
    await connect(stack, agency, Platform.X, "kloof", token="brought", refresh_token="")
    report = await refreshing

    assert (report.refreshed, report.lost) == ([], {})
    stored, row = await tokens_of(stack, agency, account_id), await account_row(stack, agency, account_id)
    assert stored.access_token == "brought"
    assert stored.refresh_token is None  # the old one was being spent
    assert (row["status"], row["has_refresh_token"], row["credentials_version"]) == ("connected", False, 2)


async def test_linkedins_refresh_token_is_kept_and_survives_a_lost_answer(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(
        stack, agency, Platform.LINKEDIN, "77", refresh_token="sandbox-refresh-77", expires_in_seconds=11 * 86400
    )
    early = await refresh_due(stack, agency)
    sandbox.faults(LINKEDIN_ENDPOINT, *[{"kind": "accept_then_drop"}] * 4)

    lost = await refresh_due(later(stack, days=2), agency)
    report = await refresh_due(later(stack, days=2, seconds=RETRY_AFTER.total_seconds() + 5), agency)

    assert (early.refreshed, lost.refreshed, lost.lost) == ([], [], {})
    assert report.refreshed == [account_id]
    stored, row = await tokens_of(stack, agency, account_id), await account_row(stack, agency, account_id)
    assert stored.refresh_token == "sandbox-refresh-77"
    assert stored.access_token != "sandbox-77"
    assert row["status"] == "connected"
    assert row["expires_at"] > datetime.now(UTC) + timedelta(days=55)
    assert mails(sandbox) == []


async def test_no_token_is_readable_in_any_row(stack: Stack, agency: Organization) -> None:
    account_id = await expiring(stack, agency)
    await refresh_due(stack, agency)
    pair = await tokens_of(stack, agency, account_id)

    [row] = await tenant_rows(stack, agency, "select to_jsonb(a)::text as shown, credentials from social_accounts a")
    for secret in (pair.access_token, pair.refresh_token):
        assert secret is not None
        assert secret not in row["shown"]
        assert secret.encode() not in row["credentials"]


def _kill_within_refresh(world: World, sandbox: Sandbox, organization: Organization) -> None:
    """A real process, killed while X does not answer."""
    environment = os.environ | {
        "DRAGGONNB_MASTER_DSN": world.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_SANDBOX_PORT": str(sandbox.port),
    }
    command = [sys.executable, "-m", "tests.workflows.refresh_worker", organization.slug]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        _wait_for(lambda: refreshes(sandbox) == 1)
        worker.kill()
        assert worker.communicate(timeout=10)[0] == ""


def _wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
