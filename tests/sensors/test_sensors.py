"""What each sensor asks for, on a real database: one run per tick for many rows, and nothing twice."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from draggonnb_pipelines.checks import inbox_is_fresh, no_dead_deliveries, prompts_are_current
from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.jobs import apply_message_statuses, lead_config, qualify_leads
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.sensors.inbox import CROWD_ROWS
from draggonnb_pipelines.sensors.leads import lead_inbox, reprocessing_requests
from draggonnb_pipelines.sensors.messages import waiting_message_statuses
from draggonnb_pipelines.sensors.organizations import new_organizations
from draggonnb_pipelines.settings import load_settings
from tests.conftest import MASTER_KEYS
from tests.workflows.lead_work import deliver, enquiry

CODE = RepositoryPythonOrigin("python", ModuleCodePointer("draggonnb_pipelines.definitions", "defs"))
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("draggonnb"), "__repository__")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)


def deliver_some(organization: Organization, count: int) -> None:
    async def once() -> None:
        async with open_stack(load_settings()) as stack:
            for number in range(count):
                await deliver(stack, organization, enquiry(f"shop-{number}.example"), str(uuid4()))

    asyncio.run(once())


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    resources = {"master": MasterQueries()}
    with dg.build_sensor_context(instance=instance, resources=resources, definitions=build_defs()) as context:
        return list(sensor.evaluate_tick(context).run_requests or [])


def outcome(check: dg.AssetChecksDefinition) -> dg.AssetCheckResult:
    result = check(MasterQueries())
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_ten_deliveries_make_one_run_and_the_next_tick_asks_for_nothing(
    instance: dg.DagsterInstance, agency: Organization, master_dsn: str
):
    deliver_some(agency, 10)

    first, second = tick(lead_inbox, instance), tick(lead_inbox, instance)

    [request] = first
    assert request.tags["draggonnb/leads"] == "10"
    assert request.tags["draggonnb/vendors"].startswith("SANDBOX claude,whatsapp,mail,meta,linkedin,x,storage,")
    assert request.run_config == {"ops": {"work_through_leads": {"config": {"batch_id": request.run_key}}}}
    assert second == []
    with psycopg.connect(master_dsn) as conn:
        states = conn.execute("select state, batch_id::text, count(*) from inbox group by 1, 2").fetchall()
    assert states == [("claimed", request.run_key, 10)]


def test_one_clients_crowd_takes_a_place_of_its_own_and_whoever_comes_after_it_a_free_one(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
):
    deliver_some(agency, 3 * CROWD_ROWS)
    [crowd] = tick(lead_inbox, instance)
    deliver_some(agency, 1)
    deliver_some(outsider, 1)

    [alone] = tick(lead_inbox, instance)

    assert (crowd.tags["draggonnb/leads"], crowd.tags["draggonnb/long"]) == (str(3 * CROWD_ROWS), "crowd")
    assert (alone.tags["draggonnb/leads"], alone.tags["draggonnb/incoming"]) == ("1", "ordinary")
    assert "draggonnb/incoming" not in crowd.tags
    assert "draggonnb/long" not in alone.tags
    assert crowd.tags["dagster/priority"] == "0"  # as what has none: it waits behind nobody who comes after it
    with psycopg.connect(master_dsn) as conn:
        found = conn.execute(
            "select o.slug, i.state, i.lane, count(*) from inbox i join organizations o on o.id = i.organization_id"
            " group by 1, 2, 3 order by 1, 2"
        ).fetchall()
    assert found == [
        ("draggonnb", "claimed", "crowd", 3 * CROWD_ROWS),
        ("draggonnb", "received", "ordinary", 1),
        ("outsider", "claimed", "ordinary", 1),
    ]


def test_a_run_that_waits_for_its_place_is_not_asked_for_again(
    instance: dg.DagsterInstance, agency: Organization, master_dsn: str
):
    deliver_some(agency, 1)
    [request] = tick(lead_inbox, instance)
    run = instance.create_run_for_job(
        build_defs().resolve_job_def(qualify_leads.name),
        run_config=request.run_config,
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(REPOSITORY, qualify_leads.name),
        job_code_origin=JobPythonOrigin(qualify_leads.name, CODE),
    )
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute("update inbox set lease_until = now() - interval '1 second'")

        assert tick(lead_inbox, instance) == []

        instance.delete_run(run.run_id)
        conn.execute("update inbox set lease_until = now() - interval '1 second'")
    assert [again.tags["draggonnb/leads"] for again in tick(lead_inbox, instance)] == ["1"]


def test_a_run_that_a_person_started_with_a_mistyped_batch_stops_no_sensor(
    instance: dg.DagsterInstance, agency: Organization
):
    deliver_some(agency, 1)
    instance.create_run_for_job(
        build_defs().resolve_job_def(qualify_leads.name),
        run_config=lead_config(batch_id="b7e0-mistyped"),
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(REPOSITORY, qualify_leads.name),
        job_code_origin=JobPythonOrigin(qualify_leads.name, CODE),
    )

    assert [request.tags["draggonnb/leads"] for request in tick(lead_inbox, instance)] == ["1"]


def test_statuses_that_have_waited_for_ten_minutes_ask_for_one_run_and_for_no_second_while_it_is_open(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
):
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute(
            "insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, received_at)"
            " select id, 'whatsapp_status', 'whatsapp', slug, 'x', now() - interval '11 minutes' from organizations"
        )
        conn.execute("update organizations set held_since = now() where slug = 'outsider'")

    [request] = tick(waiting_message_statuses, instance)
    run = dg.DagsterRun(job_name=apply_message_statuses.name, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)

    assert request.tags["draggonnb/organizations"] == "1"  # not who is being moved
    assert tick(waiting_message_statuses, instance) == []
    instance.report_run_canceled(run)
    assert len(tick(waiting_message_statuses, instance)) == 1


def test_deliveries_of_a_client_that_is_being_moved_are_named_as_such_and_not_the_daemons_fault(
    agency: Organization, outsider: Organization, master_dsn: str
):
    deliver_some(agency, 2)
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute("update organizations set held_since = now() where slug = 'draggonnb'")
        conn.execute("update inbox set received_at = now() - interval '20 min', not_before = now() - interval '20 min'")
        alone = outcome(inbox_is_fresh)
        deliver_some(outsider, 1)
        beside = outcome(inbox_is_fresh)

    held = "2 of them are held, their clients being moved: `draggonnb tenant move`. "
    assert (alone.passed, beside.passed) == (False, False)
    assert str(alone.description) == f"2 deliveries wait, the oldest for 20 min. {held}"
    assert str(beside.description).startswith(f"3 deliveries wait, the oldest for 20 min. {held}See ")


def test_new_organizations_become_partitions_once_and_none_is_ever_taken_away(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
):
    tick(new_organizations, instance)
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute("update organizations set status = 'closed' where slug = 'outsider'")
    tick(new_organizations, instance)

    assert instance.get_dynamic_partitions("organizations") == ["draggonnb", "outsider"]


def test_a_due_request_for_reprocessing_is_taken_up_by_one_tick(
    instance: dg.DagsterInstance, agency: Organization, master_dsn: str
):
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute(
            "insert into reprocessings (organizations, from_day, to_day, requested_by)"
            " values (array['draggonnb'], '2026-11-01', '2026-11-02', 'a test')"
        )

    first, second = tick(reprocessing_requests, instance), tick(reprocessing_requests, instance)

    assert len(first) == 1
    assert str(first[0].run_key).endswith("/1")
    assert second == []


def test_checks_name_what_waits_for_long_what_is_dead_and_who_is_behind(agency: Organization, master_dsn: str):
    deliver_some(agency, 2)
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute("update inbox set received_at = now() - interval '20 min', not_before = now() - interval '20 min'")
        fresh = outcome(inbox_is_fresh)
        conn.execute(
            "update inbox set state = 'dead', finished_at = now(), last_error = 'its [cause](http://x.example)'"
            " where id in (select id from inbox limit 1)"
        )
        dead = outcome(no_dead_deliveries)
        conn.execute(
            "insert into asset_ledger (organization_id, asset, day, rows, code_version)"
            " select id, 'business_analyses', '2026-11-20', 3, 'an older prompt' from organizations"
        )
        behind = outcome(prompts_are_current)

    assert (fresh.passed, dead.passed, behind.passed) == (False, False, False)
    assert str(fresh.description).startswith("2 deliveries wait, the oldest for ")
    assert str(fresh.description).endswith("the daemon's health.")
    assert r"its \[cause\]\(http://x.example\)" in str(dead.metadata["dead"].value)
    assert "| draggonnb | business_analyses | 1 | 2026-11-20 | 2026-11-20 |" in str(behind.metadata["behind"].value)
