"""Content runs in Dagster: what an operator sees for a batch of requests, for findings, for a client that is away."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.partitions import register_organizations
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sensors.inbox import dispatch_batches
from tests.assets.dagster_work import materialized, metadata, run_content, today, with_stack
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.content_work import ask
from tests.workflows.lead_work import MESSAGES, tenant_rows
from tests.workflows.publish_work import connect

GENERATION = ("content_requests", "generated_posts", "content_queue")
ALL_CHECKS = {"brand_rules_kept", "claims_have_sources", "nothing_said_twice", "platform_rules_kept"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, sandbox: Sandbox) -> None:
    """What `draggonnb up` gives to the processes of Dagster."""
    sandbox.settings(claude_latency_seconds=0.0)
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(sandbox.port))
    monkeypatch.setenv("DRAGGONNB_RETRY_BASE_SECONDS", "0.001")


def dispatch(*requests: tuple[Organization, dict[str, Any]]) -> str:
    """Connect, ask, and let the sensor's own function make the batch."""

    async def once(stack: Stack) -> str:
        for organization in {organization.slug: organization for organization, _ in requests}.values():
            await connect(stack, organization)
        for organization, body in requests:
            await ask(stack, organization, str(uuid4()), media=["square.jpg"], **body)
        async with stack.master.connection() as conn:
            [batch] = await dispatch_batches(conn, topic="content")
        return batch.id

    return with_stack(once)


def rows(organization: Organization, query: str) -> list[dict[str, Any]]:
    return with_stack(lambda stack: tenant_rows(stack, organization, query))


def checks_of(result: dg.ExecuteInProcessResult, organization: Organization) -> dict[str, dg.AssetCheckEvaluation]:
    found = [one for one in result.get_asset_check_evaluations() if one.partition == today(organization)]
    return {one.check_name: one for one in found}


def test_a_batch_of_many_requests_is_one_run_over_exactly_their_organizations(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    register_organizations(instance, [agency.slug, outsider.slug])
    batch_id = dispatch(*((agency, {"brief": f"Roast number {number} is here."}) for number in range(3)))

    result = run_content(instance, "generate_content", batch_id=batch_id)

    assert result.success
    assert [materialized(instance, asset) for asset in GENERATION] == [{today(agency)}] * 3
    assert materialized(instance, "published_posts") == set()
    assert set(checks_of(result, agency)) == ALL_CHECKS
    assert len(result.get_asset_check_evaluations()) == 4
    shown = metadata(instance, "generated_posts")
    assert shown["dagster/partition_row_count"] == 3
    assert shown["requests in this run"] == 3
    assert shown["tokens"] > 0
    assert shown["cost (USD)"] > 0
    assert shown["requests"].count("\n") == 4  # a head, a rule, three rows
    assert "Roast number" in shown["posts"]
    assert metadata(instance, "content_requests")["dagster/partition_row_count"] == 3
    assert rows(agency, "select status, count(*) as n from social_posts group by 1") == [
        {"status": "in_review", "n": 3}
    ]
    assert rows(outsider, "select count(*) as n from content_requests") == [{"n": 0}]
    assert [sandbox.public(network) for network in ("facebook", "instagram", "linkedin", "x")] == [[], [], [], []]


def test_a_finding_fails_its_check_on_its_partition_and_blocks_the_post_alone(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    batch_id = dispatch((agency, {"brief": "Our filter roast is here."}), (outsider, {"brief": "We are open."}))
    sandbox.faults(MESSAGES, {"kind": "content_too_long", "times": 2, "match": "filter roast"})

    result = run_content(instance, "generate_content", batch_id=batch_id)

    assert result.success
    ours, theirs = checks_of(result, agency), checks_of(result, outsider)
    assert {name for name, one in ours.items() if not one.passed} == {"platform_rules_kept"}
    assert set(ours) == set(theirs) == ALL_CHECKS
    assert all(one.passed for one in theirs.values())
    assert ours["platform_rules_kept"].severity == dg.AssetCheckSeverity.ERROR
    assert ours["platform_rules_kept"].description == "1 findings"
    assert "of at most 280" in str(ours["platform_rules_kept"].metadata["findings"].value)
    assert theirs["platform_rules_kept"].metadata == {}
    assert rows(agency, "select status from social_posts") == [{"status": "blocked"}]
    assert rows(outsider, "select status from social_posts") == [{"status": "in_review"}]


def test_a_client_whose_database_is_away_fails_alone_and_its_request_waits(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    batch_id = dispatch((agency, {"brief": "We are open."}), (outsider, {"brief": "We are open, too."}))
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        database = Identifier(str(outsider.database_name))
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [outsider.database_name]
        )

        result = run_content(instance, "generate_content", raises=False, batch_id=batch_id)

        states = conn.execute(
            "select o.slug, i.state, i.attempts from inbox i join organizations o on o.id = i.organization_id"
            " where i.topic = 'content' order by 1"
        ).fetchall()
    assert not result.success
    assert [materialized(instance, asset) for asset in GENERATION] == [{today(agency)}] * 3
    assert states == [("draggonnb", "done", 0), ("outsider", "received", 0)]


def test_a_partition_chosen_in_the_ui_is_counted_anew_and_asks_nobody_for_anything(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    register_organizations(instance, [agency.slug])
    run_content(instance, "generate_content", batch_id=dispatch((agency, {"brief": "We are open."})))
    asked, mails = len(sandbox.journal("claude")), len(sandbox.public("mail"))

    job = build_defs().resolve_job_def("generate_content")
    result = job.execute_in_process(instance=instance, partition_key=today(agency))

    assert result.success
    assert (len(sandbox.journal("claude")), len(sandbox.public("mail"))) == (asked, mails)
    events = instance.fetch_materializations(dg.AssetKey("generated_posts"), limit=10).records
    assert [record.partition_key for record in events] == [today(agency), today(agency)]
    assert metadata(instance, "generated_posts")["dagster/partition_row_count"] == 1
    assert rows(agency, "select count(*) as n from social_posts") == [{"n": 1}]
