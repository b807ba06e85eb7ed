"""Numbers in Dagster: which partitions a run works on, whom it asks, and days that are made again without asking."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.jobs import analytics_config
from draggonnb_pipelines.partitions import key
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import snapshot_taken
from tests.assets.dagster_work import materialized, metadata, run_job, with_stack
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, master_rows
from tests.workflows.snapshot_work import at, publish, read, snapshots

MORNING = "2026-11-21T06:00:10+00:00"
DAY = date(2026, 11, 21)


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


@pytest.fixture
def read_for_two_days(agency: Organization, outsider: Organization) -> None:
    """A post of the 18th that was read on the 19th and the 21st, and organizations that are old."""

    async def once(stack: Stack) -> None:
        await master_rows(stack, "update organizations set created_at = '2026-11-01' returning id")
        queue_id = await publish(stack, agency, at("11-18 08:00"))
        for collected, views in (("11-19 06:00", 100), ("11-21 06:00", 140)):
            await read(stack, agency, queue_id, at(collected), {"views": views})

    with_stack(once)


def run(instance: dg.DagsterInstance, job: str, *, raises: bool = True, **config: Any) -> dg.ExecuteInProcessResult:
    return run_job(instance, job, raises=raises, run_config=analytics_config(**config))


def days(organization: Organization, *numbers: int) -> set[str]:
    return {key(organization.slug, DAY + timedelta(days=number)) for number in numbers}


@pytest.mark.usefixtures("read_for_two_days")
def test_snapshots_of_any_days_are_made_again_in_one_run_that_asks_no_platform(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    result = run(
        instance,
        "reprocess_snapshots",
        organizations=[agency.slug],
        from_day="2026-11-19",
        to_day="2026-11-21",
        at=MORNING,
    )

    assert result.success
    assert len(instance.get_run_records()) == 1
    assert materialized(instance, "analytics_snapshots") == days(agency, -2, -1, 0)
    assert materialized(instance, "platform_metrics") == set()
    gained = [row["metrics"]["gained"]["views"]["value"] for row in with_stack(lambda s: snapshots(s, agency))]
    assert gained == [100, 0, 40]
    lost = metadata(instance, "analytics_snapshots", key(agency.slug, date(2026, 11, 20)))
    assert lost["days without readings"] == "2026-11-19: these numbers cannot be had again"
    assert sandbox.journal() == []
    nothing = {"analytics_snapshots": 0, "platform_metrics": 0}
    assert with_stack(lambda stack: count(stack, outsider, *nothing)) == nothing


@pytest.mark.usefixtures("read_for_two_days")
def test_no_organization_named_means_all_and_days_before_they_came_or_to_come_are_left_out(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization
) -> None:
    async def came_late(stack: Stack) -> None:
        await master_rows(
            stack, "update organizations set created_at = '2026-11-20 05:59+00' where slug = 'outsider' returning id"
        )

    with_stack(came_late)

    result = run(instance, "reprocess_snapshots", from_day="2026-11-20", to_day="2026-12-24", at=MORNING)
    again = run(instance, "reprocess_snapshots", from_day="2026-11-19", to_day="2026-11-21", at=MORNING)

    assert (result.success, again.success) == (True, True)
    assert materialized(instance, "analytics_snapshots") == days(agency, -2, -1, 0) | days(outsider, -1, 0)
    assert [row["version"] for row in with_stack(lambda stack: snapshots(stack, agency))] == [1, 1, 1]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"organizations": ["draggonnb"]}, "which days"),
        ({"from_day": "2026-11-19"}, "which days"),
        ({"from_day": "19 November", "to_day": "2026-11-20"}, "which days"),
        ({"from_day": "2026-11-20", "to_day": "2026-11-19"}, "2026-11-20 is after 2026-11-19"),
        ({"organizations": ["nobody"], "from_day": "2026-11-19", "to_day": "2026-11-19"}, "nobody is called nobody"),
    ],
)
def test_days_that_are_none_make_nothing_and_say_why(
    instance: dg.DagsterInstance, agency: Organization, config: dict[str, Any], words: str
) -> None:
    result = run(instance, "reprocess_snapshots", raises=False, **config)

    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert words in str(failure.step_failure_data.error)
    assert materialized(instance, "analytics_snapshots") == set()


@pytest.mark.usefixtures("read_for_two_days")
def test_the_daily_run_makes_up_for_days_on_which_nothing_ran(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization
) -> None:
    async def three_days_ago(stack: Stack) -> None:
        async with stack.master.connection() as conn:
            await snapshot_taken(conn, [agency.id], DAY - timedelta(days=3))
            await snapshot_taken(conn, [outsider.id], DAY - timedelta(days=1))

    with_stack(three_days_ago)

    result = run(instance, "collect_analytics", everyone=True, at=MORNING)

    assert result.success
    assert materialized(instance, "platform_metrics") == days(agency, 0) | days(outsider, 0)
    assert materialized(instance, "analytics_snapshots") == days(agency, -2, -1, 0) | days(outsider, 0)


@pytest.mark.usefixtures("read_for_two_days")
def test_a_range_of_past_days_asks_no_platform_and_says_that_it_cannot(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    partition = key(agency.slug, date(2026, 11, 19))
    instance.add_dynamic_partitions("organizations", [agency.slug])

    result = run_job(instance, "collect_analytics", partition_key=partition)

    assert result.success
    assert materialized(instance, "platform_metrics") == materialized(instance, "analytics_snapshots") == {partition}
    stored = metadata(instance, "platform_metrics", partition)
    assert (stored["readings"], "cannot be had again" in stored["note"]) == (1, True)
    assert sandbox.journal() == []
