"""Billing runs in Dagster: the partitions of whom a notice concerns, of everybody once a day, tables and checks."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.jobs import billing_config
from draggonnb_pipelines.partitions import organization_day, register_organizations
from draggonnb_pipelines.resources.stack import Stack
from tests.assets.dagster_work import checks_of, materialized, metadata, run_job, today, with_stack
from tests.conftest import MASTER_KEYS
from tests.payfast_till import LetterBox, buy, checkout, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import PRICE, SLUG, charge, open_checkout, pay, payments, receive, signed
from tests.workflows.lead_work import master_rows

AFTER_PAYMENTS = ("subscriptions", "invoices")
DAILY = ("payment_reconciliation", "usage_metrics")
INVOICES = "select number, amount_cents from invoices order by number"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, sandbox: Sandbox) -> None:
    """What `draggonnb up` gives to the processes of Dagster."""
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(sandbox.port))


def at_the_till(work: Callable[[Stack, LetterBox], Awaitable[Any]]) -> Any:
    """Do something with the stack while PayFast's notices come to a letter box."""

    async def once(stack: Stack) -> Any:
        async with letter_box() as box:
            return await work(stack, box)

    return with_stack(once)


def sell(agency: Organization, sandbox: Sandbox) -> str:
    """A client pays its first month, and the notice waits as the webhook stored it; PayFast's token."""

    async def once(stack: Stack, box: LetterBox) -> str:
        token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
        await receive(stack, notice)
        return token

    return at_the_till(once)


def rows(query: str) -> list[dict[str, Any]]:
    return with_stack(lambda stack: master_rows(stack, query))


def run_books(instance: dg.DagsterInstance, *, daily: bool = False, raises: bool = True) -> dg.ExecuteInProcessResult:
    return run_job(instance, "keep_books", raises=raises, run_config=billing_config(daily=daily))


def test_the_four_assets_are_per_organization_and_day_and_hang_together() -> None:
    graph = build_defs().resolve_asset_graph()

    nodes = {name: graph.get(dg.AssetKey(name)) for name in (*AFTER_PAYMENTS, *DAILY)}

    assert {name: {key.to_user_string() for key in node.parent_keys} for name, node in nodes.items()} == {
        "subscriptions": set(),
        "invoices": {"subscriptions"},
        "usage_metrics": {"subscriptions"},
        "payment_reconciliation": {"invoices"},
    }
    assert {node.partitions_def for node in nodes.values()} == {organization_day}
    assert {node.group_name for node in nodes.values()} == {"billing"}


def test_a_notice_materializes_subscription_and_invoice_of_its_client_and_nothing_else(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    register_organizations(instance, [agency.slug, outsider.slug])
    sell(agency, sandbox)

    result = run_books(instance)
    again = run_books(instance)

    assert (result.success, again.success) == (True, True)
    assert [materialized(instance, asset) for asset in AFTER_PAYMENTS] == [{today(SLUG)}] * 2
    assert [materialized(instance, asset) for asset in DAILY] == [set(), set()]
    assert result.get_asset_check_evaluations() == []
    assert len(instance.fetch_materializations(dg.AssetKey("invoices"), limit=10).records) == 1
    shown = metadata(instance, "subscriptions")
    assert (shown["status"], shown["plan"], shown["price (ZAR)"], shown["at PayFast"]) == (
        *("active", "starter"),
        *("1500.00", "ACTIVE"),
    )
    assert [line.split(" | ")[1] for line in shown["history"].splitlines()[2:]] == ["started", "paid"]
    shown = metadata(instance, "invoices")
    assert (shown["dagster/partition_row_count"], shown["total (cents)"]) == (1, PRICE)
    assert "| DRG-000001 | " in shown["invoices"]
    assert rows(INVOICES) == [{"number": 1, "amount_cents": PRICE}]


def test_the_daily_run_looks_at_everybody_and_finds_the_payment_whose_notice_never_came(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    token = sell(agency, sandbox)
    run_books(instance)
    at_the_till(lambda stack, box: charge(sandbox, box, token, outcome="no_itn"))

    result = run_books(instance, daily=True)

    everybody = {today(agency), today(outsider), today(SLUG)}
    assert result.success
    assert [materialized(instance, asset) for asset in (*AFTER_PAYMENTS, "payment_reconciliation")] == [everybody] * 3
    # The client's system is still to be set up: it has no use yet, and its money is compared all the same.
    assert materialized(instance, "usage_metrics") == everybody - {today(SLUG)}
    assert checks_of(result, "books_agree") == dict.fromkeys(everybody, True)
    assert rows(INVOICES) == [{"number": number, "amount_cents": PRICE} for number in (1, 2)]
    found = with_stack(payments)
    assert sorted((one["state"], one["found_in_history"]) for one in found) == [("applied", False), ("applied", True)]
    usage = metadata(instance, "usage_metrics", today(agency))
    assert usage["usage"].count("\n") >= 5
    assert usage["plan"] == "none"


def test_what_belongs_to_nobody_fails_the_agencys_check_alone(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    sell(agency, sandbox)
    with_stack(lambda stack: buy(sandbox, stack.payfast, checkout(m_payment_id="DRG-of-nobody")))

    result = run_books(instance, daily=True)

    assert checks_of(result, "books_agree") == {today(agency): False, today(outsider): True, today(SLUG): True}
    [evaluation] = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert str(evaluation.description).startswith("1 differences, the first: PayFast's payment ")
    assert str(evaluation.description).endswith("came in, but no notice of it was applied")
    assert metadata(instance, "payment_reconciliation", today(agency))["findings"].count("\n") == 2  # a head and a row
    assert rows("select count(*) as n from subscriptions") == [{"n": 1}]


def test_a_client_whose_database_is_away_fails_alone_after_its_money_was_seen_to(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        database = Identifier(str(outsider.database_name))
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [outsider.database_name]
        )

        result = run_books(instance, daily=True, raises=False)

    assert not result.success
    assert materialized(instance, "payment_reconciliation") == {today(agency), today(outsider)}
    assert materialized(instance, "usage_metrics") == {today(agency)}


def test_a_partition_chosen_in_the_ui_is_looked_at_anew_and_moves_no_money(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    sell(agency, sandbox)
    run_books(instance)
    register_organizations(instance, [SLUG])
    before = (sandbox.public("payfast"), sandbox.public("mail"), rows(INVOICES), rows("select * from payments"))
    asked = len(sandbox.journal("payfast"))

    result = run_job(instance, "keep_books", partition_key=today(SLUG))

    assert result.success
    assert [materialized(instance, asset) for asset in AFTER_PAYMENTS] == [{today(SLUG)}] * 2
    assert len(instance.fetch_materializations(dg.AssetKey("subscriptions"), limit=10).records) == 2
    after = (sandbox.public("payfast"), sandbox.public("mail"), rows(INVOICES), rows("select * from payments"))
    assert after == before
    assert {entry["method"] for entry in sandbox.journal("payfast")[asked:]} == {"GET"}


def test_a_refused_notice_shows_in_its_check_and_changes_nothing(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    said = {"m_payment_id": "DRG-forged", "pf_payment_id": "1", "payment_status": "COMPLETE", "amount_gross": "1500.00"}
    forged = signed([*said.items(), ("merchant_id", "10000100")], passphrase="a guess")
    with_stack(lambda stack: receive(stack, forged, source="127.0.0.1"))
    clear_before = run_job(instance, "check_clients").get_asset_check_evaluations()

    run_books(instance)
    result = run_job(instance, "check_clients")

    [before] = [one for one in clear_before if one.check_name == "payments_are_clear"]
    [check] = [one for one in result.get_asset_check_evaluations() if one.check_name == "payments_are_clear"]
    assert (before.passed, check.passed, check.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert check.description == "0 wait, 1 were refused; a refusal changes nothing"
    assert "the signature is wrong" in str(check.metadata["notices"].value)
    assert [materialized(instance, asset) for asset in (*AFTER_PAYMENTS, *DAILY)] == [set()] * 4
    assert rows("select count(*) as n from subscriptions") == [{"n": 0}]
