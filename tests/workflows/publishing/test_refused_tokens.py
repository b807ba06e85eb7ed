"""A token that a platform refuses is refreshed where that can help, and not for ever."""

from datetime import UTC, datetime, timedelta

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.accounts import mark_account
from draggonnb_pipelines.workflows.publishing.token_refresh import RETRY_AFTER, refresh_due
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import TOKEN_ENDPOINT, account_row, agenda, connect, later, mails, refreshes
from tests.workflows.lead_work import master_rows


def refused() -> VendorError:
    return VendorError("x", ErrorClass.AUTH, "X does not take the token (any more)", status=401)


async def test_a_refused_token_is_refreshed_and_its_posts_go_on(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(later(stack, hours=-1), agency, Platform.X, "kloof")
    await master_rows(stack, "update publishing_agenda set next_due_at = 'infinity'")

    await mark_account(stack, agency, account_id, refused(), token="sandbox-kloof")

    row = await account_row(stack, agency, account_id)
    assert (row["status"], row["credentials_version"], row["paused_until"]) == ("connected", 2, None)
    assert await agenda(stack) == [agency.id]
    assert (refreshes(sandbox), mails(sandbox)) == (1, [])


async def test_a_token_that_is_refused_as_soon_as_it_was_made_is_not_refreshed_for_ever(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(later(stack, hours=-1), agency, Platform.X, "kloof")

    for _ in range(4):
        await mark_account(stack, agency, account_id, refused())

    assert (await account_row(stack, agency, account_id))["status"] == "reconnect_needed"
    assert refreshes(sandbox) == 1
    assert len(mails(sandbox)) == 1


async def test_a_refused_token_that_cannot_be_refreshed_now_is_silent_until_then(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(later(stack, hours=-1), agency, Platform.X, "kloof")
    sandbox.faults(TOKEN_ENDPOINT, {"kind": "status", "status": 429})

    await mark_account(stack, agency, account_id, refused())
    row = await account_row(stack, agency, account_id)
    report = await refresh_due(later(stack, seconds=RETRY_AFTER.total_seconds() + 5), agency)

    assert row["status"] == "connected"
    assert abs(row["paused_until"] - datetime.now(UTC) - RETRY_AFTER) < timedelta(seconds=20)
    assert report.refreshed == [account_id]
    assert refreshes(sandbox) == 2
