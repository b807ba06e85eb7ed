"""Provisioning in Dagster: a client's ten assets in one run, what waits, what stops, and how a person goes on."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from draggonnb_pipelines.assets.provisioning import provisioning_assets
from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import STEPS
from draggonnb_pipelines.partitions import organizations, register_organizations
from tests.assets.dagster_work import materialized, metadata, run_job, with_stack
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows
from tests.workflows.paid_clients import open_clients, states

JOB = "set_up_clients"
CLIENTS = ("bo-kaap-beans", "kloof-coffee")
TIME_PASSES = "update provisionings set not_before = now()"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, supabase_sandbox: Sandbox) -> None:
    """What `draggonnb up` gives to the processes of Dagster."""
    supabase_sandbox.settings(claude_latency_seconds=0.0, github_copy_seconds=0.0, vercel_build_seconds=0.0)
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(supabase_sandbox.port))
    monkeypatch.setenv("DRAGGONNB_PROVISION_POLL_SECONDS", "0.05")
    monkeypatch.setenv("DRAGGONNB_PROVISION_SETTLE_SECONDS", "0.2")


def paid(*slugs: str) -> None:
    with_stack(lambda stack: open_clients(stack, slugs))


def check(instance: dg.DagsterInstance, name: str) -> dg.AssetCheckEvaluation:
    result = run_job(instance, "check_clients")
    [found] = [one for one in result.get_asset_check_evaluations() if one.check_name == name]
    return found


def done(instance: dg.DagsterInstance) -> dict[str, set[str]]:
    return {step: materialized(instance, step) for step in STEPS}


def rows(query: str) -> list[dict[str, Any]]:
    return with_stack(lambda stack: master_rows(stack, query))


def test_the_ten_assets_are_per_organization_and_each_hangs_on_the_one_before() -> None:
    graph = build_defs().resolve_asset_graph()

    nodes = [graph.get(dg.AssetKey(step)) for step in STEPS]

    parents = [[key.to_user_string() for key in node.parent_keys] for node in nodes]
    assert parents == [[], *([step] for step in STEPS[:-1])]
    assert {node.partitions_def for node in nodes} == {organizations}
    assert {node.group_name for node in nodes} == {"provisioning"}
    assert all(node.description for node in nodes)


def test_one_run_sets_up_everybody_who_has_paid_and_nobody_else(
    instance: dg.DagsterInstance, agency: Organization, supabase_sandbox: Sandbox
) -> None:
    register_organizations(instance, [agency.slug, *CLIENTS])
    paid(*CLIENTS)

    result = run_job(instance, JOB)
    mails = len(supabase_sandbox.public("mail"))
    again = run_job(instance, JOB)

    assert (result.success, again.success) == (True, True)
    assert done(instance) == {step: set(CLIENTS) for step in STEPS}
    assert with_stack(states) == dict.fromkeys(CLIENTS, "done")
    assert len(instance.fetch_materializations(dg.AssetKey("kickoff_call"), limit=10).records) == 2
    assert len(supabase_sandbox.public("mail")) == mails
    shown = metadata(instance, "kickoff_call", "kloof-coffee")
    assert list(dict.fromkeys(line.split(" | ")[0] for line in shown["stack"].splitlines()[2:])) == [
        f"| {step}" for step in STEPS
    ]
    assert "bo-kaap" not in shown["stack"]
    site = metadata(instance, "vercel_deployment", "kloof-coffee")
    assert site["link"] == f"{supabase_sandbox.url}/vercel/sites/kloof-coffee.draggonnb.app"
    assert metadata(instance, "n8n_webhooks", "kloof-coffee")["dagster/partition_row_count"] == 3
    assert check(instance, "nobody_is_stuck").passed
    assert check(instance, "no_orphans").passed


def test_a_name_that_a_stranger_has_stops_one_client_and_a_person_goes_on_by_its_partition(
    instance: dg.DagsterInstance, agency: Organization, supabase_sandbox: Sandbox
) -> None:
    register_organizations(instance, CLIENTS)
    paid(*CLIENTS)
    taken = {"name": "draggonnb-kloof-coffee", "description": "somebody's", "private": True}
    with_stack(lambda stack: stack.github.create_from_template("draggonnb/client-template", "draggonnb", taken["name"]))

    result = run_job(instance, JOB, raises=False)

    stopped = STEPS.index("github_repo")
    assert not result.success
    assert done(instance) == {
        step: set(CLIENTS) if at < stopped else {"bo-kaap-beans"} for at, step in enumerate(STEPS)
    }
    stuck = check(instance, "nobody_is_stuck")
    assert (stuck.passed, "stuck: kloof-coffee." in str(stuck.description)) == (False, True)
    assert "is there already and is not ours" in str(stuck.metadata["stuck"].value)

    with_stack(lambda stack: stack.github.delete("draggonnb", taken["name"]))
    by_hand = run_job(instance, JOB, partition_key="kloof-coffee")

    assert by_hand.success
    assert done(instance) == {step: set(CLIENTS) for step in STEPS}
    assert with_stack(states) == dict.fromkeys(CLIENTS, "done")
    assert check(instance, "nobody_is_stuck").passed


def test_who_takes_longer_than_a_runs_patience_waits_and_fails_nothing(
    instance: dg.DagsterInstance,
    agency: Organization,
    supabase_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paid("kloof-coffee")
    supabase_sandbox.settings(supabase_project_seconds=1.5)
    monkeypatch.setenv("DRAGGONNB_PROVISION_PATIENCE_SECONDS", "0.2")

    result = run_job(instance, JOB)

    assert result.success
    assert set().union(*done(instance).values()) == set()
    assert with_stack(states) == {"kloof-coffee": "waiting"}
    monkeypatch.setenv("DRAGGONNB_PROVISION_PATIENCE_SECONDS", "20")
    rows(TIME_PASSES)
    assert run_job(instance, JOB).success
    assert done(instance) == {step: {"kloof-coffee"} for step in STEPS}
    assert [one["name"] for one in supabase_sandbox.public("supabase")] == ["kloof-coffee-db"]


def test_a_backfill_of_the_schema_brings_clients_of_every_kind_up_to_date_and_makes_nothing(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, supabase_sandbox: Sandbox
) -> None:
    register_organizations(instance, [agency.slug, outsider.slug])
    asked = len(supabase_sandbox.journal())

    result = dg.materialize(
        [provisioning_assets],
        instance=instance,
        resources=build_defs().resources,
        selection=["tenant_schema"],
        partition_key=outsider.slug,
    )

    assert result.success
    assert done(instance) == {step: {"outsider"} if step == "tenant_schema" else set() for step in STEPS}
    assert len(supabase_sandbox.journal()) == asked
    assert rows("select count(*) as n from provisionings") == [{"n": 0}]
    assert rows("select step, state from stack_resources") == [{"step": "tenant_schema", "state": "ready"}]
