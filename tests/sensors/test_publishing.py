"""What asks for publishing and content: the agenda's sensor, the inbox's, and the sweep by the clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.schedules import publish_quarter_hourly
from draggonnb_pipelines.sensors.content import content_inbox
from draggonnb_pipelines.sensors.publishing import publishing_agenda, shards_to_run
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, note_due, showing_life
from tests.conftest import MASTER_KEYS
from tests.workflows.content_work import ask

SOON, LATER = timedelta(seconds=2), timedelta(minutes=5)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)


def with_stack(work: Callable[[Stack], Awaitable[object]]) -> None:
    async def once() -> None:
        async with open_stack(load_settings()) as stack:
            await work(stack)

    asyncio.run(once())


def note(organization: Organization, in_time: timedelta) -> None:
    with_stack(lambda stack: note_due(stack.master, organization.id, datetime.now(UTC) + in_time))


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str | None]:
    """What it asks for, or why it asks for nothing."""
    resources = {"master": MasterQueries()}
    with dg.build_sensor_context(instance=instance, resources=resources, definitions=build_defs()) as context:
        result = sensor.evaluate_tick(context)
    return list(result.run_requests or []), result.skip_message


def test_what_is_due_asks_for_one_run_and_the_next_tick_for_none(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization
) -> None:
    note(agency, -LATER)
    note(outsider, SOON)

    first, second = tick(publishing_agenda, instance), tick(publishing_agenda, instance)

    [request] = first[0]
    assert request.run_config == {"ops": {"work_through_content": {"config": {"shard": 0}}}}
    assert request.tags["draggonnb/publishing"] == "0"
    assert request.tags["draggonnb/vendors"].startswith("SANDBOX ")
    assert second == ([], "nothing is due, or a run is at work")


def test_what_is_due_later_or_of_a_suspended_client_asks_for_nothing(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    note(agency, LATER)
    note(outsider, -LATER)
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute("update organizations set status = 'suspended' where slug = 'outsider'")

        assert tick(publishing_agenda, instance) == ([], "nothing is due, or a run is at work")

        assert conn.execute("select count(*) from publisher_shards").fetchone() == (0,)


def test_each_shard_has_a_run_of_its_own(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("DRAGGONNB_SHARDS", "64")
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        shards = sorted(row[0] for row in conn.execute("select distinct mod(shard, 64) from organizations"))
    note(agency, -LATER)
    note(outsider, -LATER)

    requests, _ = tick(publishing_agenda, instance)

    configs = [request.run_config["ops"]["work_through_content"]["config"] for request in requests]
    assert configs == [{"shard": shard} for shard in shards]


@asynccontextmanager
async def at_work(master: MasterDb, run_id: str, *, lives: bool) -> AsyncIterator[None]:
    """A run that has taken the shard, and lives or has died since."""
    async with master.connection() as conn:
        await AGENDA.take_shard(conn, shard=0, run_id=run_id)
    if not lives:
        yield
        return
    async with showing_life(master, run_id):
        yield


@pytest.mark.parametrize(("lives", "wanted"), [(True, []), (False, [0])])
async def test_a_living_run_keeps_its_shard_and_a_dead_one_gives_way(
    agency: Organization, master: MasterDb, lives: bool, wanted: list[int]
) -> None:
    await note_due(master, agency.id, datetime.now(UTC) - LATER)

    async with at_work(master, str(uuid4()), lives=lives), master.connection() as conn:
        assert await shards_to_run(conn) == wanted
        assert await shards_to_run(conn) == []


def test_ten_requests_make_one_run_and_the_next_tick_asks_for_nothing(
    instance: dg.DagsterInstance, agency: Organization, master_dsn: str
) -> None:
    async def ten(stack: Stack) -> None:
        for number in range(10):
            await ask(stack, agency, f"request-{number}")

    with_stack(ten)

    (requests, _), second = tick(content_inbox, instance), tick(content_inbox, instance)

    [request] = requests
    assert request.tags["draggonnb/requests"] == "10"
    assert request.run_config == {"ops": {"work_through_content": {"config": {"batch_id": request.run_key}}}}
    assert second == ([], "nothing waits, or enough runs are at work")
    with psycopg.connect(master_dsn) as conn:
        states = conn.execute("select topic, state, batch_id::text, count(*) from inbox group by 1, 2, 3").fetchall()
    assert states == [("content", "claimed", request.run_key, 10)]


def test_the_sweep_looks_into_everybody_of_each_shard_every_quarter_of_an_hour(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGGONNB_SHARDS", "2")
    assert isinstance(publish_quarter_hourly, dg.ScheduleDefinition)

    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=datetime(2026, 12, 1, tzinfo=UTC)
    ) as context:
        requests = publish_quarter_hourly.evaluate_tick(context).run_requests or []

    assert publish_quarter_hourly.cron_schedule == "*/15 * * * *"
    assert publish_quarter_hourly.execution_timezone == "UTC"
    assert publish_quarter_hourly.default_status == dg.DefaultScheduleStatus.RUNNING
    configs = [request.run_config["ops"]["work_through_content"]["config"] for request in requests]
    assert configs == [{"shard": 0, "everyone": True}, {"shard": 1, "everyone": True}]
    assert [request.tags["draggonnb/sweep"] for request in requests] == ["0", "1"]
    assert [request.run_key for request in requests] == ["2026-12-01T00:00/0", "2026-12-01T00:00/1"]
