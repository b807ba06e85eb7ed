"""Connected accounts: what is stored and never lost, what a refusal does to them, and what people are told."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.accounts import Credentials, merge_tokens
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.errors import ErrorClass, OperatorError, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.account_alerts import PostAtRisk, posts_at_risk
from draggonnb_pipelines.workflows.publishing.accounts import (
    connect_account,
    disconnect_account,
    mark_account,
    open_token,
)
from draggonnb_pipelines.workflows.publishing.token_refresh import refresh_due
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import account_row, agenda, connect, mails, schedule_post, tokens_of
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
COUNTERS = "select used, reserved from usage_counters where metric = 'social_accounts'"
STATES = "select platform_id, status from social_accounts order by platform_id, external_id"


def refusal(error_class: ErrorClass, message: str = "the session has expired") -> VendorError:
    return VendorError("facebook", error_class, message)


async def states(stack: Stack, organization: Organization) -> list[tuple[str, str]]:
    return [(row["platform_id"], row["status"]) for row in await tenant_rows(stack, organization, STATES)]


async def test_a_connected_account_is_sealed_counted_and_opens_for_a_call(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    account_id = await connect(stack, agency, Platform.X, "kloof", handle="@kloof", expires_in_seconds=7200)

    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["handle"], row["credentials_version"]) == ("connected", "@kloof", 1)
    assert row["has_refresh_token"] is True
    assert b"sandbox-kloof" not in row["credentials"]
    async with stack.tenants.open(agency) as tenant:
        assert open_token(tenant, row) == Account(Platform.X, "kloof", "sandbox-kloof")
    assert await tenant_rows(stack, agency, COUNTERS) == [{"used": 1, "reserved": 0}]
    assert await agenda(stack) == [agency.id]
    assert await count(stack, outsider, "social_accounts") == {"social_accounts": 0}


async def test_a_token_opens_for_no_other_account_and_no_other_client(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    mine = await account_row(stack, agency, await connect(stack, agency, Platform.FACEBOOK, "kloof"))
    other = await account_row(stack, agency, await connect(stack, agency, Platform.FACEBOOK, "other"))

    for organization, row in [(outsider, mine), (agency, other | {"credentials": mine["credentials"]})]:
        async with stack.tenants.open(organization) as tenant:
            with pytest.raises(VendorError, match="facebook: auth: the stored token does not open"):
                open_token(tenant, row)


def test_no_sequence_of_empty_values_ever_replaces_a_good_token() -> None:
    values = [None, "", "  ", "new-1", "new-2"]
    pairs = list(itertools.product(values, values))

    for sequence in itertools.product(pairs, repeat=3):
        stored: Credentials | None = None
        access = refresh = None
        for given_access, given_refresh in sequence:
            stored = merge_tokens(stored, given_access, given_refresh, at=NOW)
            access = (given_access or "").strip() or access
            refresh = ((given_refresh or "").strip() or refresh) if access else None
            assert (stored and stored.access_token) == access
            assert (stored and stored.refresh_token) == refresh


async def test_connecting_again_with_whatever_is_empty_keeps_what_was_good(stack: Stack, agency: Organization) -> None:
    chance = random.Random(20261123)
    account_id = await connect(stack, agency, Platform.X, "kloof", handle="@kloof", token="a-0", refresh_token="r-0")
    access, refresh, version = "a-0", "r-0", 1

    for number in range(25):
        given: dict[str, Any] = {
            "token": chance.choice([None, "", " ", f"a-{number}"]),
            "refresh_token": chance.choice([None, "", f"r-{number}"]),
            "handle": chance.choice([None, ""]),
        }
        await connect_account(stack, agency, Platform.X, "kloof", **given)

        access = (given["token"] or "").strip() or access
        refresh = given["refresh_token"] or refresh
        version += bool((given["token"] or "").strip() or given["refresh_token"])
        stored, row = await tokens_of(stack, agency, account_id), await account_row(stack, agency, account_id)
        assert (stored.access_token, stored.refresh_token) == (access, refresh)
        assert (row["status"], row["handle"], row["credentials_version"]) == ("connected", "@kloof", version)
    assert await tenant_rows(stack, agency, COUNTERS) == [{"used": 1, "reserved": 0}]


@pytest.mark.parametrize("token", [None, "", "  "])
async def test_an_account_without_a_token_is_not_connected(
    stack: Stack, agency: Organization, token: str | None
) -> None:
    with pytest.raises(OperatorError, match="there is no access token"):
        await connect_account(stack, agency, Platform.FACEBOOK, "kloof", token=token, refresh_token="r-1")

    assert await count(stack, agency, "social_accounts", "usage_reservations") == {
        "social_accounts": 0,
        "usage_reservations": 0,
    }


async def test_an_account_over_the_plan_is_refused_until_another_is_disconnected(
    stack: Stack, agency: Organization
) -> None:
    await master_rows(stack, "update organizations set plan_key = 'starter' where id = %s", agency.id)  # three
    try:
        first = await connect(stack, agency, Platform.FACEBOOK, "page")
        await connect(stack, agency, Platform.INSTAGRAM, "insta")
        await connect(stack, agency, Platform.LINKEDIN, "company")
        with pytest.raises(OperatorError, match="allows 3 social accounts, and all are taken"):
            await connect(stack, agency, Platform.X, "kloof")
        refused = await states(stack, agency)
        await disconnect_account(stack, agency, first)
        await connect(stack, agency, Platform.X, "kloof")
    finally:
        await master_rows(stack, "update organizations set plan_key = null where id = %s", agency.id)

    assert refused == [("facebook", "connected"), ("instagram", "connected"), ("linkedin", "connected")]
    assert await states(stack, agency) == [("facebook", "disconnected"), *refused[1:], ("x", "connected")]
    assert (await account_row(stack, agency, first))["credentials"] is None
    assert await tenant_rows(stack, agency, COUNTERS) == [{"used": 3, "reserved": 0}]


@pytest.mark.parametrize(
    ("error_class", "status", "subject"),
    [
        (ErrorClass.AUTH, "reconnect_needed", "The Facebook page Kloof must be connected again: 2 posts at risk"),
        (ErrorClass.PERMISSION, "permission_missing", "The Facebook page Kloof lacks a permission: 2 posts at risk"),
        (ErrorClass.BLOCKED, "blocked", "The Facebook page Kloof is blocked by the network: 2 posts at risk"),
    ],
)
async def test_a_refusal_stops_this_account_alone_and_its_owner_reads_once_which_posts_are_at_risk(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    outsider: Organization,
    error_class: ErrorClass,
    status: str,
    subject: str,
) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001", display_name="Kloof")
    other = await connect(stack, agency, Platform.INSTAGRAM, "1002")
    await schedule_post(stack, agency, account_id, "Second", datetime(2026, 12, 1, 7, 0, tzinfo=UTC))
    await schedule_post(stack, agency, account_id, "First", datetime(2026, 11, 30, 22, 30, tzinfo=UTC))
    await schedule_post(stack, agency, other, "Not at risk", datetime(2026, 11, 30, tzinfo=UTC))

    for _ in range(3):
        await mark_account(stack, agency, account_id, refusal(error_class))
    await refresh_due(stack, agency)

    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["status_reason"]) == (status, "the session has expired")
    assert (await account_row(stack, agency, other))["status"] == "connected"
    assert mails(sandbox) == [("sales@draggonnb.example", subject)]
    [mail] = sandbox.public("mail")
    assert "Tue 1 Dec 2026 00:30: First" in mail["text"]
    assert "Tue 1 Dec 2026 09:00: Second" in mail["text"]
    assert "Not at risk" not in mail["text"]
    bell = await tenant_rows(stack, agency, "select type, message from notifications")
    assert bell == [{"type": "account_trouble", "message": subject}]
    assert await count(stack, outsider, "notifications", "notification_deliveries") == {
        "notifications": 0,
        "notification_deliveries": 0,
    }


@pytest.mark.parametrize("error_class", sorted(set(ErrorClass) - {"auth", "permission", "blocked"}))
async def test_what_is_not_the_accounts_fault_leaves_it_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, error_class: ErrorClass
) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001")

    await mark_account(stack, agency, account_id, refusal(error_class))

    assert await states(stack, agency) == [("facebook", "connected")]
    assert mails(sandbox) == []


async def test_a_refused_token_that_was_replaced_since_says_nothing_about_the_account(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001", token="old")
    await connect(stack, agency, Platform.FACEBOOK, "1001", token="new")

    await mark_account(stack, agency, account_id, refusal(ErrorClass.AUTH), token="old")
    before = await states(stack, agency)
    await mark_account(stack, agency, account_id, refusal(ErrorClass.AUTH), token="new")

    assert before == [("facebook", "connected")]
    assert await states(stack, agency) == [("facebook", "reconnect_needed")]
    assert len(mails(sandbox)) == 1


async def test_connecting_again_ends_the_incident_and_wakes_the_queue_and_the_next_one_is_told_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001")
    await mark_account(stack, agency, account_id, refusal(ErrorClass.AUTH))
    await master_rows(stack, "update publishing_agenda set next_due_at = 'infinity'")

    await connect(stack, agency, Platform.FACEBOOK, "1001", token="newer")

    assert await states(stack, agency) == [("facebook", "connected")]
    assert await agenda(stack) == [agency.id]
    await mark_account(stack, agency, account_id, refusal(ErrorClass.AUTH))
    assert len(mails(sandbox)) == 2


async def test_naming_a_dead_account_without_a_token_does_not_bring_it_back(stack: Stack, agency: Organization) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001")
    await mark_account(stack, agency, account_id, refusal(ErrorClass.AUTH))

    await connect(stack, agency, Platform.FACEBOOK, "1001", token="", handle="Kloof")

    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["handle"], row["credentials_version"]) == ("reconnect_needed", "Kloof", 1)


async def test_a_block_ends_after_a_day(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    at_first = variant(stack, now=lambda: NOW)
    account_id = await connect(at_first, agency, Platform.FACEBOOK, "1001")
    await mark_account(at_first, agency, account_id, refusal(ErrorClass.BLOCKED))
    row = await account_row(stack, agency, account_id)

    await refresh_due(variant(stack, now=lambda: NOW + timedelta(hours=23, minutes=59)), agency)
    early = await states(stack, agency)
    await refresh_due(variant(stack, now=lambda: NOW + timedelta(hours=24)), agency)

    assert row["paused_until"] == NOW + timedelta(hours=24)
    assert early == [("facebook", "blocked")]
    assert await states(stack, agency) == [("facebook", "connected")]
    assert len(mails(sandbox)) == 1


async def test_an_alert_that_a_killed_run_did_not_tell_is_made_up_for(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await connect(stack, agency, Platform.FACEBOOK, "1001")
    await tenant_rows(stack, agency, "update social_accounts set status = 'reconnect_needed'")

    await refresh_due(stack, agency)
    await refresh_due(stack, agency)

    assert [subject for _, subject in mails(sandbox)] == [
        "The Facebook page 1001 must be connected again: no posts at risk"
    ]


async def test_posts_at_risk_are_those_that_wait_from_a_moment_on(stack: Stack, agency: Organization) -> None:
    account_id = await connect(stack, agency, Platform.FACEBOOK, "1001")
    await schedule_post(stack, agency, account_id, "Before", NOW)
    late = await schedule_post(stack, agency, account_id, "After", NOW + timedelta(days=1))
    await schedule_post(stack, agency, account_id, "Withdrawn", NOW + timedelta(days=2))
    await tenant_rows(
        stack, agency, "update content_queue set status = 'cancelled' where publish_at > %s", NOW + timedelta(days=1)
    )

    async with stack.tenants.open(agency) as tenant:
        everything = await posts_at_risk(tenant, account_id)
        later = await posts_at_risk(tenant, account_id, NOW + timedelta(hours=1))

    assert [post.title for post in everything] == ["Before", "After"]
    assert later == [PostAtRisk(late, "After", NOW + timedelta(days=1))]
