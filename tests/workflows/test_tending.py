"""Looking after clients by the clock: tokens, alerts, repetitions; and one client's trouble is its own."""

import psycopg
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.tending import VERBS, Tended, tend_clients
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import account_row, connect, later, mails, refreshes
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, inbox_states, master_rows, tenant_rows

EFFECTS = {"notification_deliveries": 0, "content_requests": 0, "social_posts": 0}
ALERT = "The X account kloof must be connected again: no posts at risk"


async def test_with_nothing_to_do_nobody_is_called_or_told(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    tended = await tend_clients(stack)

    assert tended == Tended(clients=2)
    assert sandbox.journal() == []
    assert mails(sandbox) == []
    for organization in (agency, outsider):
        assert await count(stack, organization, *EFFECTS) == EFFECTS
    assert await inbox_states(stack) == []


async def test_a_token_that_ends_soon_is_renewed_once_however_often_clients_are_looked_after(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    account_id = await connect(later(stack, minutes=-90), agency, Platform.X, "kloof")

    first, second = await tend_clients(stack), await tend_clients(stack)

    assert first.troubles == second.troubles == {}
    assert refreshes(sandbox) == 1
    assert (await account_row(stack, agency, account_id))["credentials_version"] == 2
    assert await count(stack, outsider, *EFFECTS) == EFFECTS


async def test_an_alert_that_a_killed_run_left_untold_is_told_once(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    account_id = await connect(stack, agency, Platform.X, "kloof")
    await tenant_rows(
        stack,
        agency,
        "update social_accounts set status = 'reconnect_needed', status_reason = 'the token was revoked' where id = %s",
        account_id,
    )

    for _ in range(3):
        await tend_clients(stack)

    assert mails(sandbox) == [("sales@draggonnb.example", ALERT)]
    assert await count(stack, outsider, *EFFECTS) == EFFECTS


async def test_a_client_whose_database_is_away_is_named_and_the_others_are_looked_after(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox, world: World
) -> None:
    ours = await connect(later(stack, minutes=-90), agency, Platform.X, "kloof")
    theirs = await connect(later(stack, minutes=-90), outsider, Platform.X, "stranger")
    database = Identifier(str(outsider.database_name))
    with psycopg.connect(world.dsn, autocommit=True) as conn:
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        try:
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [outsider.database_name]
            )
            tended = await tend_clients(stack)
        finally:
            conn.execute(SQL("alter database {} allow_connections true").format(database))

    assert (tended.clients, list(tended.troubles)) == (2, ["outsider"])
    assert "database unavailable" in tended.troubles["outsider"]
    assert (await account_row(stack, agency, ours))["credentials_version"] == 2
    assert (await account_row(stack, outsider, theirs))["credentials_version"] == 1
    await tend_clients(stack)
    assert (await account_row(stack, outsider, theirs))["credentials_version"] == 2


async def test_a_suspended_client_is_left_alone(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    account_id = await connect(later(stack, minutes=-90), outsider, Platform.X, "stranger")
    await master_rows(stack, "update organizations set status = 'suspended' where slug = 'outsider'")
    try:
        tended = await tend_clients(stack)
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'outsider'")

    assert tended == Tended(clients=1)
    assert refreshes(sandbox) == 0
    assert (await account_row(stack, outsider, account_id))["credentials_version"] == 1


def test_tokens_come_first_and_what_climbs_last() -> None:
    names = [verb.__name__ for verb in VERBS]

    assert names[0] == "refresh_due"
    assert names[-1] == "escalate"
    assert len(set(names)) == len(names)
