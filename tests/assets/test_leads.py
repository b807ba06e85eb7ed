"""Lead runs in Dagster: what an operator sees for a batch, for a failed tenant, for a reprocessing, for a range."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.jobs import lead_config
from draggonnb_pipelines.partitions import key, register_organizations
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.sensors.inbox import dispatch_batches
from draggonnb_pipelines.settings import load_settings
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import deliver, enquiry

ASSETS = ("leads", "company_profiles", "competitor_analyses", "business_analyses", "proposals", "sales_notifications")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, sandbox: Sandbox) -> None:
    """What `draggonnb up` gives to the processes of Dagster."""
    sandbox.settings(claude_latency_seconds=0.0, claude_batch_seconds=0)
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(sandbox.port))
    monkeypatch.setenv("DRAGGONNB_RETRY_BASE_SECONDS", "0.001")


def dispatch(*deliveries: tuple[Organization, dict[str, object]]) -> str:
    """Deliver, and let the sensor's own function make the batch."""

    async def once() -> str:
        async with open_stack(load_settings()) as stack:
            for organization, body in deliveries:
                await deliver(stack, organization, body, str(uuid4()))
            async with stack.master.connection() as conn:
                [batch] = await dispatch_batches(conn, topic="leads")
        return batch.id

    return asyncio.run(once())


def versions(organization: Organization) -> dict[str, int]:
    async def once() -> dict[str, int]:
        async with open_stack(load_settings()) as stack, stack.tenants.open(organization) as tenant:
            cursor = await tenant.conn.execute(
                "select max(version) as analyses, (select max(version) from proposals) as proposals from lead_analyses"
            )
            row = await cursor.fetchone()
        assert row is not None
        return row

    return asyncio.run(once())


def execute(
    instance: dg.DagsterInstance, job: str, config: dict[str, object], *, raises: bool = True
) -> dg.ExecuteInProcessResult:
    definition = build_defs().resolve_job_def(job)
    return definition.execute_in_process(instance=instance, run_config=lead_config(**config), raise_on_error=raises)


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def today(organization: Organization) -> str:
    return key(organization.slug, datetime.now(UTC).date())


def test_a_batch_materializes_six_assets_for_the_organizations_in_it_and_for_nobody_else(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization
) -> None:
    register_organizations(instance, [agency.slug, outsider.slug])
    batch_id = dispatch((agency, enquiry()))

    result = execute(instance, "qualify_leads", {"batch_id": batch_id})

    assert result.success
    assert {asset: materialized(instance, asset) for asset in ASSETS} == {asset: {today(agency)} for asset in ASSETS}
    [evaluation] = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == ("three_quick_wins", True)
    event = instance.get_latest_materialization_event(dg.AssetKey("business_analyses"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["dagster/partition_row_count"].value == 1
    assert "| 1 |" in str(event.asset_materialization.metadata["leads"].value)


def test_a_tenant_whose_database_is_away_fails_alone_and_its_rows_wait(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    batch_id = dispatch((agency, enquiry()), (outsider, enquiry()))
    with psycopg.Connection[DictRow].connect(master_dsn, autocommit=True, row_factory=dict_row) as conn:
        database = Identifier(str(outsider.database_name))
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [outsider.database_name]
        )

        result = execute(instance, "qualify_leads", {"batch_id": batch_id}, raises=False)

        states = conn.execute(
            "select o.slug, i.state, i.attempts from inbox i join organizations o on o.id = i.organization_id"
            " where i.topic = 'leads' order by o.slug"
        ).fetchall()
    assert not result.success
    assert materialized(instance, "sales_notifications") == {today(agency)}
    assert states == [
        {"slug": "draggonnb", "state": "done", "attempts": 0},
        {"slug": "outsider", "state": "received", "attempts": 0},
    ]


def test_reprocessing_with_the_same_prompts_adds_no_version_asks_nothing_and_tells_nobody(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox, master_dsn: str
) -> None:
    execute(instance, "qualify_leads", {"batch_id": dispatch((agency, enquiry()))})
    asked, mails = len(sandbox.journal("claude")), len(sandbox.public("mail"))
    day = datetime.now(UTC).date().isoformat()

    result = execute(instance, "reprocess_leads", {"organizations": [agency.slug], "from_day": day, "to_day": day})

    assert result.success
    assert len(sandbox.journal("claude")) == asked
    assert len(sandbox.public("mail")) == mails
    with psycopg.connect(master_dsn) as conn:
        assert conn.execute("select state, requested_by like 'run %' from reprocessings").fetchall() == [("done", True)]
    assert versions(agency) == {"analyses": 1, "proposals": 1}


def test_a_partition_chosen_in_the_ui_reprocesses_that_day(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    register_organizations(instance, [agency.slug])
    execute(instance, "qualify_leads", {"batch_id": dispatch((agency, enquiry()))})
    whatsapps = len(sandbox.public("whatsapp"))

    result = (
        build_defs().resolve_job_def("qualify_leads").execute_in_process(instance=instance, partition_key=today(agency))
    )

    assert result.success
    assert len(sandbox.public("whatsapp")) == whatsapps
    events = instance.fetch_materializations(dg.AssetKey("proposals"), limit=10).records
    assert [record.partition_key for record in events] == [today(agency), today(agency)]
